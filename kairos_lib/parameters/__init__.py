"""The contents of the YAML files under `parameters/`, and reading them strictly."""
