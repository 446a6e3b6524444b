"""Tasks of an analysis, one file each; ``registry.py`` lists them."""
