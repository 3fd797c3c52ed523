"""What runs emitted source: loading, dispatch, and the meaning of the IR."""
