"""The service's REST API and its page: speaks to Redis alone, and loads no model."""
