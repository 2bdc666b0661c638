"""Services over the network: limits, errors and retries. Does not know what is requested."""
