"""A task, a format, a model and a network of another package."""
