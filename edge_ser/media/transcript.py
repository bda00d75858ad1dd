"""What is said in a clip: from the caller, or from a file beside the clip (txt, srt, vtt, json)."""

from __future__ import annotations

import html
import json
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from edge_ser.constants import SAMPLE_RATE
from edge_ser.errors import MediaError

# The words of a day fit many times; a larger file is something else.
_LARGEST_FILE = 16 * 1024 * 1024

# Times beyond thirty years are damage.
_LONGEST_SECONDS = 1e9


@dataclass(frozen=True)
class Word:
    """One word and when it is said, in 16 kHz samples since the clip's start."""

    text: str
    start: int
    end: int


@dataclass(frozen=True)
class Transcript:
    """Words said in a clip or a stretch of sound."""

    text: str
    words: tuple[Word, ...] = ()
    """The words with their times, in order; empty when the times are not known."""
    language: str | None = None
    """Language code, such as ``en``; None when it is not known."""
    origin: str | None = None
    """Where the words came from, for people; None when the caller gave them."""


def find_sidecar(clip: str | os.PathLike[str]) -> Path | None:
    """Give the transcript beside a clip: its name ending in .srt, .vtt, .txt or .json.

    The first of these that exists counts. A JSON file that holds no transcript is somebody else's.
    """
    path = Path(clip)
    if not path.name:
        return None
    for suffix, read in _READERS.items():
        candidate = path.with_suffix(suffix)
        if candidate == path or not candidate.is_file():
            continue
        if read is not _read_json or _holds_transcript(candidate):
            return candidate
    return None


def read_transcript(path: str | os.PathLike[str]) -> Transcript:
    """Read a transcript file; its ending says which form it has.

    - ``.txt``: the words, without times.
    - ``.srt``, ``.vtt``: subtitles; the words of a cue are spread over it by their length, unless
      the cue holds a time for each.
    - ``.json``: ``{"words": [{"word": str, "start": seconds, "end": seconds}, ...]}``,
      ``{"segments": [{"text": str, "start": seconds, "end": seconds}, ...]}`` (a segment may hold
      `words`), or ``{"text": str}``; ``language`` is optional.

    Raises:
        MediaError: if the file is missing, too large, not UTF-8 (the message names the byte), or
            not what its ending says.
    """
    source = Path(path)
    read = _READERS.get(source.suffix.lower())
    if read is None:
        raise MediaError(
            f"{source} is not a transcript: its name must end in {', '.join(_READERS)}"
        )
    return read(source, _text(source))


def _text(path: Path) -> str:
    try:
        size = path.stat().st_size
        if size > _LARGEST_FILE:
            raise MediaError(f"{path} has {size} bytes: too large for a transcript")
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise MediaError(f"no such transcript: {path}") from error
    except OSError as error:
        raise MediaError(f"{path} cannot be read: {error.strerror or error}") from error
    try:
        return data.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
    except UnicodeDecodeError as error:
        # The decoder that drops the mark at the start counts from behind it.
        offset = error.start + (3 if data.startswith(b"\xef\xbb\xbf") else 0)
        hint = " (it begins like UTF-16)" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else ""
        raise MediaError(
            f"{path} is not UTF-8{hint}: byte {offset} is 0x{data[offset]:02x}; save it as UTF-8"
        ) from error


def _read_txt(path: Path, text: str) -> Transcript:
    del path
    return Transcript(" ".join(text.split()))


_CLOCK = r"(?:(\d+):)?(\d{1,2}):(\d{1,2})[.,](\d{1,3})"
_CUE_TIMES = re.compile(rf"^\s*{_CLOCK}\s*-->\s*{_CLOCK}(?:\s.*)?$")
_INLINE_TIME = re.compile(rf"<{_CLOCK}>")
_MARKUP = re.compile(r"<[^>]*>|\{\\[^}]*\}")


def _read_subtitles(path: Path, text: str) -> Transcript:
    words: list[Word] = []
    for block in re.split(r"\n[ \t]*\n", text):
        lines = block.split("\n")
        found = next(((i, m) for i, x in enumerate(lines) if (m := _CUE_TIMES.match(x))), None)
        if found is None:
            if any("-->" in line for line in lines):
                raise MediaError(f"{path} holds a cue whose times cannot be read: {block[:60]!r}")
            # Headers, notes, styles and empty blocks have no times.
            continue
        index, match = found
        groups = match.groups()
        start, end = _clock(groups[:4]), _clock(groups[4:])
        if end < start:
            raise MediaError(f"{path} holds a cue that ends before it starts: {lines[index]!r}")
        words.extend(_cue_words("\n".join(lines[index + 1 :]), start, end))
    if not words and "-->" not in text and text.strip().removeprefix("WEBVTT"):
        raise MediaError(f"{path} holds no subtitles: no line has times (00:00:01,000 --> ...)")
    words.sort(key=lambda w: (w.start, w.end))
    return Transcript(" ".join(w.text for w in words), tuple(words))


def _clock(groups: tuple[str | None, ...]) -> int:
    hours, minutes, seconds, fraction = groups
    milliseconds = int((fraction or "0").ljust(3, "0"))
    whole = (int(hours or 0) * 60 + int(minutes or 0)) * 60 + int(seconds or 0)
    return (whole * 1000 + milliseconds) * SAMPLE_RATE // 1000


def _cue_words(body: str, start: int, end: int) -> Iterator[Word]:
    """Give the words of a cue; times inside the cue divide it."""
    parts = _INLINE_TIME.split(body)
    marks = [_clock(tuple(parts[i : i + 4])) for i in range(1, len(parts), 5)]
    times = [start, *(min(max(m, start), end) for m in marks), end]
    for piece, begin, stop in zip(parts[::5], times[:-1], times[1:], strict=True):
        yield from spread(html.unescape(_MARKUP.sub("", piece)), begin, max(begin, stop))


def spread(text: str, start: int, end: int) -> Iterator[Word]:
    """Give the words of `text` with times that share [start, end) by the words' lengths."""
    pieces = text.split()
    total = sum(len(p) + 1 for p in pieces)
    done = 0
    for piece in pieces:
        begin = start + (end - start) * done // total
        done += len(piece) + 1
        yield Word(piece, begin, start + (end - start) * done // total)


def _read_json(path: Path, text: str) -> Transcript:
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise MediaError(f"{path} is not JSON: {error}") from error
    if not _is_transcript(content):
        raise MediaError(f'{path} holds no transcript: it needs "words", "segments" or "text"')
    language = content.get("language")
    words = sorted(_json_words(path, content), key=lambda w: (w.start, w.end))
    whole = content.get("text")
    said = whole if isinstance(whole, str) else " ".join(w.text for w in words)
    return Transcript(
        " ".join(said.split()), tuple(words), language if isinstance(language, str) else None
    )


def _json_words(path: Path, content: dict[str, Any]) -> Iterator[Word]:
    if content.get("words"):
        yield from _timed_words(path, content["words"], "words")
        return
    for i, segment in enumerate(_list(path, content.get("segments") or [], "segments")):
        if isinstance(segment, dict) and segment.get("words"):
            yield from _timed_words(path, segment["words"], f"segments[{i}].words")
        else:
            said, start, end = _timed(path, segment, f"segments[{i}]")
            yield from spread(said, start, end)


def _timed_words(path: Path, entries: Any, where: str) -> Iterator[Word]:
    for i, entry in enumerate(_list(path, entries, where)):
        said, start, end = _timed(path, entry, f"{where}[{i}]")
        yield from spread(said, start, end)


def _list(path: Path, value: Any, where: str) -> list[Any]:
    if not isinstance(value, list):
        raise MediaError(f"{path}: {where} must be a list")
    return value


def _timed(path: Path, entry: Any, where: str) -> tuple[str, int, int]:
    if not isinstance(entry, dict):
        raise MediaError(f"{path}: {where} must be an object with text, start and end")
    said = entry.get("word", entry.get("text"))
    start, end = (_samples(path, f"{where}.{name}", entry.get(name)) for name in ("start", "end"))
    if not isinstance(said, str):
        raise MediaError(f'{path}: {where} has no "word" or "text"')
    if end < start:
        raise MediaError(f"{path}: {where} ends before it starts")
    return said, start, end


def _samples(path: Path, where: str, value: Any) -> int:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not (number and 0 <= value <= _LONGEST_SECONDS):
        raise MediaError(f"{path}: {where} must be a time in seconds, not {value!r}")
    seconds: float = value
    return round(seconds * SAMPLE_RATE)


def _is_transcript(content: Any) -> bool:
    if not isinstance(content, dict):
        return False
    return isinstance(content.get("text"), str) or any(
        isinstance(content.get(k), list) for k in ("words", "segments")
    )


def _holds_transcript(path: Path) -> bool:
    try:
        return _is_transcript(json.loads(_text(path)))
    except (MediaError, ValueError, RecursionError):
        return False


_READERS: Final[dict[str, Callable[[Path, str], Transcript]]] = {
    ".srt": _read_subtitles,
    ".vtt": _read_subtitles,
    ".txt": _read_txt,
    ".json": _read_json,
}
