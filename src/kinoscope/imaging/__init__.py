"""Image operations on frames: augmentation, change and motion analysis, thumbnails (OpenCV)."""
