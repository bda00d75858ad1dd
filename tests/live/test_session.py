"""A live session from Python: what `edge-ser live` does, without a terminal."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from fixtures.bundle_factory import make_bundle

from edge_ser import EdgeRecognizer
from edge_ser.errors import ConfigError
from edge_ser.live.session import LiveOptions, LiveSession
from edge_ser.live.sources import SourceOptions


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_bundle(tmp_path_factory.mktemp("tiny"))


def test_a_replay_gives_decisions_and_is_recorded(
    tiny: Path, tmp_path: Path, demo_clip: Path
) -> None:
    told: list[str] = []
    options = LiveOptions(SourceOptions(replay=demo_clip, speed=8.0), record=tmp_path / "kept")
    with (
        EdgeRecognizer(tiny) as recognizer,
        LiveSession(recognizer, options, tell=told.append) as session,
    ):
        decisions = list(session)
        assert "astronaut" in repr(session)
    assert len(decisions) > 2
    assert any("RECORDING" in line for line in told)
    lines = (tmp_path / "kept" / "decisions.jsonl").read_text().splitlines()
    assert [json.loads(line)["live"]["sequence"] for line in lines] == [
        decision.sequence for decision in decisions
    ]


def test_without_consent_nothing_is_opened(tiny: Path) -> None:
    with EdgeRecognizer(tiny) as recognizer, pytest.raises(ConfigError, match="consent"):
        LiveSession(recognizer, LiveOptions())


@pytest.mark.parametrize("transcript", ["a.txt", "a.srt"])
def test_words_need_a_replay_and_times(
    transcript: str, tiny: Path, tmp_path: Path, demo_clip: Path
) -> None:
    (tmp_path / "a.txt").write_text("no times")
    (tmp_path / "a.srt").write_text("1\n00:00:01,000 --> 00:00:02,000\nhello\n")
    words = tmp_path / transcript
    with EdgeRecognizer(tiny) as recognizer:
        pcm = LiveOptions(SourceOptions(pcm=True), transcript=words)
        with pytest.raises(ConfigError, match="belongs to a replay"):
            LiveSession(recognizer, pcm, consent=True)
        options = LiveOptions(SourceOptions(replay=demo_clip), transcript=words)
        if transcript == "a.txt":
            with pytest.raises(ConfigError, match="has no times"):
                LiveSession(recognizer, options)
        else:
            LiveSession(recognizer, options).close()


@pytest.mark.skipif(os.name == "nt", reason="there is no SIGTERM")
def test_sigterm_leaves_a_whole_recording(tiny: Path, tmp_path: Path, demo_clip: Path) -> None:
    kept = tmp_path / "kept"
    command = ["live", "--replay", str(demo_clip), "--loop", "--json", "--bundle", str(tiny)]
    process = subprocess.Popen(
        [sys.executable, "-m", "edge_ser", *command, "--record", str(kept)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
    )
    assert process.stdout is not None
    process.stdout.readline()
    time.sleep(0.3)
    process.send_signal(signal.SIGTERM)
    out, error = process.communicate(timeout=30)
    del out
    assert process.returncode == 0, error
    import wave

    with wave.open(str(kept / "audio.wav")) as audio:
        assert audio.getnframes() > 0
    for line in (kept / "decisions.jsonl").read_text().splitlines():
        json.loads(line)
