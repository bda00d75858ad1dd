"""The report that signs a device off."""
