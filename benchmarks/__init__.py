"""What the performance claims are measured with; run as `make perf-base`."""
