"""Measures runs: clocks, resources and provenance."""
