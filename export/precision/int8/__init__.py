"""int8 graphs: calibration, ranges, the passes for each backend, and the choice of layers."""
