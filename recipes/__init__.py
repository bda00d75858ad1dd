"""How the parts that ship are made; not installed."""
