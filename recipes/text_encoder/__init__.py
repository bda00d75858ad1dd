"""The text encoder of the default bundle."""
