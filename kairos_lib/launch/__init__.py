"""Runs one notebook in a kernel of its own."""
