"""What speech recognisers write as JSON: one table of forms, one way to read words and times.

Known: Whisper and everything that writes as it does (whisperX, faster-whisper, also as a bare list
or as JSON lines), whisper.cpp, Amazon Transcribe, Google Speech-to-Text, Deepgram, AssemblyAI,
Azure, Vosk, and plain lists of words. Words without times get theirs from their neighbours or from
the segment; where no time is known the plain text is used.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from edge_ser.constants import SAMPLE_RATE
from edge_ser.errors import MediaError
from edge_ser.media.transcript import Transcript, Word, spread

# Times beyond thirty years are damage.
_LONGEST_SECONDS: Final = 1e9

# No word and no segment lasts longer, in the median: such numbers are milliseconds.
_LONGEST_USUAL_SECONDS: Final = 60.0

_CLOCK: Final = re.compile(r"^(?:(\d{1,6}):)?(\d{1,2}):(\d{1,2})[.,](\d{1,3})$")
_TICKS_A_SECOND: Final = 10_000_000  # of Azure, 100 ns each
_WORD: Final = ("punctuated_word", "word", "text", "transcript", "content", "display", "value")
_START: Final = ("start", "startTime", "start_time", "startOffset", "start_offset", "from", "ts")
_END: Final = ("end", "endTime", "end_time", "endOffset", "end_offset", "to", "end_ts")


@dataclass
class _Said:
    """A word or a segment; times in seconds, None where they are not known."""

    text: str
    start: float | None
    end: float | None
    words: list[_Said] = field(default_factory=list)


class _Reading:
    """One file while it is read: what is unusable is counted."""

    def __init__(self) -> None:
        self.unusable = 0
        self.language: str | None = None
        self.text: str | None = None

    def said(self, entries: Any) -> list[_Said]:
        """Words or segments out of a list of objects, of [start, end, text], or of texts."""
        if not isinstance(entries, list):
            self.unusable += 1
            return []
        found = [self._one(entry) for entry in entries]
        self.unusable += sum(entry is None for entry in found)
        return [entry for entry in found if entry is not None]

    def _one(self, entry: Any) -> _Said | None:
        if isinstance(entry, str):
            return _Said(entry, None, None)
        if isinstance(entry, list) and len(entry) == 3:
            text = next((x for x in entry if isinstance(x, str)), None)
            times = [_seconds(x) for x in entry if not isinstance(x, str)]
            return None if text is None else _Said(text, *_ordered(*[*times, None, None][:2]))
        if not isinstance(entry, dict):
            return None
        if entry.get("type") == "punctuation":
            return _Said(_first(entry, _WORD, _alternative(entry)) or "", None, None)
        text = _first(entry, _WORD, _alternative(entry))
        if text is None:
            return None
        inner = entry.get("words")
        said = _Said(text, *_times(entry), self.said(inner) if isinstance(inner, list) else [])
        has_times = any(key in entry for key in (*_START, *_END))
        if has_times and said.start is None and not said.words:
            self.unusable += 1
        return said


def parse_json(path: Path, text: str) -> Transcript:
    """Read a transcript of any form in the module's list.

    Args:
        path: names the file in messages and notes.
        text: its content.

    Raises:
        MediaError: if it is not JSON, or of a form that is not known.
    """
    reading = _Reading()
    try:
        content = _loaded(text)
        segments = _segments(content, reading)
    except RecursionError as error:
        raise MediaError(f"{path} is not JSON: it is nested too deeply") from error
    except ValueError as error:
        raise MediaError(f"{path} is not JSON: {error}") from error
    if not segments and reading.text is None:
        raise MediaError(
            f"{path} holds no transcript that is understood: it needs "
            '"words", "segments", "text", or what a known speech recogniser writes'
        )
    words = [word for segment in _in_seconds(segments) for word in _timed(segment)]
    words.sort(key=lambda w: (w.start, w.end))
    said = reading.text
    if said is None:
        said = " ".join(s.text for s in segments) if not words else " ".join(w.text for w in words)
    notes = (
        (f"{reading.unusable} entries of {path.name} are unusable: left out",)
        if reading.unusable
        else ()
    )
    return Transcript(" ".join(said.split()), tuple(words), reading.language, notes=notes)


def _loaded(text: str) -> Any:
    """The content of JSON, or of JSON lines."""
    try:
        return json.loads(text)
    except ValueError:
        lines = [line for line in text.splitlines() if line.strip()]
        with suppress(ValueError):
            if len(lines) > 1:
                return [json.loads(line) for line in lines]
        raise


def _segments(content: Any, reading: _Reading) -> list[_Said]:
    """Segments (words stand inside them, or are segments of their own) of whatever form."""
    if isinstance(content, list):
        # JSON lines, or a bare list; each entry may be a whole answer of its own.
        if content and all(isinstance(x, dict) and _is_answer(x) for x in content):
            texts, segments = [], []
            for part in content:
                segments += _segments(part, reading)
                texts.append(reading.text or "")
                reading.text = None
            reading.text = " ".join(texts) if any(texts) and not segments else None
            return segments
        usable = reading.said(content)
        return usable if usable else []
    if not isinstance(content, dict):
        return []
    reading.language = _language(content) or reading.language
    found = (content.get(key) for key in ("results", "transcription", "chunks", "result"))
    results = next((r for r in found if r), None)
    if isinstance(content.get("text"), str):
        reading.text = content["text"]
    if isinstance(results, dict) and ("items" in results or "transcripts" in results):  # Amazon
        whole = [_first(t, _WORD) or "" for t in _objects(results.get("transcripts"))]
        reading.text = " ".join(whole) or reading.text
        return [s for s in reading.said(results.get("items", [])) if s.start is not None]
    if isinstance(results, dict) and "channels" in results:  # Deepgram
        results = results["channels"]
    if isinstance(results, list) and any("alternatives" in x for x in _objects(results)):
        segments = []
        for part in _objects(results):  # Deepgram, Google
            reading.language = _language(part) or reading.language
            best = next(iter(_objects(part.get("alternatives"))), {})
            segments += _answer(best, reading)
        return segments
    if isinstance(results, list):  # whisper.cpp, Vosk
        return reading.said(results)
    phrases = content.get("recognizedPhrases")
    if isinstance(phrases, list):  # Azure
        return [s for p in _objects(phrases) for s in _answer({**p, **_best(p)}, reading)]
    return _answer(content, reading)


def _answer(answer: dict[str, Any], reading: _Reading) -> list[_Said]:
    """Words, else segments, else the text alone, of one answer."""
    for key in ("words", "segments", "word_segments", "utterances"):
        entries = answer.get(key)
        if entries is None or (entries == [] and key != "segments"):
            continue
        found = reading.said(entries)
        if found:
            return found
    text = _first(answer, ("transcript", "text", "display"))
    if text is None:
        return []
    start, end = _times(answer)
    if start is None and isinstance(answer.get("text"), str):
        return []  # the caller has it as the whole text
    return [_Said(text, start, end)]


def _is_answer(entry: dict[str, Any]) -> bool:
    """Whether an object is a whole answer and not one word or one segment."""
    return "result" in entry or ("text" in entry and not _has_times(entry))


def _has_times(entry: dict[str, Any]) -> bool:
    return any(key in entry for key in (*_START, "offsets", "timestamps", "offsetInTicks"))


def _objects(entries: Any) -> list[dict[str, Any]]:
    return [e for e in entries if isinstance(e, dict)] if isinstance(entries, list) else []


def _alternative(entry: dict[str, Any]) -> dict[str, Any]:
    return next(iter(_objects(entry.get("alternatives"))), {})


def _best(phrase: dict[str, Any]) -> dict[str, Any]:
    return next(iter(_objects(phrase.get("nBest"))), {})


def _first(entry: dict[str, Any], keys: tuple[str, ...], *more: dict[str, Any]) -> str | None:
    for source in (entry, *more):
        for key in keys:
            if isinstance(source.get(key), str):
                found: str = source[key]
                return found
    return None


def _language(content: dict[str, Any]) -> str | None:
    nested = content.get("result")
    for source in (content, nested if isinstance(nested, dict) else {}):
        for key in ("language", "language_code", "languageCode", "detected_language", "locale"):
            if isinstance(source.get(key), str):
                return str(source[key])
    return None


def _times(entry: dict[str, Any]) -> tuple[float | None, float | None]:
    offsets = entry.get("offsets")
    if isinstance(offsets, dict):  # whisper.cpp, in milliseconds
        pair = (_seconds(offsets.get("from")), _seconds(offsets.get("to")))
        return _ordered(*(None if t is None else t / 1000 for t in pair))
    if isinstance(entry.get("timestamps"), dict):
        return _times(entry["timestamps"])
    if isinstance(entry.get("timestamp"), list) and len(entry["timestamp"]) == 2:  # transformers
        return _ordered(*(_seconds(t) for t in entry["timestamp"]))
    ticks = (_seconds(entry.get("offsetInTicks")), _seconds(entry.get("durationInTicks")))
    if ticks[0] is not None and ticks[1] is not None:
        return _ordered(ticks[0] / _TICKS_A_SECOND, (ticks[0] + ticks[1]) / _TICKS_A_SECOND)
    start = next((_seconds(entry[key]) for key in _START if key in entry), None)
    end = next((_seconds(entry[key]) for key in _END if key in entry), None)
    return _ordered(start, end)


def _ordered(start: float | None, end: float | None) -> tuple[float | None, float | None]:
    """Both times or none: a word that ends before it starts has no time."""
    if start is None or end is None or end < start:
        return None, None
    return start, end


def _seconds(value: Any) -> float | None:
    """A number, a text such as ``1.4``, ``1.4s`` or ``00:00:01,400``, or {seconds, nanos}."""
    if isinstance(value, dict):
        whole, nanos = _seconds(value.get("seconds", 0)), _seconds(value.get("nanos", 0))
        return None if whole is None or nanos is None else whole + nanos / 1e9
    if isinstance(value, str):
        clock = _CLOCK.match(value.strip())
        if clock is not None:
            hours, minutes, seconds, fraction = clock.groups()
            whole_seconds = (int(hours or 0) * 60 + int(minutes)) * 60 + int(seconds)
            return whole_seconds + int(fraction.ljust(3, "0")) / 1000
        try:
            value = float(value.strip().removesuffix("s"))
        except ValueError:
            return None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    # A whole number may be too large for a float.
    return float(value) if 0 <= value <= _LONGEST_SECONDS else None


def _in_seconds(segments: list[_Said]) -> list[_Said]:
    """Divide all times by 1000 where they are whole numbers too large for seconds."""
    flat = [s for segment in segments for s in (segment, *segment.words)]
    lengths = sorted(s.end - s.start for s in flat if s.start is not None and s.end is not None)
    whole = all(t is None or t.is_integer() for s in flat for t in (s.start, s.end))
    if not lengths or not whole or lengths[len(lengths) // 2] <= _LONGEST_USUAL_SECONDS:
        return segments
    for said in flat:
        said.start = None if said.start is None else said.start / 1000
        said.end = None if said.end is None else said.end / 1000
    return segments


def _timed(segment: _Said) -> Iterator[Word]:
    """Words with times in samples; those without share the time between their neighbours."""
    words = segment.words if any(w.start is not None for w in segment.words) else []
    if not words:
        if segment.start is not None and segment.end is not None:
            yield from spread(segment.text, _samples(segment.start), _samples(segment.end))
        return
    begin = segment.start if segment.start is not None else 0.0
    ends = [w.end for w in words if w.end is not None]
    last = segment.end if segment.end is not None else max(ends)
    at, waiting = begin, list[str]()
    for word in [*words, _Said("", last, last)]:
        if word.start is None or word.end is None:
            waiting.append(word.text)
            continue
        yield from spread(" ".join(waiting), _samples(at), _samples(max(at, word.start)))
        yield from spread(word.text, _samples(word.start), _samples(word.end))
        at, waiting = word.end, []


def _samples(seconds: float) -> int:
    return round(seconds * SAMPLE_RATE)
