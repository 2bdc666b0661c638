"""Reads runs back: how each ended, and which runs may be compared."""
