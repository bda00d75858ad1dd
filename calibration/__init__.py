"""Calibration of probabilities and the reports that a device is signed off with."""
