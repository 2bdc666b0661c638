"""Intervals and decisions: how sure a number is. Knows nothing of runs, models or videos."""
