"""One run folder: its key, its records, its locks. Knows nothing of videos, models or notebooks."""
