"""What the YAML files under `parameters/` may say, and reading them strictly."""
