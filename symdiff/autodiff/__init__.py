"""Derivatives of graphs: tangents, and their transposes."""
