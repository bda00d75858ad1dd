from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from fixtures.manifest_factory import voice, write_clip

from edge_ser.export.data.items import Item
from edge_ser.export.encoders.speech import SpeechEncoder, SpeechEncoderConfig
from edge_ser.export.models.acoustic import AcousticEncoder
from edge_ser.export.training.tokens.torch_encoders import AudioTokens, audio_fingerprint
from edge_ser.frontends.audio import AudioFrontend, default_audio_config


def test_features_of_changed_kernels_are_never_mixed_with_old_ones(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    frontend = AudioFrontend(default_audio_config())
    before = audio_fingerprint(frontend)
    assert audio_fingerprint(AudioFrontend(default_audio_config())) == before

    rows = frontend.rows
    monkeypatch.setattr(frontend, "rows", lambda samples: rows(samples) * 1.01)
    assert audio_fingerprint(frontend) != before


def test_features_of_other_layers_of_one_encoder_are_never_mixed(tmp_path: Path) -> None:
    """The weights of both are the same, and so is the width of their answers."""
    path = tmp_path / "voice.wav"
    write_clip(path, voice("angry", 0))
    item = Item(name="voice", kind="audio", labels=("angry",), path=path)
    answers = []
    for outputs in ((1,), (2,)):
        torch.manual_seed(0)
        sizes = SpeechEncoderConfig(width=32, heads=4, layers=2, outputs=outputs)
        acoustic = AcousticEncoder(SpeechEncoder(sizes), 24, 32)
        audio = AudioTokens(acoustic, default_audio_config(), tmp_path / "cache")
        answers.append(audio.variants([item]).arrays[0])
    assert answers[0].shape == answers[1].shape
    assert not np.array_equal(answers[0], answers[1])
