"""A bundle in another precision, held to the gate, and compiled for a device."""
