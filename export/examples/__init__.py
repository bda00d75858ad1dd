"""Training examples: items of the data sets, augmented and paired."""
