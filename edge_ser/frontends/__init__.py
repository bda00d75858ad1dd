"""Front-ends: raw media to tensors, the same code for training and for the runtime."""
