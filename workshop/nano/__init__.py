"""The small world: how its clips and its models were made."""
