"""Timeline formats, one file each."""
