"""A recording holds what was pushed, is private, and never stops the stream."""

from __future__ import annotations

import json
import stat
import wave
from pathlib import Path

import numpy as np
import pytest
from fixtures.stream_simulation import SinkLog

from edge_ser.capture.recording import AUDIO, DECISIONS, PICTURES, Recording
from edge_ser.constants import MODALITIES
from edge_ser.errors import ConfigError
from edge_ser.result import BundleReference, LiveDecision, ModalityReport, Window

DECISION = LiveDecision(
    label="happy",
    probabilities={"happy": 0.8, "sad": 0.2},
    modalities={m: ModalityReport(False, reason="test") for m in MODALITIES},
    abstained=False,
    abstain_reason=None,
    window=Window(0, 8000),
    bundle=BundleReference("test", "0.0.1", "0" * 64),
    sequence=3,
)


def test_everything_is_handed_on_and_written(tmp_path: Path) -> None:
    sink = SinkLog()
    tone = (0.5 * np.sin(np.arange(1600) / 5)).astype(np.float32)
    with Recording(sink, tmp_path / "session") as recording:
        for i in range(5):
            assert recording.push_audio(tone, i * 1600)
            assert recording.push_video(np.full((40, 60, 3), (200, 30, 30), np.uint8), i * 1600)
        assert recording.push_text("so glad", 0, 100)
        recording.note(DECISION)
    assert sink.got == ["audio", "picture"] * 5 + ["words"]
    with wave.open(str(tmp_path / "session" / AUDIO)) as audio:
        assert (audio.getframerate(), audio.getnchannels(), audio.getnframes()) == (16000, 1, 8000)
        written = np.frombuffer(audio.readframes(1600), "<i2") / 32767
    np.testing.assert_allclose(written, tone, atol=1e-4)
    pictures = sorted((tmp_path / "session" / PICTURES).iterdir(), key=lambda p: int(p.stem))
    assert [int(p.stem) for p in pictures] == [0, 1600, 3200, 4800, 6400]
    import cv2

    colour = cv2.imread(str(pictures[0]))[20, 30]
    np.testing.assert_allclose(colour, (30, 30, 200), atol=12)
    (line,) = (tmp_path / "session" / DECISIONS).read_text().splitlines()
    assert json.loads(line)["live"]["sequence"] == 3


def test_nobody_else_may_read_it(tmp_path: Path) -> None:
    with Recording(SinkLog(), tmp_path / "session"):
        assert stat.S_IMODE((tmp_path / "session").stat().st_mode) == 0o700


def test_a_folder_that_was_there_keeps_its_permissions(tmp_path: Path) -> None:
    folder = tmp_path / "shared"
    folder.mkdir(mode=0o755)
    folder.chmod(0o755)
    with Recording(SinkLog(), folder) as recording:
        recording.push_audio(np.zeros(160, np.float32), 0)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o755
    for name, mode in ((AUDIO, 0o600), (DECISIONS, 0o600), (PICTURES, 0o700)):
        assert stat.S_IMODE((folder / name).stat().st_mode) == mode


def test_an_earlier_recording_is_not_overwritten(tmp_path: Path) -> None:
    with Recording(SinkLog(), tmp_path / "session"):
        pass
    with pytest.raises(ConfigError, match="another folder"):
        Recording(SinkLog(), tmp_path / "session")


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(ConfigError, match="a part of its path is a file"):
        Recording(SinkLog(), tmp_path / "file" / "session")


def test_sound_that_changes_its_rate_stops_the_recording_not_the_stream(tmp_path: Path) -> None:
    sink = SinkLog()
    with Recording(sink, tmp_path / "session") as recording:
        recording.push_audio(np.zeros(160, np.float32), 0)
        recording.push_audio(np.zeros(480, np.float32), 160, 48000)
        recording.push_audio(np.zeros(160, np.float32), 320)
        assert "from 16000 to 48000 Hz" in (recording.error or "")
    assert sink.got == ["audio"] * 3
    recording.push_audio(np.zeros(160, np.float32), 480)
    assert len(sink.got) == 4
