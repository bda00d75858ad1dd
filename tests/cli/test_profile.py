"""Enrolling and forgetting a person from the command line."""

from __future__ import annotations

import json
import wave
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from fixtures.bundle_factory import make_bundle, with_adaptation

from edge_ser import Profile
from edge_ser.cli.main import EXIT_USER_ERROR, main
from edge_ser.media.media import read_clip

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def able(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_bundle(tmp_path_factory.mktemp("bundle"), with_adaptation)


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


def test_enroll_show_use_and_delete(run: Run, able: Path, demo_clip: Path, tmp_path: Path) -> None:
    file, bundle = tmp_path / "anna.json", ("--bundle", str(able))
    code, out, _ = run("profile", "enroll", str(demo_clip), "--profile", str(file), *bundle)
    assert code == 0
    assert "s of speech" in out
    once = Profile.load(file)
    assert run("profile", "enroll", str(demo_clip), "--profile", str(file), *bundle)[0] == 0
    assert Profile.load(file).samples == 2 * once.samples
    code, out, _ = run("profile", "show", str(file))
    assert code == 0
    assert once.acoustic_sha256 in out
    code, out, _ = run("recognize", str(demo_clip), "--profile", str(file), "--json", *bundle)
    assert code == 0
    assert any("profile" in note for note in json.loads(out)["modalities"]["audio"]["notes"])
    assert run("profile", "delete", str(file))[0] == 0
    assert not file.exists()


def test_live_enrols_and_saves(run: Run, able: Path, demo_clip: Path, tmp_path: Path) -> None:
    file = tmp_path / "anna.json"
    live = ("live", "--replay", str(demo_clip), "--bundle", str(able), "--json")
    code, out, err = run(*live, "--enroll", "1", "--profile", str(file))
    assert code == 0, err
    assert "enrolled" in err
    assert Profile.load(file).seconds >= 1
    assert len(out.splitlines()) >= 3
    code, out, err = run(*live, "--profile", str(file))
    assert code == 0, err
    heard = [json.loads(line)["modalities"]["audio"] for line in out.splitlines()]
    assert all(any("profile" in n for n in h["notes"]) for h in heard if h["present"])


def test_too_little_speech_is_one_clear_line(
    run: Run, able: Path, demo_clip: Path, tmp_path: Path
) -> None:
    file = tmp_path / "anna.json"
    live = ("live", "--replay", str(demo_clip), "--bundle", str(able), "--json")
    code, _, err = run(*live, "--enroll", "60", "--profile", str(file))
    assert code == EXIT_USER_ERROR
    assert "of 60 s of speech" in err
    assert "Traceback" not in err
    assert not file.exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--enroll", "5"), "name the file of the profile"),
        (("--enroll", "-5", "--profile", "a.json"), "positive"),
        (("--profile", "nobody.json"), "cannot be read"),
        (("--enroll", "5", "--profile", "no/such/folder/a.json"), "folder"),
    ],
)
def test_what_cannot_be_is_said_before_anything_starts(
    run: Run, able: Path, demo_clip: Path, arguments: tuple[str, ...], said: str
) -> None:
    code, out, err = run("live", "--replay", str(demo_clip), "--bundle", str(able), *arguments)
    assert code == EXIT_USER_ERROR
    assert said in err
    assert out == ""


def test_a_bundle_that_cannot_enrol_says_so(run: Run, demo_clip: Path, tmp_path: Path) -> None:
    plain = make_bundle(tmp_path / "bundle")
    live = ("live", "--replay", str(demo_clip), "--bundle", str(plain), "--json")
    code, _, err = run(*live, "--enroll", "5", "--profile", str(tmp_path / "a.json"))
    assert code == EXIT_USER_ERROR
    assert "cannot enrol" in err


def test_a_person_is_enrolled_from_the_channel_that_they_speak_on(
    run: Run, able: Path, demo_clip: Path, tmp_path: Path
) -> None:
    samples = read_clip(demo_clip, want_video=False).samples
    assert samples is not None
    call = tmp_path / "call.wav"
    with wave.open(str(call), "wb") as file:
        file.setparams((2, 2, 16000, 0, "NONE", ""))
        both = np.stack([np.zeros(len(samples)), samples * 32767], 1)
        file.writeframes(both.astype(np.int16).tobytes())
    kept, bundle = tmp_path / "anna.json", ("--bundle", str(able))
    options = ("--profile", str(kept), *bundle, "--channel")
    code, _, err = run("profile", "enroll", str(call), *options, "left")
    assert code == EXIT_USER_ERROR
    assert "nobody speaks" in err
    assert run("profile", "enroll", str(call), *options, "right")[0] == 0
    assert kept.is_file()
    assert run("profile", "enroll", str(call), *options, "each")[0] == EXIT_USER_ERROR
