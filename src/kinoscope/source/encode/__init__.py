"""Encoding: writers, sinks, audio tracks and edits of existing files."""
