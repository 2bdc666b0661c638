"""How long, how much, on what: clocks, resources and provenance of a run."""
