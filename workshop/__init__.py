"""How what the project ships was made; not installed with it."""
