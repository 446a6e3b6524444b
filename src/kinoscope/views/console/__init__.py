"""Results as tables and lines on the terminal."""
