"""Speech to text: the analyzer, its engines, and the services behind two of them."""
