"""Ways to show and store a Timeline, one file each."""
