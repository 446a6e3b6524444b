"""Readers and writers of weight and model files."""
