"""What the device is and what it tells: host, memory, meters."""
