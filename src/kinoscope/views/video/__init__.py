"""Video and images rendered from results."""
