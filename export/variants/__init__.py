"""Bundles in other precisions, and the engines of them."""
