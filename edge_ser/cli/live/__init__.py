"""`edge-ser live`."""
