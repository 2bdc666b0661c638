"""Where the files of a model come from, and whether they are complete."""
