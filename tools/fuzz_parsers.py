"""Feeds mutated files to everything that reads a stranger's file.

    python -m tools.fuzz_parsers                      # 1,000,000 inputs, a seed of its own
    python -m tools.fuzz_parsers --runs 20000 --seed 7 --only media --only transcript
    python -m tools.fuzz_parsers --seconds 60 --coverage manifest   # guided by coverage: atheris

An input may be refused with an `EdgeSerError`. Anything else that is raised is a finding, and so
is an input that takes longer than ten seconds or ends the process: the input that was read then
lies in the folder of findings. Copy it to tests/fixtures/fuzz_findings, where it is a test.
"""

from __future__ import annotations

import argparse
import contextlib
import faulthandler
import gc
import hashlib
import itertools
import json
import logging
import os
import random
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FunctionType
from typing import Any, Final

from edge_ser.errors import EdgeSerError
from tools.mutations import mutated

LONGEST_SECONDS: Final = 10.0
_AS_WRITTEN: Final = argparse.RawTextHelpFormatter


@dataclass(frozen=True)
class Parser:
    """Something that reads a file.

    Attributes:
        name: how it is chosen.
        seeds: whole files that it understands.
        ending: the file's name; an engine has one of its own.
        read: reads the file.
        share: of all runs.
    """

    name: str
    seeds: Sequence[bytes]
    ending: str
    read: Callable[[Path], Any]
    share: float


def parsers() -> list[Parser]:
    """All of them, with seeds that are made on the spot."""
    import tools.fuzz_seeds as made

    return [
        Parser("manifest", made.manifests(), "bundle.json", _manifest, 0.2),
        Parser("profile", made.profiles(), "a.profile", _profile, 0.1),
        Parser("engine", made.engines(), ".engine", _engine, 0.1),
        Parser("transcript", made.transcripts(), "a.json", _transcript, 0.25),
        Parser("srt", made.subtitles(), "a.srt", _transcript, 0.12),
        Parser("vtt", made.subtitles(), "a.vtt", _transcript, 0.12),
        Parser("words", made.words(), "a.txt", _words, 0.06),
        Parser("media", made.media(), "a.bin", _media, 0.05),
    ]


def _manifest(path: Path) -> None:
    from edge_ser.bundles.loading import read_manifest
    from edge_ser.frontends.audio import AudioFrontend

    AudioFrontend(read_manifest(path.parent).manifest.frontend.audio)


def _profile(path: Path) -> None:
    from edge_ser.speaker.profile import Profile

    repr(Profile.load(path).statistics.deviation)


def _engine(path: Path) -> None:
    from edge_ser.runtime.engine_cache import EngineCache
    from tools.fuzz_seeds import ENGINE

    for record in filter(None, [EngineCache(path.parent).find(ENGINE)]):
        json.dumps([record.size, record.created])
    EngineCache(path.parent).load(ENGINE)


def _transcript(path: Path) -> None:
    from edge_ser.media.transcript import read_transcript

    found = read_transcript(path)
    repr(found)
    repr(found.words[:5])
    found.outside(16000)


def _words(path: Path) -> None:
    from edge_ser.media.transcript import read_transcript
    from tools.fuzz_seeds import text_frontend

    text_frontend()(read_transcript(path).text)


def _media(path: Path) -> None:
    from edge_ser.media.media import open_clip

    with open_clip(path) as clip:
        for segment in itertools.islice(clip.segments(1.0, 5.0), 30):
            for frame in segment.frames:
                frame.image.mean()
        repr((clip.warnings, clip.channel_notes, clip.absent))


def file_name(parser: Parser) -> str:
    """What a parser's file is called."""
    from tools.fuzz_seeds import ENGINE_NAME

    return ENGINE_NAME if parser.name == "engine" else parser.ending


def read_one(parser: Parser, data: bytes, folder: Path) -> str | None:
    """Let a parser read an input; what was wrong, or None where it was read or refused."""
    path = folder / file_name(parser)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with contextlib.closing(os.fdopen(handle, "wb")) as file:
        file.write(data)
    started = time.monotonic()
    try:
        parser.read(path)
    except EdgeSerError as error:
        if not str(error):
            return "an error without a message"
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException:
        return traceback.format_exc(limit=-4)
    taken = time.monotonic() - started
    return f"it took {taken:.1f} s" if taken > LONGEST_SECONDS else None


def run(parser: Parser, runs: int, draw: random.Random, keep: Path | None) -> list[str]:
    """Read so many mutated inputs; what was wrong with those that are findings.

    Args:
        parser: what reads them.
        runs: how many.
        draw: what is mutated how.
        keep: folder for findings, and for the input that is being read; None keeps nothing.
    """
    found: dict[str, str] = {}
    with tempfile.TemporaryDirectory(prefix="edge-ser-fuzz-") as name:
        folder = Path(name) if keep is None else keep / f"reading-{parser.name}"
        folder.mkdir(parents=True, exist_ok=True)
        armed = 0.0
        for _ in range(runs):
            data = mutated(draw, parser.seeds)
            if keep is not None and time.monotonic() > armed + 1:
                # A decoder that never ends ends the process; its input is left in the folder.
                faulthandler.dump_traceback_later(3 * LONGEST_SECONDS, exit=True)
                armed = time.monotonic()
            why = read_one(parser, data, folder)
            if why is not None and why[-200:] not in found:
                found[why[-200:]] = f"{parser.name}: {why}"
                if keep is not None:
                    digest = hashlib.sha256(data).hexdigest()[:12]
                    (keep / f"{parser.name}-{digest}").write_bytes(data)
    faulthandler.cancel_dump_traceback_later()
    return list(found.values())


def guided(parser: Parser, seconds: int, keep: Path) -> None:
    """Search with atheris (libFuzzer), which looks for inputs that reach new code."""
    import atheris

    corpus, folder = keep / f"corpus-{parser.name}", keep / f"reading-{parser.name}"
    for place in (corpus, folder):
        place.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(parser.seeds):
        (corpus / f"seed-{number}").write_bytes(seed)

    def one(data: bytes) -> None:
        why = read_one(parser, data, folder)
        if why is not None:
            raise AssertionError(why)

    options = [f"-max_total_time={seconds}", "-max_len=100000", f"-timeout={LONGEST_SECONDS:.0f}"]
    options.append(f"-artifact_prefix={keep}/{parser.name}-")
    atheris.Setup([sys.argv[0], *options, str(corpus)], one)
    atheris.Fuzz()


def main() -> int:
    """Run from the command line; exit code 1 where something was found."""
    parse = argparse.ArgumentParser(description=__doc__, formatter_class=_AS_WRITTEN)
    parse.add_argument("--runs", type=int, default=1_000_000, help="inputs in all")
    parse.add_argument("--seed", type=int, default=None, help="the same seed draws the same inputs")
    parse.add_argument("--only", action="append", default=[], help="a parser; may be given again")
    parse.add_argument("--coverage", default=None, help="a parser to be searched with atheris")
    parse.add_argument("--seconds", type=int, default=60, help="of the search with atheris")
    parse.add_argument("--findings", type=Path, default=Path("build/fuzz/parsers"))
    given = parse.parse_args()
    logging.disable(logging.CRITICAL)
    given.findings.mkdir(parents=True, exist_ok=True)
    if given.coverage:
        import atheris

        (chosen,) = (p for p in parsers() if p.name == given.coverage)
        for seed in chosen.seeds:  # what is imported late is instrumented, too
            read_one(chosen, seed, given.findings)
        for function in [f for f in gc.get_objects() if isinstance(f, FunctionType)]:
            if (function.__module__ or "").startswith("edge_ser."):
                atheris.instrument_func(function)
        guided(chosen, given.seconds, given.findings)
        return 0
    seed = random.SystemRandom().randrange(2**32) if given.seed is None else given.seed
    chosen = [p for p in parsers() if not given.only or p.name in given.only]
    whole, wrong = sum(p.share for p in chosen), 0
    print(f"seed {seed}", flush=True)
    for parser in chosen:
        runs, started = round(given.runs * parser.share / whole), time.monotonic()
        draw = random.Random(f"{seed} {parser.name}")  # noqa: S311 - nothing secret
        found = run(parser, runs, draw, given.findings)
        wrong += len(found)
        seconds = time.monotonic() - started
        print(
            f"{parser.name}: {runs:,} inputs in {seconds:.0f} s, {len(found)} findings", flush=True
        )
        for text in found:
            print(text, flush=True)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
