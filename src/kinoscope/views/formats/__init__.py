"""Exchange formats of a Timeline, one file each."""
