"""Calibration at a site, from a few recordings of it."""
