"""TensorRT: sessions, engines, CUDA."""
