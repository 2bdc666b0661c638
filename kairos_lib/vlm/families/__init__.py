"""Model families: one adapter per file, found by the `family` in a model's parameters."""
