"""Evaluation of a model: of a classifier on labelled clips or timed segments, or of a generator on real clips."""
