"""Datasets: reading, splitting, caching and loading clips."""
