"""Demuxing, decoding, timestamps and repair of damaged streams."""
