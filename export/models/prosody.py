"""The prosody encoder: a CNN-RNN over MFCC, energy and pitch."""

from __future__ import annotations

from torch import Tensor, nn

from edge_ser.export.models.masking import shorten
from edge_ser.export.models.recurrent import MaskedGru


class ProsodyEncoder(nn.Module):
    """Convolutions that shorten the sequence, then a bidirectional GRU (the CNN-RNN)."""

    def __init__(self, columns: int, width: int, stride: int, dropout: float) -> None:
        """Make an encoder of `columns` features a token; `stride` must be a power of two."""
        super().__init__()
        self.stride = stride
        blocks: list[nn.Module] = []
        channels, left = columns, stride
        while True:
            step = 2 if left > 1 else 1
            blocks.append(ConvolutionBlock(channels, width, step, dropout))
            channels, left = width, left // 2
            if left <= 1:
                break
        self.blocks = nn.ModuleList(blocks)
        self.recurrence = MaskedGru(width, whole=True)

    def forward(self, features: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Features [batch, tokens, columns] with mask [batch, tokens], both shortened by stride.

        Returns:
            tokens [batch, ceil(tokens / stride), width] and their mask.
        """
        for block in self.blocks:
            features, mask = block(features, mask)
        return features + self.recurrence(features, mask), mask


class ConvolutionBlock(nn.Module):
    """Convolution in time, layer normalisation, GELU, dropout; absent tokens stay zero."""

    def __init__(self, channels: int, width: int, stride: int, dropout: float) -> None:
        super().__init__()
        self.stride = stride
        self.convolution = nn.Conv1d(channels, width, 5, stride=stride, padding=2)
        self.after = nn.Sequential(nn.LayerNorm(width), nn.GELU(), nn.Dropout(dropout))

    def forward(self, tokens: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Tokens [batch, tokens, channels] to [batch, ceil(tokens / stride), width]."""
        tokens = self.convolution(tokens.transpose(1, 2)).transpose(1, 2)
        mask = shorten(mask, self.stride)
        return self.after(tokens) * mask.unsqueeze(-1), mask
