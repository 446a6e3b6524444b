"""Training of the audio-video sync network."""
