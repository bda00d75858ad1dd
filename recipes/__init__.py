"""How the parts that ship are made; not installed."""

import edge_ser  # noqa: F401 - turns the reports of ONNX Runtime off, which Lightning imports
