"""GPU container deployments on Together AI as ordinary Pulumi resources."""
