"""What runs a graph: one `Session` protocol, one module a backend."""
