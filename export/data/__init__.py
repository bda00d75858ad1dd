"""Readers of labelled data, splits without leaks, and the cache of features."""
