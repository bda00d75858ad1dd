"""Bundles: schema, loading, verification; `default` is the one that ships."""
