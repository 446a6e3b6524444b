"""Training of clip classifiers."""
