"""Training and evaluation of video GANs."""
