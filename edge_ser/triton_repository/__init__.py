"""A bundle in a model repository of NVIDIA Triton Inference Server."""
