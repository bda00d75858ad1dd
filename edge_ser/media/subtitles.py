"""Subtitles as tools and people write them: SRT and WebVTT, also where they break their rules.

Read line by line: a line with two times begins a cue, whatever stands before it, so blank lines may
be missing between cues, stand inside them, or after every line. What is not said (names of the
speakers, ``[laughter]``, music) is left out; what rolls from cue to cue counts once.
"""

from __future__ import annotations

import html
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from edge_ser.constants import SAMPLE_RATE
from edge_ser.errors import MediaError
from edge_ser.media.transcript import Transcript, Word, spread

_CLOCK: Final = r"(?:(\d{1,6}):)?(\d{1,2}):(\d{1,2})(?:[.,](\d{1,3}))?"
_CUE_TIMES: Final = re.compile(rf"^\s*{_CLOCK}\s*-->\s*{_CLOCK}(?:\s.*)?$")
_INLINE_TIME: Final = re.compile(rf"<{_CLOCK}>")
_MARKUP: Final = re.compile(r"<[^>]*>|\{\\[^}]*\}")
_UNSPOKEN: Final = re.compile(r"\[[^\]]*\]|[♪♫♩♬](?:[^♪♫♩♬]*[♪♫♩♬])?|\((?:[^()]*)\)")
_HIDDEN_BLOCK: Final = re.compile(r"^(NOTE|STYLE|REGION)\b")

# Names before what a person says: SPEAKER_01, Speaker 2, >> and names in capitals always; others,
# one or two words with a capital each, where they begin more than one cue.
_CERTAIN_SPEAKER: Final = re.compile(
    r"^(?:>>+\s*|\[?SPEAKER[_ ]?\w*\]?:\s*|Speaker\s+\w+:\s*|[A-Z][A-Z0-9 .'_-]+:\s+)"
)
_LIKELY_SPEAKER: Final = re.compile(r"^([A-Z][\w'-]+(?: [A-Z][\w'-]+)?):\s+")
_DASH: Final = re.compile(r"^\s*[-–—]\s*")  # noqa: RUF001 - dashes are what is looked for

# A cue that comes this soon after another, with its words at the top, rolls on from it.
_ROLLS_WITHIN: Final = SAMPLE_RATE // 2


@dataclass(frozen=True)
class _Cue:
    start: int
    end: int
    lines: tuple[str, ...]


def parse_subtitles(path: Path, text: str) -> Transcript:
    """Read SRT or WebVTT.

    The words of a cue are spread over it by their length, unless the cue holds a time for each.

    Args:
        path: names the file in messages and notes.
        text: its content, with newlines alone between lines.

    Raises:
        MediaError: if no cue can be read, though the file is not empty.
    """
    cues, broken = _cues(text)
    if not cues and (broken or text.strip().removeprefix("WEBVTT").strip()):
        raise MediaError(f"{path} holds no subtitles: no line has times (00:00:01,000 --> ...)")
    speakers = _speakers(cues)
    words: list[Word] = []
    for cue in _unrolled(cues):
        words.extend(_words(cue, speakers))
    words.sort(key=lambda w: (w.start, w.end))
    notes = (f"{broken} cues of {path.name} have no usable times: left out",) if broken else ()
    return Transcript(" ".join(w.text for w in words), tuple(words), notes=notes)


def _cues(text: str) -> tuple[list[_Cue], int]:
    """Every cue whose times make sense, and how many others there are."""
    lines = text.split("\n")
    # Every second line blank: the file was spaced out by an editor.
    if len(lines) > 4 and not any(line.strip() for line in lines[1::2]):
        lines = lines[::2]
    web = text.lstrip().startswith("WEBVTT")
    cues: list[_Cue] = []
    body: list[str] = []
    times: tuple[int, int] | None = None
    broken, hidden = 0, web
    for line in [*lines, "00:00 --> 00:00"]:
        match = _CUE_TIMES.match(line)
        if match is None and "-->" in line:
            broken += 1
        if match is not None or "-->" in line:
            if times is not None:
                cues.append(_Cue(*times, tuple(_without_number(body))))
            body, hidden, times = [], False, None
            if match is not None:
                groups = match.groups()
                times = _clock(groups[:4]), _clock(groups[4:])
                if times[1] < times[0]:
                    broken, times = broken + 1, None
        elif web and not line.strip():
            hidden = False
            body.append(line)
        elif web and _HIDDEN_BLOCK.match(line) and (not body or not body[-1].strip()):
            hidden = True
        elif not hidden:
            body.append(line)
    return cues, broken


def _without_number(body: list[str]) -> list[str]:
    """Drop the number, or name, of the next cue that stands at the end of a cue's lines."""
    kept = list(body)
    while kept and not kept[-1].strip():
        kept.pop()
    if len(kept) > 1 and kept[-1].strip().isdigit():
        kept.pop()
    elif len(kept) == 1 and body and len(body) > 1 and not body[0].strip():
        # Nothing but the next number: the cue is empty.
        kept = [] if kept[-1].strip().isdigit() else kept
    return [line for line in kept if line.strip()]


def _clock(groups: tuple[str | None, ...]) -> int:
    hours, minutes, seconds, fraction = groups
    milliseconds = int((fraction or "0").ljust(3, "0"))
    whole = (int(hours or 0) * 60 + int(minutes or 0)) * 60 + int(seconds or 0)
    return (whole * 1000 + milliseconds) * SAMPLE_RATE // 1000


def _unrolled(cues: list[_Cue]) -> Iterator[_Cue]:
    """Leave out lines at the top of a cue that the cue before ended with, and still shows."""
    before: tuple[str, ...] = ()
    ended = -_ROLLS_WITHIN
    for cue in cues:
        plain = tuple(_plain(line) for line in cue.lines)
        repeated = 0
        if cue.start - ended < _ROLLS_WITHIN:
            for count in range(min(len(before), len(plain)), 0, -1):
                if before[-count:] == plain[:count]:
                    repeated = count
                    break
        yield _Cue(cue.start, cue.end, cue.lines[repeated:])
        before, ended = plain, cue.end


def _words(cue: _Cue, speakers: frozenset[str]) -> Iterator[Word]:
    """Give the words of a cue; times inside the cue divide it."""
    body = "\n".join(_spoken(line, speakers) for line in cue.lines)
    parts = _INLINE_TIME.split(body)
    marks = [_clock(tuple(parts[i : i + 4])) for i in range(1, len(parts), 5)]
    times = [cue.start, *(min(max(m, cue.start), cue.end) for m in marks), cue.end]
    for piece, begin, stop in zip(parts[::5], times[:-1], times[1:], strict=True):
        yield from spread(_plain(piece), begin, max(begin, stop))


def _plain(text: str) -> str:
    return html.unescape(_MARKUP.sub("", text)).strip()


def _spoken(line: str, speakers: frozenset[str]) -> str:
    """A line without what nobody says; times inside it stay."""
    said = _CERTAIN_SPEAKER.sub("", _DASH.sub("", html.unescape(line)).strip())
    said = _CERTAIN_SPEAKER.sub("", _UNSPOKEN.sub(" ", said).strip())
    likely = _LIKELY_SPEAKER.match(said)
    if likely is not None and likely[1] in speakers:
        said = said[likely.end() :]
    return _DASH.sub("", said)


def _speakers(cues: list[_Cue]) -> frozenset[str]:
    """Names that stand before what is said in more than one cue."""
    first = (_DASH.sub("", _plain(cue.lines[0])) for cue in cues if cue.lines)
    names = Counter(match[1] for line in first if (match := _LIKELY_SPEAKER.match(line)))
    return frozenset(name for name, count in names.items() if count > 1)
