"""Event spotting: when in a video something happens, what it is, and how sure that is."""
