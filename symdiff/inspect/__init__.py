"""What people look at: stages as text, explanations, tables."""
