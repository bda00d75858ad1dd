"""The one way from a window to an answer."""
