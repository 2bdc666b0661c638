"""Commands that take more than a few lines: they read what a user types and pass it on."""
