"""The rules: pure functions on facts, one module per concern; none knows Pulumi."""
