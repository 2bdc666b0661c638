"""What a user asked for, as a plan of notebooks, and carrying it out."""
