"""Programs and graphs written as source."""
