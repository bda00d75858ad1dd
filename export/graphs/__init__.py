"""From torch to ONNX graphs that are proved against torch."""
