import pytest

from edge_ser.export.training.encoding import sound_fingerprint
from edge_ser.frontends.audio import AudioFrontend, default_audio_config


def test_features_of_changed_kernels_are_never_mixed_with_old_ones(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    frontend = AudioFrontend(default_audio_config())
    before = sound_fingerprint(frontend)
    assert sound_fingerprint(AudioFrontend(default_audio_config())) == before

    rows = frontend.rows
    monkeypatch.setattr(frontend, "rows", lambda samples: rows(samples) * 1.01)
    assert sound_fingerprint(frontend) != before
