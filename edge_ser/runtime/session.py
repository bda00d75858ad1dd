"""The one protocol that every backend offers to the rest of the runtime."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from edge_ser.bundles.schema import TensorSpec

Tensor: TypeAlias = npt.NDArray[Any]
FloatTensor: TypeAlias = npt.NDArray[np.float32]


class Session(Protocol):
    """A loaded graph. Thread contract: `run` may be called from any thread, also at once."""

    @property
    def inputs(self) -> Mapping[str, TensorSpec]:
        """Names, dtypes and shapes that `run` takes."""

    @property
    def outputs(self) -> Mapping[str, TensorSpec]:
        """Names, dtypes and shapes that `run` gives."""

    @property
    def backend(self) -> str:
        """Name of the backend and what executes in it, for instance ``onnxruntime:CPU``."""

    def run(self, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Run the graph once.

        Raises:
            EngineError: if a tensor is missing, has a wrong dtype or shape, or the backend fails.
        """

    def close(self) -> None:
        """Free the backend's memory; a second call does nothing."""
