"""Video and images drawn from results."""
