"""Runs a model again from a run's record, and compares the outcome."""
