"""The rebuilt network computes what TensorFlow Lite's operators are defined to compute."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.signal import correlate

from edge_ser.errors import ConfigError
from edge_ser.export.encoders.detector import FaceDetector, TfliteNetwork, load_face_detector
from edge_ser.export.encoders.tflite import TfliteGraph, TfliteOperator, TfliteTensor

RNG = np.random.default_rng(5)
SAME, VALID = 0, 1


def tensor(*shape: int, values: np.ndarray | None = None) -> TfliteTensor:
    return TfliteTensor("", shape, values)


def constant(*shape: int) -> TfliteTensor:
    return tensor(*shape, values=RNG.normal(0, 1, shape).astype(np.float16))


def conv(
    inputs: tuple[int, ...], output: int, stride: int, kind: str = "conv_2d"
) -> TfliteOperator:
    options = {"padding": SAME, "stride_x": stride, "stride_y": stride, "activation": 0}
    options |= {"dilation_x": 1, "dilation_y": 1, "multiplier": 1}
    return TfliteOperator(kind, inputs, (output,), options)


def same(x: np.ndarray, filters: np.ndarray, stride: int) -> np.ndarray:
    """Padding ``same`` by its definition; x [H, W, C], filters [out, h, w, C]."""
    height, width = filters.shape[1:3]
    border = []
    for side, kernel in zip(x.shape[:2], (height, width), strict=True):
        total = max((-(-side // stride) - 1) * stride + kernel - side, 0)
        border.append((total // 2, total - total // 2))
    padded = np.pad(x, (*border, (0, 0)))
    maps = [correlate(padded, f, mode="valid")[:, :, 0] for f in filters.astype(np.float64)]
    return np.stack(maps, axis=2)[::stride, ::stride]


def run(graph: TfliteGraph, picture: np.ndarray) -> list[np.ndarray]:
    """Picture [H, W, C] to the graph's outputs, those of rank 4 as [H, W, C]."""
    network = TfliteNetwork(graph).eval()
    with torch.no_grad():
        outputs = network(torch.from_numpy(picture.transpose(2, 0, 1)[None].astype(np.float32)))
    return [x.numpy()[0].transpose(1, 2, 0) if x.ndim == 4 else x.numpy()[0] for x in outputs]


@pytest.mark.parametrize(("side", "kernel", "stride"), [(8, 5, 2), (7, 3, 2), (6, 3, 1), (9, 4, 3)])
def test_convolution_pads_as_tensorflow_does(side: int, kernel: int, stride: int) -> None:
    out = -(-side // stride)
    weight, bias = constant(4, kernel, kernel, 3), constant(4)
    graph = TfliteGraph(
        (tensor(1, side, side, 3), weight, bias, tensor(1, out, out, 4)),
        (conv((0, 1, 2), 3, stride),),
        (0,),
        (3,),
    )
    picture = RNG.normal(0, 1, (side, side, 3))
    assert weight.values is not None
    assert bias.values is not None
    expected = same(picture, weight.values, stride) + bias.values
    np.testing.assert_allclose(run(graph, picture)[0], expected, atol=1e-3)


def test_depthwise_convolution_keeps_channels_apart() -> None:
    weight, bias = constant(1, 3, 3, 5), constant(5)
    graph = TfliteGraph(
        (tensor(1, 8, 8, 5), weight, bias, tensor(1, 4, 4, 5)),
        (conv((0, 1, 2), 3, 2, "depthwise_conv_2d"),),
        (0,),
        (3,),
    )
    picture = RNG.normal(0, 1, (8, 8, 5))
    assert weight.values is not None
    assert bias.values is not None
    expected = np.concatenate(
        [same(picture[:, :, [c]], weight.values[:, :, :, c][..., None], 2) for c in range(5)],
        axis=2,
    )
    np.testing.assert_allclose(run(graph, picture)[0], expected + bias.values, atol=1e-3)


def test_pool_pad_add_relu_reshape_and_concatenation() -> None:
    amounts = np.asarray([[0, 0], [0, 0], [0, 0], [0, 3]], np.int32)
    pool = {"padding": SAME, "stride_x": 2, "stride_y": 2, "width": 2, "height": 2, "activation": 0}
    graph = TfliteGraph(
        (
            tensor(1, 4, 6, 2),
            tensor(1, 2, 3, 2),
            tensor(4, 2, values=amounts),
            tensor(1, 2, 3, 5),
            tensor(1, 2, 3, 5),
            tensor(1, 2, 3, 5),
            tensor(1, 6, 5),
            tensor(1, 12, 5),
            tensor(1, 2, 3, 10),
        ),
        (
            TfliteOperator("max_pool_2d", (0,), (1,), pool),
            TfliteOperator("pad", (1, 2), (3,)),
            TfliteOperator("add", (3, 3), (4,), {"activation": 0}),
            TfliteOperator("relu", (4,), (5,)),
            TfliteOperator("reshape", (5,), (6,)),
            TfliteOperator("concatenation", (6, 6), (7,), {"axis": 1, "activation": 0}),
            TfliteOperator("concatenation", (5, 4), (8,), {"axis": 3, "activation": 0}),
        ),
        (0,),
        (7, 8),
    )
    picture = RNG.normal(0, 1, (4, 6, 2))
    pooled = picture.reshape(2, 2, 3, 2, 2).max(axis=(1, 3))
    doubled = 2 * np.pad(pooled, ((0, 0), (0, 0), (0, 3)))
    rows = np.maximum(doubled, 0).reshape(6, 5)
    long, wide = run(graph, picture)
    np.testing.assert_allclose(long, np.concatenate([rows, rows]), atol=1e-6)
    np.testing.assert_allclose(
        wide, np.concatenate([np.maximum(doubled, 0), doubled], axis=2), atol=1e-6
    )


def test_pooling_of_odd_sides_ignores_the_padding() -> None:
    pool = {"padding": SAME, "stride_x": 2, "stride_y": 2, "width": 2, "height": 2, "activation": 0}
    graph = TfliteGraph(
        (tensor(1, 3, 3, 1), tensor(1, 2, 2, 1)),
        (TfliteOperator("max_pool_2d", (0,), (1,), pool),),
        (0,),
        (1,),
    )
    picture = -1.0 - np.arange(9.0).reshape(3, 3, 1)
    np.testing.assert_allclose(run(graph, picture)[0][:, :, 0], [[-1, -3], [-7, -9]])


def detector_graph(first: int = 16) -> TfliteGraph:
    """A convolution for boxes and one for scores on a grid of 8 x 8."""
    second = 17 - first
    return TfliteGraph(
        (
            tensor(1, 128, 128, 3),
            constant(first, 16, 16, 3),
            constant(first),
            tensor(1, 8, 8, first),
            constant(second, 16, 16, 3),
            constant(second),
            tensor(1, 8, 8, second),
            tensor(1, 64, first),
            tensor(1, 64, second),
        ),
        (
            conv((0, 1, 2), 3, 16),
            conv((0, 4, 5), 6, 16),
            TfliteOperator("reshape", (3,), (7,)),
            TfliteOperator("reshape", (6,), (8,)),
        ),
        (0,),
        (7, 8),
    )


@pytest.mark.parametrize("first", [16, 1])
def test_boxes_come_before_scores_and_pictures_are_scaled(first: int) -> None:
    graph = detector_graph(first)
    detector = FaceDetector(graph).eval()
    picture = RNG.uniform(0, 255, (128, 128, 3))
    with torch.no_grad():
        image = torch.from_numpy(picture.transpose(2, 0, 1)[None].astype(np.float32))
        boxes, scores = detector(image)
    assert boxes.shape == (1, 64, 16)
    assert scores.shape == (1, 64, 1)
    one, other = run(graph, picture / 127.5 - 1.0)
    expected = (one, other) if first == 16 else (other, one)
    np.testing.assert_allclose(boxes[0].numpy(), expected[0], atol=1e-3)
    np.testing.assert_allclose(scores[0].numpy(), expected[1], atol=1e-3)


def test_another_network_is_refused() -> None:
    graph = TfliteGraph((tensor(1, 4, 4, 3),), (), (0,), (0,))
    with pytest.raises(ConfigError, match="no BlazeFace"):
        FaceDetector(graph)


def test_an_activation_that_is_not_understood_is_refused() -> None:
    step = TfliteOperator("add", (0, 0), (1,), {"activation": 3})
    graph = TfliteGraph((tensor(1, 4, 4, 3), tensor(1, 4, 4, 3)), (step,), (0,), (1,))
    with pytest.raises(ConfigError, match="activation"):
        TfliteNetwork(graph)


def test_a_source_without_the_file_is_named(tmp_path: Path) -> None:
    wheel = tmp_path / "empty.whl"
    zipfile.ZipFile(wheel, "w").close()
    with pytest.raises(ConfigError, match=r"empty\.whl holds 0 files"):
        load_face_detector(wheel)
    with pytest.raises(ConfigError, match=r"face_detection_short_range\.tflite"):
        load_face_detector(tmp_path)
    (tmp_path / "x.tflite").write_bytes(b"nothing")
    with pytest.raises(ConfigError, match="no TensorFlow Lite file"):
        load_face_detector(tmp_path / "x.tflite")
