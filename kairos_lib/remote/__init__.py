"""Services over the network: limits, refusals and patience. Knows nothing of what is asked."""
