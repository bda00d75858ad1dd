"""Pictures of what was recognised."""
