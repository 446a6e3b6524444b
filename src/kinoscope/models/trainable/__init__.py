"""Tables of the networks that can be trained."""
