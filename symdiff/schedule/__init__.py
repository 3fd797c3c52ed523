"""From graphs to statements."""
