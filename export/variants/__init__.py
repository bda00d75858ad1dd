"""Bundles in other precisions."""
