"""The command line as a user meets it: outputs, exit codes, and one clear line for a mistake."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fixtures.bundle_factory import make_bundle
from typer.main import get_command

from edge_ser.cli.main import app

PROGRAM = Path(sys.executable).with_name("edge-ser")


def run(*arguments: str | Path, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(PROGRAM), *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=cwd,
        timeout=120,
        check=False,
    )


def _refused(outcome: subprocess.CompletedProcess[str], *says: str) -> None:
    assert outcome.returncode == 2, outcome.stderr
    assert outcome.stdout == ""
    lines = outcome.stderr.strip().splitlines()
    assert len(lines) == 1, outcome.stderr
    assert lines[0].startswith("edge-ser: ")
    assert "Traceback" not in outcome.stderr
    for words in says:
        assert words in lines[0]


def test_json_is_one_object_with_the_promised_keys(demo_clip: Path) -> None:
    outcome = run("recognize", demo_clip, "--json")
    assert outcome.returncode == 0, outcome.stderr
    decision = json.loads(outcome.stdout)
    assert set(decision) == {
        "label",
        "probabilities",
        "modalities",
        "abstained",
        "abstain_reason",
        "notes",
        "timing_ms",
        "window",
        "bundle",
    }
    assert sum(decision["probabilities"].values()) == pytest.approx(1)
    assert set(decision["modalities"]) == {"audio", "text", "video"}
    for report in decision["modalities"].values():
        assert {"present", "contribution", "reason"} <= set(report)
    assert decision["timing_ms"]["total"] > 0
    assert set(decision["bundle"]) == {"name", "version", "hash"}


def test_the_transcript_option_wins_over_the_sidecar(demo_clip: Path) -> None:
    outcome = run("recognize", demo_clip, "--transcript", "this is awful", "--json")
    notes = json.loads(outcome.stdout)["modalities"]["text"]["notes"]
    assert not any("astronaut.txt" in note for note in notes)


def test_a_picture_is_drawn(demo_clip: Path, tmp_path: Path) -> None:
    for name, magic in (("a.png", b"\x89PNG"), ("a.svg", b"<?xml"), ("a.pdf", b"%PDF")):
        outcome = run("recognize", demo_clip, "--plot", tmp_path / name)
        assert outcome.returncode == 0, outcome.stderr
        assert (tmp_path / name).read_bytes().startswith(magic)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.pdf", "a.png", "a.svg"]


def test_a_picture_of_an_unknown_kind_is_refused(demo_clip: Path, tmp_path: Path) -> None:
    _refused(run("recognize", demo_clip, "--plot", tmp_path / "a.docx"), ".png")


def test_the_demo_writes_decision_and_picture(tmp_path: Path) -> None:
    outcome = run("demo", "--output", tmp_path / "out")
    assert outcome.returncode == 0, outcome.stderr
    assert "public-domain" in outcome.stdout
    assert (tmp_path / "out" / "decision.png").stat().st_size > 20_000
    assert json.loads((tmp_path / "out" / "decision.json").read_text())["probabilities"]


def test_a_missing_clip(tmp_path: Path) -> None:
    _refused(run("recognize", tmp_path / "none.mp4"), "none.mp4")


def test_an_empty_clip(tmp_path: Path) -> None:
    (tmp_path / "empty.wav").write_bytes(b"")
    _refused(run("recognize", tmp_path / "empty.wav"), "empty.wav")


def test_text_renamed_to_mp4(tmp_path: Path) -> None:
    (tmp_path / "letter.mp4").write_text("Dear reader, this is no film. " * 40)
    _refused(run("recognize", tmp_path / "letter.mp4"), "letter.mp4")


def test_a_truncated_clip_is_refused_or_decided_with_a_note(
    demo_clip: Path, tmp_path: Path
) -> None:
    content = demo_clip.read_bytes()
    for share in (0.1, 0.5, 0.9):
        path = tmp_path / f"cut{share}.mp4"
        path.write_bytes(content[: int(len(content) * share)])
        outcome = run("recognize", path)
        assert outcome.returncode in (0, 2), outcome.stderr
        if outcome.returncode == 2:
            _refused(outcome, path.name)


def test_a_transcript_that_is_not_utf8(demo_clip: Path, tmp_path: Path) -> None:
    shutil.copy(demo_clip, tmp_path / "clip.mp4")
    (tmp_path / "clip.txt").write_bytes("so sch\u00f6n".encode("latin-1"))
    _refused(run("recognize", tmp_path / "clip.mp4"), "UTF-8", "clip.txt", "byte 6")


def test_a_damaged_bundle(tmp_path: Path, demo_clip: Path) -> None:
    folder = make_bundle(tmp_path / "bundle")
    (folder / "face.onnx").write_bytes(b"not a graph")
    _refused(run("recognize", demo_clip, "--bundle", folder), "face.onnx", "wrong hash")
    outcome = run("bundle", "verify", folder)
    assert outcome.returncode == 2
    assert "face.onnx" in outcome.stderr
    assert "wrong hash" in outcome.stdout


def test_a_sound_bundle_verifies() -> None:
    outcome = run("bundle", "verify")
    assert outcome.returncode == 0, outcome.stderr
    assert "all as listed" in outcome.stdout


def test_show_prints_what_the_bundle_is() -> None:
    outcome = run("bundle", "show")
    assert outcome.returncode == 0, outcome.stderr
    for words in ("labels:", "trained on:", "licence:", "not for:"):
        assert words in outcome.stdout
    shown = json.loads(run("bundle", "show", "--json").stdout)
    assert shown["schema_version"] == 1
    assert len(shown["hash"]) == 64


def test_the_doctor_finds_this_machine_fit() -> None:
    outcome = run("doctor", "--json")
    assert outcome.returncode == 0, outcome.stderr
    findings = json.loads(outcome.stdout)
    for part in ("python", "kernels", "default bundle", "onnxruntime"):
        assert findings[part]["state"] == "there", findings[part]
    for finding in findings.values():
        assert finding["state"] != "missing" or finding["advice"], finding


def test_unknown_options_are_a_users_error() -> None:
    assert run("recognize", "--no-such-option").returncode == 2
    assert run("no-such-verb").returncode == 2


def commands(command: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Every command below one, by its name."""
    yield name, command
    for part, below in getattr(command, "commands", {}).items():
        yield from commands(below, f"{name} {part}".strip())


def test_help_of_every_verb_carries_a_complete_command() -> None:
    verbs = {n: c for n, c in commands(get_command(app)) if not hasattr(c, "commands")}
    assert len(verbs) > 15
    for name, command in verbs.items():
        told = " ".join(f"{command.help} {command.epilog or ''}".split())
        found = re.search(rf"A complete command: edge-ser {name}( .*)?$", told)
        assert found is not None, name
        # It parses: every option exists, nothing that is needed is missing.
        assert command.make_context(name, shlex.split(found[1] or "")) is not None
    assert "edge-ser demo --output" in run("demo", "--help").stdout


def test_the_version_is_the_packages() -> None:
    from edge_ser import __version__

    assert run("--version").stdout.strip() == f"edge-ser {__version__}"


def test_the_doctor_prints_whole_commands() -> None:
    findings = json.loads(run("doctor", "--json").stdout)
    shown = "".join(run("doctor").stdout.split())
    for finding in findings.values():
        if "[" in finding["advice"]:
            assert finding["advice"].split("[")[1].split("]")[0] in shown
            assert "[" in shown


def test_no_help_is_eaten_as_markup() -> None:
    texts = {
        f"{name} {parameter.name}": getattr(parameter, "help", None) or ""
        for name, command in commands(get_command(app))
        for parameter in command.params
    }
    assert len(texts) > 100
    assert [name for name, text in texts.items() if "[" in text] == []
