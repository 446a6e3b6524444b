"""Models that are ready to run, one file a model family: arrays in, typed results out."""
