"""Audio and video together: speech segments, mouths, sync evidence."""
