"""What is done to a trained model: it is explained, compressed and exported."""
