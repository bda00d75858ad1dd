"""Whether somebody speaks, and what is said."""
