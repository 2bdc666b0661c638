"""Turns a user's request into a plan of notebooks, and carries it out."""
