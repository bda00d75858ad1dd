"""What is said in a clip: from the caller, or from a file beside the clip (txt, srt, vtt, json)."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, TypeAlias

from edge_ser.constants import SAMPLE_RATE
from edge_ser.errors import MediaError
from edge_ser.files import address_advice

# The words of a day fit many times; a larger file is something else.
_LARGEST_FILE = 16 * 1024 * 1024


@dataclass(frozen=True)
class Word:
    """One word and when it is said, in 16 kHz samples since the clip's start."""

    text: str
    start: int
    end: int

    def __repr__(self) -> str:
        span = f"{self.start / SAMPLE_RATE:.2f} to {self.end / SAMPLE_RATE:.2f} s"
        return f"<Word {self.text!r} {span}>"

    @property
    def middle(self) -> int:
        """The moment that decides which window the word belongs to."""
        return (self.start + self.end) // 2


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
    notes: tuple[str, ...] = ()
    """What was left out of the file that the words came from, for people."""

    def __repr__(self) -> str:
        seconds = f" over {self.words[-1].end / SAMPLE_RATE:.1f} s" if self.words else ""
        language = f", {self.language}" if self.language else ""
        said = self.text if len(self.text) <= 40 else self.text[:37] + "..."
        return f"<Transcript {said!r}: {len(self.text.split())} words{seconds}{language}>"

    def outside(self, end: int) -> tuple[str, ...]:
        """Say how many words lie behind the `end` of a clip, in samples; nothing if none do."""
        count = sum(not 0 <= word.middle < end for word in self.words)
        if not count:
            return ()
        return (
            f"{count} of {len(self.words)} words lie behind the end of the clip and are left out: "
            "is the transcript another clip's?",
        )


TranscriptInput: TypeAlias = "str | os.PathLike[str] | Transcript"
"""Words, the file that holds them, or a `Transcript`."""


def find_sidecar(clip: str | os.PathLike[str]) -> Path | None:
    """Give the transcript beside a clip: its name ending in .srt, .vtt, .txt or .json.

    The first of these that exists counts, in small letters or capitals. A JSON file that holds no
    transcript is somebody else's; an empty file, and the one that this process prints to, is no
    transcript yet (``edge-ser recognize a.wav | tee a.txt``).
    """
    for candidate in _sidecars(clip):
        if candidate.suffix.lower() != ".json" or _understood(candidate):
            return candidate
    return None


def sidecar_transcript(clip: str | os.PathLike[str]) -> Transcript | None:
    """Read the transcript beside a clip; None if there is no file that could be one.

    A JSON file that was seen and not understood is named in the notes of a transcript without
    words.

    Raises:
        MediaError: if a text or subtitle file cannot be read.
    """
    found = find_sidecar(clip)
    if found is not None:
        return replace(read_transcript(found), origin=f"words from the file {found.name}")
    unknown = [f"{path.name} was seen and not understood" for path in _sidecars(clip)]
    return Transcript("", notes=tuple(unknown)) if unknown else None


def given_transcript(given: TranscriptInput) -> Transcript:
    """What a caller gave as the words of a clip: words, or the file that holds them.

    A path, ``@`` before a name, and a text that is the name of an existing file are read as files:
    a file's name is never taken for words, nor is an address.

    Raises:
        MediaError: if the file is no transcript.
    """
    if isinstance(given, Transcript):
        return given
    if isinstance(given, os.PathLike):
        return read_transcript(given)
    if not isinstance(given, str):
        raise MediaError(
            f"a transcript is a text, a file or a Transcript, not {type(given).__name__}"
        )
    if given.startswith("@"):
        return read_transcript(given[1:])
    named = _names_a_file(given) or address_advice(given) is not None
    return read_transcript(given) if named else Transcript(given)


def read_transcript(path: str | os.PathLike[str]) -> Transcript:
    """Read a transcript file; its ending says which form it has.

    - ``.txt``: the words, without times.
    - ``.srt``, ``.vtt``: subtitles, see `edge_ser.media.subtitles`.
    - ``.json``: what speech recognisers write, see `edge_ser.media.transcript_json`.

    What is unusable in it is left out, and counted in `Transcript.notes`.

    Raises:
        MediaError: if the file is missing, too large, not UTF-8 (the message names the byte), or
            holds nothing of what its ending says.
    """
    if advice := address_advice(path):
        raise MediaError(advice)
    source = Path(path)
    read = _READERS.get(source.suffix.lower())
    if read is None:
        raise MediaError(
            f"{source} is not a transcript: its name must end in {', '.join(_READERS)}"
        )
    return read(source, _text(source))


def spread(text: str, start: int, end: int) -> Iterator[Word]:
    """Give the words of `text` with times that share [start, end) by the words' lengths."""
    pieces = text.split()
    total = sum(len(p) + 1 for p in pieces)
    done = 0
    for piece in pieces:
        begin = start + (end - start) * done // total
        done += len(piece) + 1
        yield Word(piece, begin, start + (end - start) * done // total)


def _sidecars(clip: str | os.PathLike[str]) -> Iterator[Path]:
    path = Path(clip)
    if not path.name:
        return
    for suffix in _READERS:
        for ending in (suffix, suffix.upper()):
            candidate = path.with_suffix(ending)
            if _holds_something(candidate) and not _same_file(candidate, path):
                yield candidate
                break


def _same_file(one: Path, other: Path) -> bool:
    return one == other or (one.exists() and other.exists() and one.samefile(other))


def _holds_something(path: Path) -> bool:
    """Whether it is a file that is not empty, and not what this process prints to."""
    try:
        found = path.stat()
    except (OSError, ValueError):
        return False
    if not stat.S_ISREG(found.st_mode) or not found.st_size:
        return False
    for output in (1, 2):
        with suppress(OSError):  # closed: nothing is printed
            if os.path.samestat(found, os.fstat(output)):
                return False
    return True


def _names_a_file(text: str) -> bool:
    try:
        return Path(text).is_file()
    except (OSError, ValueError):  # too long for a name, or a zero byte: a text
        return False


def _text(path: Path) -> str:
    try:
        size = path.stat().st_size
        if size > _LARGEST_FILE:
            raise MediaError(f"{path} has {size} bytes: too large for a transcript")
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise MediaError(f"no such transcript: {path}") from error
    except (OSError, ValueError) as error:
        raise MediaError(
            f"{path} cannot be read: {getattr(error, 'strerror', None) or error}"
        ) from error
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


def _read_subtitles(path: Path, text: str) -> Transcript:
    from edge_ser.media.subtitles import parse_subtitles

    return parse_subtitles(path, text)


def _read_json(path: Path, text: str) -> Transcript:
    from edge_ser.media.transcript_json import parse_json

    return parse_json(path, text)


def _understood(path: Path) -> bool:
    try:
        read_transcript(path)
    except MediaError:
        return False
    return True


_READERS: Final[dict[str, Callable[[Path, str], Transcript]]] = {
    ".srt": _read_subtitles,
    ".vtt": _read_subtitles,
    ".txt": _read_txt,
    ".json": _read_json,
}
TRANSCRIPT_SUFFIXES: Final = tuple(_READERS)
