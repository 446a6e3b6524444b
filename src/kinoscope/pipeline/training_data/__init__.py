"""Data of the trainings that need an analysis of videos."""
