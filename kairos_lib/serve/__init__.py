"""The analysis service: a queue, groups of resident workers, and what they tell each other."""
