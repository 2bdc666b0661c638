"""Speech to text: engines behind one small interface. Knows nothing of stages or scenes."""
