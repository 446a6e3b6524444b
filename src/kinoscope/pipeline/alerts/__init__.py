"""Alerts: dispatch, webhook, clips."""
