"""Which package speaks to CUDA here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge_ser.errors import EngineError, MissingExtraError

if TYPE_CHECKING:
    from edge_ser.runtime.tensorrt.cuda import Cuda


def load_cuda() -> Cuda:
    """The CUDA layer that is installed, `cuda.bindings` first.

    Raises:
        MissingExtraError: neither is installed.
    """
    try:
        from edge_ser.runtime.tensorrt.cuda_bindings import CudaBindings

        return CudaBindings()
    except ModuleNotFoundError:
        pass
    try:
        from edge_ser.runtime.tensorrt.cuda_pycuda import PyCuda

        return PyCuda()
    except ModuleNotFoundError:
        raise MissingExtraError("running on a CUDA device", "tensorrt") from None


def require_device(cuda: Cuda, device: int) -> str:
    """The compute capability of a device that is there, ``sm87``.

    Raises:
        EngineError: there is no such device.
    """
    found = cuda.devices()
    if not found:
        raise EngineError(
            "no CUDA device was found (no NVIDIA GPU, no driver, or a driver older than the CUDA "
            "libraries); run edge-ser doctor, or use the backend onnxruntime"
        )
    if not 0 <= device < len(found):
        listed = ", ".join(f"{i}: {name}" for i, name in enumerate(found))
        raise EngineError(f"there is no CUDA device {device}; the devices are {listed}")
    return cuda.capability(device)
