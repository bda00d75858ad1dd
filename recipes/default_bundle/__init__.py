"""The default bundle, from data to folder."""
