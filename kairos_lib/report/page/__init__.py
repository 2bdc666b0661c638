"""Pieces of a page, and what a page is made of. Knows nothing of runs."""
