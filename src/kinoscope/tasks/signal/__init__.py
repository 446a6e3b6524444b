"""Signals over time: peaks and hysteresis."""
