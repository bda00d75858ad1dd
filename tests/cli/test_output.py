"""Where the command line writes to: a pipe whose reader left, a full disk, a narrow encoding."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(sys.executable).with_name("edge-ser")


def _left(*arguments: str | Path, read: int, both: bool = False) -> tuple[int, bytes]:
    """Run with an output whose reader leaves after so many bytes; give exit code and errors."""
    reading, writing = os.pipe()
    process = subprocess.Popen(
        [PROGRAM, *arguments], stdout=writing, stderr=writing if both else subprocess.PIPE
    )
    os.close(writing)
    if read:
        os.read(reading, read)
    os.close(reading)
    errors = process.communicate(timeout=120)[1] or b""
    return process.returncode, errors


@pytest.mark.parametrize("read", [0, 1])
@pytest.mark.parametrize(
    "arguments",
    [
        ["--version"],
        ["recognize", "--help"],
        ["bundle", "show"],
        ["bundle", "show", "--json"],
        ["recognize", "CLIP"],
        ["live", "--replay", "CLIP", "--json"],
        ["live", "--replay", "CLIP", "--headless"],
    ],
)
def test_a_reader_who_left_is_no_mistake(arguments: list[str], read: int, demo_clip: Path) -> None:
    whole = [str(demo_clip) if a == "CLIP" else a for a in arguments]
    assert _left(*whole, read=read) == (0, b"")


def test_a_reader_of_both_who_left_is_no_mistake() -> None:
    assert _left("bundle", "show", read=0, both=True) == (0, b"")


def test_a_mistake_that_nobody_reads_is_still_one() -> None:
    assert _left("recognize", "none.mp4", read=0)[0] == 2
    assert _left("recognize", "none.mp4", read=0, both=True)[0] == 2


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is full")
@pytest.mark.parametrize("arguments", [["bundle", "show"], ["bundle", "show", "--json"]])
def test_a_full_disk_behind_the_output_is_told(arguments: list[str]) -> None:
    with Path("/dev/full").open("wb") as full:
        outcome = subprocess.run(
            [PROGRAM, *arguments], stdout=full, stderr=subprocess.PIPE, timeout=120, check=False
        )
    assert outcome.returncode == 2
    assert outcome.stderr.decode().startswith("edge-ser: the output cannot be written: No space")
    assert len(outcome.stderr.splitlines()) == 1


@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["bundle", "show"],
        ["bundle", "show", "NAME"],
        ["doctor"],
        ["devices"],
        ["engines", "list"],
        ["profile", "show", "NAME"],
        ["recognize", "CLIP", "--plot", "NAME.svg"],
        ["recognize", "CLIP", "--json"],
        ["recognize", "NAME"],
        ["recognize", "--NAME"],
        ["live", "--replay", "CLIP", "--headless"],
        ["live", "--replay", "CLIP", "--json"],
    ],
)
def test_no_encoding_of_a_terminal_ends_a_verb(
    encoding: str, arguments: list[str], demo_clip: Path, tmp_path: Path
) -> None:
    # Letters that the encodings lack, a byte that is no letter at all, and a formula's dollars.
    name = b"\xc3\xa9t\xc3\xa9 \xe6\x97\xa5 \xff $5_a$"
    clip = os.fsencode(tmp_path / os.fsdecode(name + b".mp4"))
    shutil.copy(demo_clip, clip)
    given = [a.encode().replace(b"CLIP", clip).replace(b"NAME", name) for a in arguments]
    outcome = subprocess.run(
        [os.fsencode(PROGRAM), *given],
        capture_output=True,
        env={**os.environ, "PYTHONIOENCODING": encoding},
        cwd=tmp_path,
        timeout=120,
        check=False,
    )
    errors = outcome.stderr.decode(encoding)
    assert "Traceback" not in errors
    refused = any(a.endswith("NAME") for a in arguments)
    assert outcome.returncode == (2 if refused else 0), errors
    if "--plot" in arguments:
        assert b"</svg>" in (tmp_path / os.fsdecode(name + b".svg")).read_bytes()


def test_json_is_json_in_every_encoding(demo_clip: Path, tmp_path: Path) -> None:
    words = tmp_path / "\u00e9t\u00e9 \u65e5.txt"
    words.write_text("so glad", "utf-8")
    outcome = subprocess.run(
        [PROGRAM, "recognize", shutil.copy(demo_clip, words.with_suffix(".mp4")), "--json"],
        capture_output=True,
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
        timeout=120,
        check=True,
    )
    assert words.name in " ".join(json.loads(outcome.stdout)["modalities"]["text"]["notes"])
