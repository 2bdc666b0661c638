"""Kairos: a reproducible benchmark of vision-language models over your own videos."""

__version__ = "0.1.0"
