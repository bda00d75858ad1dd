"""Training, evaluation and export: from data to a bundle of ONNX graphs."""
