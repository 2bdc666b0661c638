"""The commands that are more than a few lines: what a user types, read and handed on."""
