"""Tasks of an analysis, one file each; ``table.py`` lists them."""
