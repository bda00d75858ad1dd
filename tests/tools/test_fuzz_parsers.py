"""Mutated files, the same each time, and every former finding: read or refused, nothing else."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_ser.errors import MediaError
from tools import fuzz_parsers
from tools.fuzz_parsers import Parser, parsers, read_one, run
from tools.mutations import mutated

FINDINGS = Path(__file__).parent.parent / "fixtures" / "fuzz_findings"
RUNS = {"media": 150, "words": 200}
USUAL_RUNS = 400
NAMES = ("manifest", "profile", "engine", "transcript", "srt", "vtt", "words", "media")


@pytest.fixture(scope="module")
def known() -> dict[str, Parser]:
    return {parser.name: parser for parser in parsers()}


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


def _draw(seed: int | str) -> random.Random:
    return random.Random(seed)  # noqa: S311 - the same each time, and nothing secret


@pytest.mark.parametrize("name", NAMES)
def test_mutated_files_are_read_or_refused(name: str, known: dict[str, Parser]) -> None:
    assert tuple(known) == NAMES
    runs = RUNS.get(name, USUAL_RUNS)
    assert run(known[name], runs, _draw(f"edge-ser {name}"), None) == []


@pytest.mark.parametrize("name", NAMES)
def test_the_seeds_themselves_are_read(name: str, known: dict[str, Parser], tmp_path: Path) -> None:
    for seed in known[name].seeds:
        path = tmp_path / (fuzz_parsers.file_name(known[name]))
        path.write_bytes(seed)
        known[name].read(path)


@pytest.mark.parametrize("file", sorted(p.name for p in FINDINGS.iterdir()))
def test_what_was_found_once_is_found_no_more(
    file: str, known: dict[str, Parser], tmp_path: Path
) -> None:
    parser = known[file.partition("-")[0]]
    assert read_one(parser, (FINDINGS / file).read_bytes(), tmp_path) is None


def test_a_fault_is_a_finding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(path: Path) -> None:
        if path.read_bytes()[:1] == b"{":
            raise MediaError("no")
        raise BaseException("panic")

    parser = Parser("p", [b"{}"], "p", fails, 1.0)
    assert read_one(parser, b"{", tmp_path) is None
    assert "panic" in str(read_one(parser, b"x", tmp_path))
    found = run(parser, 300, _draw(1), tmp_path)
    assert len(found) == 1
    assert [p for p in tmp_path.glob("p-*") if p.read_bytes()[:1] != b"{"]
    monkeypatch.setattr(fuzz_parsers, "LONGEST_SECONDS", 0.01)
    slow = Parser("p", [b""], "p", lambda _: time.sleep(0.05), 1.0)
    assert "it took" in str(read_one(slow, b"", tmp_path))


def test_the_same_seed_draws_the_same_inputs() -> None:
    seeds = [b'{"a": [1, 2.5, "x"]}', b"RIFF1234WAVE"]
    first, second = ([mutated(draw, seeds) for _ in range(300)] for draw in (_draw(5), _draw(5)))
    assert first == second
    assert len(set(first)) > 200
