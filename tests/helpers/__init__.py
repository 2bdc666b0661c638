"""What tests build their surroundings with: clips, checkpoints, projects, suites."""
