"""Latency, energy and footprint."""
