"""Precision passes: fp32 graphs in, fp16 and int8 graphs out. Pure ONNX, no GPU needed.

Precision is written into the graph and nowhere else: engines are built strongly typed from it.
"""
