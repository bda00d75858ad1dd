"""What `edge_ser` offers: its names, their types, how they show themselves, how they travel."""

from __future__ import annotations

import ast
import json
import multiprocessing
import pickle
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from fixtures.bundle_factory import make_bundle

import edge_ser
from edge_ser import (
    CameraSource,
    CaptureError,
    ConfigError,
    EdgeRecognizer,
    MicrophoneSource,
    NetworkSource,
    Profile,
    PushedClock,
    ReplaySource,
    Transcript,
    Word,
    clip_from_arrays,
    open_clip,
)
from edge_ser.capture.microphone import AudioDevices, Microphone, Recording

SCRIPT = Path(__file__).with_name("user_script.py")

NAMES = [
    "Bundle",
    "BundleError",
    "CameraSource",
    "CaptureError",
    "Clip",
    "ConfigError",
    "Decision",
    "EdgeRecognizer",
    "EdgeSerError",
    "EmotionStream",
    "EngineError",
    "FileDecision",
    "LiveDecision",
    "MediaError",
    "MicrophoneSource",
    "MissingExtraError",
    "ModalityReport",
    "NetworkSource",
    "Profile",
    "PushedClock",
    "ReplaySource",
    "StreamHealth",
    "Transcript",
    "Window",
    "Word",
    "clip_from_arrays",
    "load_bundle",
    "open_clip",
    "recognize_files",
]


def test_these_are_the_public_names() -> None:
    assert edge_ser.__all__ == NAMES
    assert sorted(edge_ser._HOMES) == sorted(NAMES)
    assert set(NAMES) <= set(dir(edge_ser))
    for name in NAMES:
        assert getattr(edge_ser, name).__name__ == name
    tree = ast.parse(Path(edge_ser.__file__).read_text())
    block = next(n for n in tree.body if isinstance(n, ast.If))
    for_checkers = {
        a.name for n in ast.walk(block) if isinstance(n, ast.ImportFrom) for a in n.names
    }
    assert for_checkers == set(NAMES)


def test_the_user_script_uses_every_name() -> None:
    used = set(re.findall(r"\w+", SCRIPT.read_text().split("MISTAKES", 1)[1]))
    assert set(NAMES) - used == set()


def test_a_users_script_type_checks_under_mypy(installed_python: Path, tmp_path: Path) -> None:
    checker = [sys.executable, "-m", "mypy", "--strict", "--python-executable"]
    done = subprocess.run(
        [*checker, str(installed_python), str(SCRIPT)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_users_script_type_checks_under_pyright(installed_python: Path, tmp_path: Path) -> None:
    project = {"include": [str(SCRIPT)], "typeCheckingMode": "strict"}
    (tmp_path / "pyrightconfig.json").write_text(json.dumps(project))
    done = subprocess.run(
        [sys.executable, "-m", "pyright", "-p", str(tmp_path), "--pythonpath", installed_python],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_mistake_in_a_users_script_is_found(installed_python: Path, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text("from edge_ser import EdgeRecognizer\nEdgeRecognizer().recognise('a.wav')\n")
    for checker in (
        ["mypy", "--strict", "--python-executable", str(installed_python), str(script)],
        ["pyright", "--pythonpath", str(installed_python), str(script)],
    ):
        done = subprocess.run(
            [sys.executable, "-m", *checker],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 1, done.stdout + done.stderr
        assert "recognise" in done.stdout


@pytest.fixture(scope="module")
def recognizer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EdgeRecognizer]:
    with EdgeRecognizer(make_bundle(tmp_path_factory.mktemp("tiny"))) as made:
        yield made


class NoDevices(AudioDevices):
    """A machine without a sound card."""

    def list(self) -> list[Microphone]:
        return []

    def open(self, *_: object) -> Recording:
        raise CaptureError("there is no microphone")


def test_everything_shows_itself_in_one_line(recognizer: EdgeRecognizer, demo_clip: Path) -> None:
    clip = clip_from_arrays(samples=np.zeros(32000, np.float32), sample_rate=16000)
    spoken = recognizer.recognize(demo_clip, "so glad", speech_gate=False)
    silent = recognizer.recognize(clip)
    with recognizer.stream(clock=PushedClock(7)) as stream, open_clip(demo_clip) as opened:
        shown = {
            "recognizer": (recognizer, ("tiny", "onnxruntime", "fp32", "neutral")),
            "bundle": (recognizer.bundle, ("tiny", "0.0.1")),
            "decision": (spoken, ("0.", "audio")),
            "abstention": (silent, ("abstains", "digital silence")),
            "window": (silent.window, ("0.00 to 2.00 s",)),
            "clip": (clip, ("2.0 s", "audio")),
            "file": (opened, ("astronaut.mp4", "audio+video")),
            "stream": (stream, ("3 s every 0.5 s", "open")),
            "clock": (stream.clock, ("7",)),
            "health": (stream.health(), ("nothing went wrong",)),
            "transcript": (Transcript("so glad", (Word("so", 0, 16000),), "en"), ("1.0 s", "en")),
            "camera": (CameraSource(3), ("3", "new")),
            "replay": (ReplaySource(demo_clip), ("astronaut", "new")),
            "network": (NetworkSource("rtsp://me:secret@host/x"), ("host", "new")),
            "microphone": (MicrophoneSource(devices=NoDevices()), ("microphone", "new")),
            "source's health": (CameraSource(3).health, ("state new",)),
            "word": (Word("so", 0, 16000), ("'so' 0.00 to 1.00 s",)),
            "modality": (spoken.modalities["audio"], ("present", "contribution")),
            "missing modality": (silent.modalities["text"], ("absent", "no transcript")),
            "reference": (spoken.bundle, ("tiny 0.0.1",)),
            "manifest": (recognizer.bundle.manifest, ("tiny 0.0.1", "neutral")),
            "profile": (Profile("f00" * 20, (0,), 32000, 4, (0.0,), (1.0,)), ("2.0 s", "f00f00")),
        }
        for name, (thing, parts) in shown.items():
            text = repr(thing)
            assert "\n" not in text, name
            assert len(text) < 300, name
            assert "secret" not in text, name
            for part in parts:
                assert part in text, (name, text)
        stream.push_audio(np.zeros(16000, np.float32), 0)
        stream.close()
        live = next(iter(stream))
        assert repr(live).startswith("<LiveDecision abstains")
        assert "\n" not in repr(live)
    assert "closed" in repr(stream)


def decide_elsewhere(recognizer: EdgeRecognizer, clip: str) -> dict[str, float]:
    with recognizer:
        return dict(recognizer.recognize(clip).probabilities)


def test_a_recognizer_travels_to_a_spawned_process(
    recognizer: EdgeRecognizer, demo_clip: Path
) -> None:
    context = multiprocessing.get_context("spawn")
    with context.Pool(1) as pool:
        there = pool.apply(decide_elsewhere, (recognizer, str(demo_clip)))
    assert there == pytest.approx(dict(recognizer.recognize(demo_clip).probabilities), abs=1e-9)


def test_what_arrives_is_verified_and_a_closed_recognizer_does_not_travel(tmp_path: Path) -> None:
    folder = make_bundle(tmp_path / "tiny")
    with EdgeRecognizer(folder, threads=2) as made:
        data = pickle.dumps(made)
        with pickle.loads(data) as again:  # noqa: S301
            assert repr(again) == repr(made)
        make_bundle(folder, lambda manifest: manifest.update(version="9.9.9"))
        with pytest.raises(edge_ser.BundleError, match="another bundle"):
            pickle.loads(data)  # noqa: S301
    with pytest.raises(ConfigError, match="closed"):
        pickle.dumps(made)


HEAVY = ("av", "cv2", "matplotlib", "onnx", "onnxruntime", "rich", "tokenizers", "torch", "typer")


@pytest.mark.parametrize(
    ("statement", "heavy"),
    [
        ("import edge_ser; dir(edge_ser)", ("numpy", "pydantic", *HEAVY)),
        ("from edge_ser import EdgeRecognizer", HEAVY),
        ("from edge_ser import CameraSource, LiveDecision, PushedClock, Transcript", HEAVY),
    ],
)
def test_the_import_is_light(statement: str, heavy: tuple[str, ...]) -> None:
    program = (
        f"import sys, time; t = time.process_time(); {statement}; t = time.process_time() - t; "
        f"print(t, *sorted({set(heavy)!r} & set(sys.modules)))"
    )
    told = [
        subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, text=True)
        for _ in range(3)
    ]
    assert {tuple(one.stdout.split()[1:]) for one in told} == {()}
    assert min(float(one.stdout.split()[0]) for one in told) < 0.3
