"""Metrics, one file a family; numpy and scipy alone."""
