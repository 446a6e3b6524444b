"""Training of temporal boundary refinement."""
