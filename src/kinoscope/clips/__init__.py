"""Which frames, and what happens to their pixels (OpenCV)."""
