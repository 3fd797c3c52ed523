"""What runs emitted source: loading and dispatch."""
