"""Base processing: one analyzer a file, and the graph that runs them."""
