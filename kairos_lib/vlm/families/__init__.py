"""Model families: one adapter a file, found by the name a model's parameters give."""
