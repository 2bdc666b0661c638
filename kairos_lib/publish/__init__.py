"""Exports findings and captions in formats that other programs read."""
