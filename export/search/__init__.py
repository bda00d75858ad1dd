"""Grid search over configurations."""
