"""The face encoder of the default bundle."""
