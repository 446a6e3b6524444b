"""Media and result types, time and errors: numpy and the standard library only."""
