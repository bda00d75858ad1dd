from __future__ import annotations

import librosa
import numpy as np
import torch
from torch import nn

from edge_ser.export.models.acoustic import AcousticEncoder, prosody_tokens


class _Speech(nn.Module):
    def forward(self, log_mel: torch.Tensor) -> torch.Tensor:
        return log_mel[:, :5, ::2].transpose(1, 2)


def test_differences_are_htk_regressions() -> None:
    generator = np.random.default_rng(0)
    prosody = generator.standard_normal((1, 40, 3)).astype(np.float32)
    tokens = prosody_tokens(torch.from_numpy(prosody)).numpy()[0]
    pairs = prosody[0].reshape(20, 2, 3).mean(1)
    first = librosa.feature.delta(pairs.T, width=5, mode="nearest").T
    second = librosa.feature.delta(first.T, width=5, mode="nearest").T
    np.testing.assert_allclose(tokens[:, :3], pairs, atol=1e-6)
    np.testing.assert_allclose(tokens[:, 3:6], first, atol=1e-5)
    np.testing.assert_allclose(tokens[:, 6:], second, atol=1e-5)


def test_tokens_hold_speech_and_prosody_of_the_same_40_ms() -> None:
    encoder = AcousticEncoder(_Speech(), columns=3, speech_width=5)
    time = torch.arange(42, dtype=torch.float32)
    log_mel = time.expand(1, 80, 42)
    prosody = time[None, :, None].expand(1, 42, 3)
    tokens = encoder(log_mel, prosody)
    assert tokens.shape == (1, 10, encoder.width)
    assert encoder.prosody_width == 9
    # Token i covers frames 4 i to 4 i + 3; the speech stand-in looks at the even ones.
    assert torch.allclose(tokens[0, :, 0], 4 * torch.arange(10.0) + 1)
    assert torch.allclose(tokens[0, :, 5], 4 * torch.arange(10.0) + 1.5)
