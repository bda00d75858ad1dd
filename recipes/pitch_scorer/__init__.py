"""The scorer of pitch candidates, and how pitch is judged."""
