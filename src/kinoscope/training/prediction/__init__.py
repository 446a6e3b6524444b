"""Training of frame prediction."""
