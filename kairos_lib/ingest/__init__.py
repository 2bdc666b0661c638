"""Videos by their address, fetched in a guarded process. Does not know what becomes of them."""
