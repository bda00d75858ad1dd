"""`edge-ser recognize` on several files: lines or a table, a bar on a terminal, exit codes."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import wave
from pathlib import Path

import numpy as np
import pytest

PROGRAM = str(Path(sys.executable).with_name("edge-ser"))
ENVIRONMENT = {**os.environ, "COLUMNS": "120"}


def run(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [PROGRAM, "recognize", *arguments],
        capture_output=True,
        text=True,
        cwd=cwd,
        env=ENVIRONMENT,
        check=False,
        timeout=120,
    )


@pytest.fixture
def folder(tmp_path: Path, demo_clip: Path) -> Path:
    for name in ("b.mp4", "a.mp4", "sub/[red]c.mp4"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(demo_clip, tmp_path / name)
    return tmp_path


def test_several_files_give_a_line_of_json_each(folder: Path) -> None:
    outcome = run("b.mp4", "sub", "a.mp4", "--json", cwd=folder)
    assert (outcome.returncode, outcome.stderr) == (0, "")
    lines = [json.loads(line) for line in outcome.stdout.splitlines()]
    assert [line["file"] for line in lines] == ["b.mp4", "sub/[red]c.mp4", "a.mp4"]
    assert len({str(line["probabilities"]) for line in lines}) == 1


def test_people_get_a_table(folder: Path) -> None:
    outcome = run(".", cwd=folder)
    assert (outcome.returncode, outcome.stderr) == (0, "")
    heading, *rows = outcome.stdout.splitlines()
    assert heading.split() == ["file", "emotion", "probability", "rests", "on", "notes"]
    assert [row.split()[0] for row in rows] == ["a.mp4", "b.mp4", "sub/[red]c.mp4"]
    assert {row.split()[-1] for row in rows} == {"audio+video"}


@pytest.mark.parametrize("json_wanted", [False, True])
def test_where_some_fail_the_rest_is_done_and_the_code_is_2(
    folder: Path, json_wanted: bool
) -> None:
    (folder / "bad.wav").write_text("no sound")
    outcome = run("none.wav", "*", *(["--json"] if json_wanted else []), cwd=folder)
    assert outcome.returncode == 2
    assert len(outcome.stderr.splitlines()) == 1
    assert outcome.stderr.startswith("edge-ser: 2 of 5 files failed: no such file: none.wav; why")
    assert outcome.stdout.count("happy") >= 3
    assert "it is a text, not a recording" in " ".join(outcome.stdout.split())


def test_one_file_keeps_its_form(folder: Path) -> None:
    outcome = run("a.mp4", "--json", cwd=folder)
    assert "file" not in json.loads(outcome.stdout)
    assert outcome.stdout.startswith('{\n  "label"')
    assert "contribution = change" in run("a.mp4", cwd=folder).stdout


def test_what_is_for_one_clip_is_refused_for_several(folder: Path) -> None:
    for option, value in (("--plot", "x.png"), ("--transcript", "so glad")):
        outcome = run("a.mp4", "b.mp4", option, value, cwd=folder)
        assert outcome.returncode == 2
        assert "are for one clip" in outcome.stderr
        assert not (folder / "x.png").exists()


@pytest.mark.parametrize("name", ["a.txt", "a.srt", "a.json"])
@pytest.mark.parametrize("write", ["> {}", "| tee {}", "2>&1 >/dev/null | tee {}", ">> {}"])
def test_what_its_output_goes_to_is_no_transcript(folder: Path, name: str, write: str) -> None:
    if write == ">> {}":
        (folder / name).write_text('{"text": "I am so very happy"}')
    expected = json.loads(run("b.mp4", "--json", cwd=folder).stdout)
    command = f"'{PROGRAM}' recognize b.mp4 a.mp4 --json {write.format(name)}"
    done = subprocess.run(["bash", "-c", command], cwd=folder, check=True, capture_output=True)
    assert done.stderr == b""
    if "2>" in write:
        return
    last = json.loads((folder / name).read_text().splitlines()[-1])
    assert last["file"] == "a.mp4"
    assert last["modalities"]["text"] == expected["modalities"]["text"]
    assert last["probabilities"] == expected["probabilities"]


@pytest.mark.skipif(os.name == "nt", reason="there is no pseudo-terminal")
def test_a_bar_shows_on_a_terminal_and_never_in_the_output(folder: Path) -> None:
    import pty

    ours, theirs = pty.openpty()
    done = subprocess.run(
        [PROGRAM, "recognize", ".", "--json"],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=theirs,
        env={**ENVIRONMENT, "TERM": "xterm"},
        check=True,
    )
    os.close(theirs)
    shown = os.read(ours, 65536).decode()
    os.close(ours)
    assert "b.mp4" in shown
    assert "1/3" in shown
    assert [json.loads(line)["label"] for line in done.stdout.splitlines()] == ["happy"] * 3


def test_each_channel_of_a_clip_gets_an_entry(folder: Path) -> None:
    sound = np.random.default_rng(0).integers(-9000, 9000, (16000, 2)).astype("<i2")
    with wave.open(str(folder / "call.wav"), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(16000)
        file.writeframes(sound.tobytes())
    each = run("call.wav", "--channel", "each", "--json", cwd=folder)
    assert (each.returncode, each.stderr) == (0, "")
    decisions = json.loads(each.stdout)
    assert list(decisions) == ["1", "2"]
    right = run("call.wav", "--channel", "right", "--audio-track", "1", "--json", cwd=folder)
    assert json.loads(right.stdout)["probabilities"] == decisions["2"]["probabilities"]
    shown = run("call.wav", "--channel", "each", cwd=folder)
    assert "channel 1" in shown.stdout
    assert "channel 2" in shown.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--channel", "3"), "there is no channel 3"),
        (("--channel", "middle"), "channel must be mix, left, right or a number"),
        (("--audio-track", "2"), "there is no sound track 2"),
        (("--channel", "each", "--plot", "a.png"), "--channel each is for one clip"),
    ],
)
def test_a_wrong_channel_or_track_is_one_line(
    folder: Path, arguments: tuple[str, ...], message: str
) -> None:
    outcome = run("a.mp4", *arguments, cwd=folder)
    assert outcome.returncode == 2
    assert message in outcome.stderr
