"""Temperatures fitted on held-out people, and the bundle that carries them."""
