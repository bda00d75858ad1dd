"""The pitch scorer's network in torch, its loss, and its weights as the kernel reads them.

Evidence of a frame to the log-likelihood of 84 pitches, as subband autocorrelation classification
does (B. S. Lee and D. P. W. Ellis, "Noise robust pitch tracking by subband autocorrelation
classification", 2012), and to the log-odds of voicing; here with eleven frames of context.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

STATES = 84
STATES_PER_OCTAVE = 24
LOWEST_HZ = 50.0
FEATURES = 348
HIDDEN = 48
PROJECTED = 24
PAST = 8
DELAY = 2
BANDS = ((0, 80), (80, 120), (120, 200), (200, 280), (280, 320), (320, 348))
"""Columns of the features: five bands of correlations, then the levels."""


class ScorerNetwork(nn.Module):
    """Features ``[batch, frames, 348]`` to scores ``[batch, frames - 10, 85]``, voicing last."""

    def __init__(self) -> None:
        super().__init__()
        self.frame = nn.Linear(FEATURES, HIDDEN)
        self.project = nn.Linear(HIDDEN, PROJECTED)
        self.context = nn.Conv1d(PROJECTED, HIDDEN, PAST + 1 + DELAY)
        self.skip = nn.Linear(HIDDEN, HIDDEN, bias=False)
        self.read_out = nn.Linear(HIDDEN, STATES + 1)

    def forward(self, features: torch.Tensor, present: torch.Tensor) -> torch.Tensor:
        """`present` ``[batch, frames]`` is 0 for frames before a recording, 1 elsewhere."""
        hidden = torch.relu(self.frame(features))
        projected = self.project(hidden) * present[..., None]
        context = self.context(projected.transpose(1, 2)).transpose(1, 2)
        middle = hidden[:, PAST : hidden.shape[1] - DELAY]
        result: torch.Tensor = self.read_out(torch.relu(context + self.skip(middle)))
        return result


def pitch_targets(f0_hz: NDArray[np.float32]) -> torch.Tensor:
    """A probability over the states for each frame: a bell around the true pitch."""
    place = STATES_PER_OCTAVE * np.log2(np.maximum(f0_hz, LOWEST_HZ) / LOWEST_HZ)
    bell = np.exp(-0.5 * ((np.arange(STATES) - place[..., None]) / 0.7) ** 2)
    return torch.from_numpy((bell / bell.sum(-1, keepdims=True)).astype(np.float32))


def losses(
    scores: torch.Tensor, f0_hz: NDArray[np.float32], counted: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean cross-entropies: of voicing over `counted` frames, of pitch over the voiced ones."""
    voiced = torch.from_numpy((f0_hz > 0).astype(np.float32))
    voicing = nn.functional.binary_cross_entropy_with_logits(
        scores[..., STATES], voiced, reduction="none"
    )
    chosen = (voiced * counted) > 0
    targets = pitch_targets(f0_hz[chosen.numpy()])
    logs = torch.log_softmax(scores[..., :STATES][chosen], -1)
    pitch = -(targets * logs).sum() / max(len(targets), 1)
    return (voicing * counted).sum() / counted.sum(), pitch


def quantised(weights: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.int8]]:
    """8-bit rows ``[out, in]`` and their scales."""
    scales = np.maximum(np.abs(weights).max(axis=1), 1e-12).astype(np.float32) / np.float32(127)
    return scales, np.rint(weights / scales[:, None]).astype(np.int8)


def as_text(network: ScorerNetwork) -> str:
    """The weights as pitch_weights.inc: for each output its scale, its bias and its weights.

    Scales and biases are the bits of a float, weights two's complement bytes, all hexadecimal.
    """
    kernel = network.context.weight.detach().permute(0, 2, 1).reshape(HIDDEN, -1)
    layers = [
        (network.frame.weight, network.frame.bias),
        (network.project.weight, network.project.bias),
        (kernel, network.context.bias),
        (network.skip.weight, None),
        (network.read_out.weight, network.read_out.bias),
    ]
    parts: list[str] = []
    for weights, bias in layers:
        scales, rows = quantised(weights.detach().numpy())
        for output, row in enumerate(rows):
            parts.append(_hexadecimal(scales[output]))
            if bias is not None:
                parts.append(_hexadecimal(bias.detach().numpy()[output]))
            parts.append(row.tobytes().hex())
    text = "".join(parts)
    width = 240
    lines = [f'    "{text[at : at + width]}"' for at in range(0, len(text), width)]
    note = (
        "// Fitted by `python -m recipes.pitch_scorer.fit_scorer`, see pitch_scorer.h; not by\n"
        "// hand. Each output's float scale, float bias and 8-bit weights, layer by layer.\n"
    )
    return note + "\n".join(lines) + "\n"


def _hexadecimal(value: np.float32) -> str:
    return f"{int(np.float32(value).view(np.uint32)):08x}"
