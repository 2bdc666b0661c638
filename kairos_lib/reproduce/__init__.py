"""A model's run made again from its record, and what comes out otherwise."""
