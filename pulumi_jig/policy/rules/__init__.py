"""The rules, one module per concern; none knows Pulumi."""
