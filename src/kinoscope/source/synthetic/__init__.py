"""Synthetic videos with known answers."""
