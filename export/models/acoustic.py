"""The acoustic encoder: one window's log-mel and prosody to one sequence of tokens."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool1d


class AcousticEncoder(nn.Module):
    """Speech features beside prosody with its first and second differences, every 40 ms.

    The speech encoder answers every 20 ms; prosody is averaged over the same pairs of frames, and
    pairs of both are averaged once more: 25 tokens a second hold what emotion needs. What is
    learned from these tokens (CNN-RNN, pooling, fusion) lies in the fusion graph, so that tokens
    can be cached once and every fusion trains on what the runtime will compute.

    Args:
        speech: a module from log-mel [batch, 80, T] to features [batch, T / 2, width].
        columns: of the prosody.
        speech_width: width of the speech features.
    """

    samples_per_token = 640

    def __init__(self, speech: nn.Module, columns: int, speech_width: int) -> None:
        super().__init__()
        self.speech = speech
        self.columns = columns
        self.width = speech_width + 3 * columns

    @property
    def prosody_width(self) -> int:
        """How many of the last columns of a token are prosody."""
        return 3 * self.columns

    def forward(self, log_mel: Tensor, prosody: Tensor) -> Tensor:
        """Encode a batch.

        Args:
            log_mel: float32 [batch, 80, T], T even.
            prosody: float32 [batch, T, columns].

        Returns:
            float32 [batch, T // 4, width].
        """
        tokens = torch.cat([self.speech(log_mel), prosody_tokens(prosody)], dim=2)
        return avg_pool1d(tokens.transpose(1, 2), 2).transpose(1, 2)


def prosody_tokens(prosody: Tensor) -> Tensor:
    """Pairs of frames averaged, their regression differences, and the differences of those.

    Differences are HTK's regression over two tokens either side (Young et al., "The HTK Book",
    2006, 5.9), with the ends repeated.

    Args:
        prosody: float32 [batch, T, columns], T even.

    Returns:
        float32 [batch, T / 2, 3 * columns].
    """
    pairs = 0.5 * (prosody[:, 0::2] + prosody[:, 1::2])
    first = _difference(pairs)
    return torch.cat([pairs, first, _difference(first)], dim=2)


def _difference(tokens: Tensor) -> Tensor:
    start, end = tokens[:, :1], tokens[:, -1:]
    padded = torch.cat([start, start, tokens, end, end], dim=1)
    near = padded[:, 3:-1] - padded[:, 1:-3]
    far = padded[:, 4:] - padded[:, :-4]
    return 0.1 * near + 0.2 * far
