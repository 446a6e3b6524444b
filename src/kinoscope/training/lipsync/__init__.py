"""Training of the lip-sync generator."""
