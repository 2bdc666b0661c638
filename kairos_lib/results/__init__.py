"""Runs read back: what became of them, and which may be held against each other."""
