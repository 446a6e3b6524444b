"""Faces and identities."""
