"""What disturbances and clock offsets cost."""
