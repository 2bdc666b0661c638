"""Whether B is faster or slower than A, over the same scenes and round by round."""
