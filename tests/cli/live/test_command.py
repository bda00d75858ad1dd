"""`edge-ser live` and `edge-ser devices`: from the command line to the last decision."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from fixtures.bundle_factory import make_bundle
from fixtures.stream_simulation import Simulation, SinkLog
from rich.console import Console

from edge_ser.cli.live.command import _ask_consent
from edge_ser.cli.live.preview import annotated
from edge_ser.cli.live.view import Meter, view
from edge_ser.cli.main import EXIT_USER_ERROR, main
from edge_ser.errors import ConfigError
from edge_ser.frontends.faces import Face
from edge_ser.live.sources import SourceOptions, make_sources

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_bundle(tmp_path_factory.mktemp("bundle"))


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    def invoke(*arguments: str) -> tuple[int, str, str]:
        code = 0
        try:
            main(list(arguments))
        except SystemExit as error:
            code = int(error.code or 0)
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return invoke


def test_a_replay_prints_a_decision_a_line_and_ends(run: Run, tiny: Path, demo_clip: Path) -> None:
    code, out, _ = run("live", "--replay", str(demo_clip), "--bundle", str(tiny), "--json")
    assert code == 0
    decisions = [json.loads(line) for line in out.splitlines()]
    assert decisions[-1]["window"]["end_seconds"] == pytest.approx(3.34, abs=0.2)
    assert decisions[-1]["live"]["sequence"] + 0 >= len(decisions)
    for decision in decisions:
        assert set(decision["modalities"]) == {"audio", "text", "video"}
        assert decision["live"]["latency_ms"] is None or decision["live"]["latency_ms"] >= 0


def test_the_view_is_shown_without_json(run: Run, tiny: Path, demo_clip: Path) -> None:
    code, out, _ = run("live", "--replay", str(demo_clip), "--bundle", str(tiny), "--headless")
    assert code == 0
    assert "contribution" in out
    assert "dBFS" in out


def test_record_says_so_and_writes(run: Run, tiny: Path, demo_clip: Path, tmp_path: Path) -> None:
    folder = tmp_path / "session"
    arguments = ("live", "--replay", str(demo_clip), "--bundle", str(tiny), "--json")
    code, out, err = run(*arguments, "--record", str(folder))
    assert code == 0
    assert "RECORDING" in err
    assert (folder / "decisions.jsonl").read_text().splitlines() == out.splitlines()
    assert (folder / "audio.wav").stat().st_size > 90000
    assert len(list((folder / "pictures").iterdir())) > 5


def test_without_record_nothing_is_written(
    run: Run, tiny: Path, demo_clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    run("live", "--replay", str(demo_clip), "--bundle", str(tiny), "--json")
    assert list(tmp_path.iterdir()) == []


def test_devices_need_consent(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    code, _, err = run("live", "--no-listen")
    assert code == EXIT_USER_ERROR
    assert "--yes-i-have-consent" in err


@pytest.mark.parametrize(("answer", "agreed"), [("y\n", True), ("n\n", False)])
def test_somebody_who_can_be_asked_is_asked(
    monkeypatch: pytest.MonkeyPatch, answer: str, agreed: bool
) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr(sys, "stdin", Terminal(answer))
    if agreed:
        _ask_consent(False, None)
    else:
        with pytest.raises(ConfigError, match="without consent"):
            _ask_consent(False, None)


def test_a_missing_file_is_one_clear_line(run: Run, tiny: Path) -> None:
    code, _, err = run("live", "--replay", "no-such-clip.mp4", "--bundle", str(tiny), "--json")
    assert code == EXIT_USER_ERROR
    assert "no-such-clip.mp4" in err
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        (SourceOptions(replay=Path("a"), url="rtsp://b/c"), "choose one"),
        (SourceOptions(replay=Path("a"), camera="0"), "does not go with"),
        (SourceOptions(listen=False, look=False), "nothing to do"),
    ],
)
def test_what_does_not_go_together_is_refused(wanted: SourceOptions, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        make_sources(wanted)


def test_a_transcript_needs_times(run: Run, tmp_path: Path, demo_clip: Path, tiny: Path) -> None:
    words = tmp_path / "words.txt"
    words.write_text("no times here")
    replay = ("live", "--replay", str(demo_clip), "--bundle", str(tiny), "--json")
    code, _, err = run(*replay, "--transcript", str(words))
    assert code == EXIT_USER_ERROR
    assert "no times" in err


def test_words_of_a_replay_count(run: Run, tmp_path: Path, demo_clip: Path, tiny: Path) -> None:
    words = tmp_path / "words.srt"
    words.write_text("1\n00:00:00,100 --> 00:00:01,000\nso very glad\n")
    replay = ("live", "--replay", str(demo_clip), "--bundle", str(tiny), "--json")
    code, out, _ = run(*replay, "--transcript", str(words))
    assert code == 0
    present = [json.loads(line)["modalities"]["text"]["present"] for line in out.splitlines()]
    assert any(present)


def test_sound_from_a_pipe(tiny: Path) -> None:
    noise = np.random.default_rng(2).integers(-3000, 3000, 32000).astype("<i2")
    program = "import sys; from edge_ser.cli.main import main; main(sys.argv[1:])"
    arguments = ["live", "--pcm", "--bundle", str(tiny), "--json", "--no-speech-gate"]
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments, "--yes-i-have-consent"],
        input=noise.tobytes(),
        capture_output=True,
        timeout=120,
        check=True,
    )
    assert len(done.stdout.splitlines()) >= 1


def test_devices_are_listed_without_opening_any(run: Run) -> None:
    code, out, _ = run("devices", "--json")
    assert code == 0
    assert set(json.loads(out)) == {"microphones", "cameras", "microphones_missing"}
    assert run("devices")[0] == 0


def test_the_view_says_what_went_wrong() -> None:
    simulation = Simulation()
    simulation.run(3.0)
    simulation.encoders.fail.add("acoustic")
    decision = simulation.run(1.0)[-1]
    console = Console(file=io.StringIO(), width=100, color_system=None)
    console.print(view(decision, -20.0, []))
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert "the acoustic graph broke" in text
    assert "-20 dBFS" in text
    assert "errors" in text


def test_the_meter_hands_everything_on() -> None:
    sink = SinkLog()
    meter = Meter(sink)
    assert meter.level_dbfs() == -60
    meter.push_audio(np.array([0.1, -0.5, np.nan], np.float32))
    assert meter.level_dbfs() == pytest.approx(-6.02, abs=0.01)
    assert meter.level_dbfs() == -60
    image = np.zeros((4, 4, 3), np.uint8)
    meter.push_video(image)
    meter.push_text("a", 0, 1)
    assert meter.picture() is image
    assert sink.got == ["audio", "picture", "words"]


def test_the_preview_boxes_the_face_and_leaves_the_picture_alone() -> None:
    image = np.full((720, 1280, 3), 50, np.uint8)
    face = Face((400.0, 200.0, 300.0, 300.0), np.zeros((6, 2), np.float32), 0.9, (0, 0, 720))
    small = annotated(image, [face], "happy")
    assert small.shape == (360, 640, 3)
    assert (small[150, 200] == (80, 220, 80)).all()
    assert (small[300, 600] == 50).all()
    assert (image == 50).all()
    assert annotated(image, [], None).shape == small.shape
