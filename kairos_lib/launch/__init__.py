"""One notebook in a kernel of its own."""
