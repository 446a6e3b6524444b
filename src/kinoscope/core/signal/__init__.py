"""Signal processing shared by tasks and networks: onsets, mel spectrograms, audio-video offsets."""
