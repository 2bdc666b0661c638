"""Runs analyzers over one video."""
