"""Weights of a mini-Xception that nobody trained, in the form in which Keras keeps them."""

from __future__ import annotations

import itertools
from pathlib import Path

import h5py
import numpy as np

WIDTHS = (8, 16, 32, 64, 128)


def keras_shapes() -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = {"conv2d_1/kernel": (3, 3, 1, 8)}
    shapes["conv2d_2/kernel"] = (3, 3, 8, 8)
    normalised = [8, 8]
    for block, (inside, outside) in enumerate(itertools.pairwise(WIDTHS)):
        shapes[f"conv2d_{3 + block}/kernel"] = (1, 1, inside, outside)
        for half, width in enumerate((inside, outside)):
            name = f"separable_conv2d_{2 * block + half + 1}"
            shapes[f"{name}/depthwise_kernel"] = (3, 3, width, 1)
            shapes[f"{name}/pointwise_kernel"] = (1, 1, width, outside)
        normalised += [outside] * 3
    for number, width in enumerate(normalised, start=1):
        for weight in ("gamma", "beta", "moving_mean", "moving_variance"):
            shapes[f"batch_normalization_{number}/{weight}"] = (width,)
    shapes["conv2d_7/kernel"] = (3, 3, 128, 7)
    shapes["conv2d_7/bias"] = (7,)
    return shapes


def write_keras(path: Path, arrays: dict[str, np.ndarray]) -> Path:
    with h5py.File(path, "w") as file:
        file.create_group("model_weights/activation_1")
        for name, array in arrays.items():
            layer, weight = name.split("/")
            file[f"model_weights/{layer}/{layer}_1/{weight}:0"] = array
    return path


def made_up_weights(seed: int = 5) -> dict[str, np.ndarray]:
    """Of a size that keeps the signal alive."""
    rng = np.random.default_rng(seed)
    made = {}
    for name, shape in keras_shapes().items():
        fan = np.prod(shape[:-1]) if len(shape) == 4 and shape[-1] > 1 else shape[0] * 3
        values = rng.normal(0, 1 / np.sqrt(fan), shape)
        if name.endswith(("gamma", "variance")):
            values = 1 + 0.2 * rng.random(shape)
        made[name] = values.astype(np.float32)
    return made
