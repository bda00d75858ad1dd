"""Bundles for many devices: published once; each device fetches, tries and takes them itself."""
