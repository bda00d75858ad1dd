"""ONNX Runtime's CUDA provider, where its package is installed; elsewhere the advice."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edge_ser.errors import EngineError
from edge_ser.runtime.backend import open_session
from edge_ser.runtime.onnxruntime_sessions import available_providers

pytestmark = pytest.mark.gpu

X = np.arange(12, dtype=np.float32).reshape(4, 3)


def test_the_cuda_provider_runs_or_says_how_to_get_it(affine_graph: Path) -> None:
    if "CUDAExecutionProvider" not in available_providers():
        with pytest.raises(EngineError, match=r"pip install .onnxruntime-gpu"):
            open_session(affine_graph, backend="onnxruntime:cuda")
        return
    session = open_session(affine_graph, backend="onnxruntime:cuda")
    assert session.backend == "onnxruntime:CUDA+CPU"
    expected = open_session(affine_graph).run({"x": X})["y"]
    np.testing.assert_allclose(session.run({"x": X})["y"], expected, rtol=2e-3, atol=0.05)
    session.close()
