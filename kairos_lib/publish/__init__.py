"""What was found and captioned, in formats that other programs read."""
