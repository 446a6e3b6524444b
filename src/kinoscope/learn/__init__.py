"""Learning from a user's own clips: datasets, losses, the visible training loop, evaluation."""
