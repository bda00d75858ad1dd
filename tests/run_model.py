"""Runs a model that is still in memory."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime as ort


def run_model(model: onnx.ModelProto, sample: dict[str, np.ndarray]) -> list[np.ndarray]:
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    session = ort.InferenceSession(
        model.SerializeToString(), sess_options=options, providers=["CPUExecutionProvider"]
    )
    return [np.asarray(v) for v in session.run(None, sample)]


def largest_relative_error(model: onnx.ModelProto, other: onnx.ModelProto, samples) -> float:
    """Largest difference over all samples, against the largest magnitude of the first."""
    difference = scale = 0.0
    for sample in samples:
        for a, b in zip(run_model(model, sample), run_model(other, sample), strict=True):
            difference = max(difference, float(np.abs(a - b).max()))
            scale = max(scale, float(np.abs(a).max()))
    return difference / scale
