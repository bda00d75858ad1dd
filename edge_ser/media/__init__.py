"""Files and arrays to clips."""
