"""What can be found out about a video before any model describes it: an analyzer each."""
