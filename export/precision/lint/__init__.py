"""Rules that a quantised graph must keep."""
