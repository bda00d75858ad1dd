"""One clip to rows: a row a window and channel, or one that says why there is none."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

from edge_ser.constants import MODALITIES, SAMPLE_RATE
from edge_ser.errors import BundleError, ConfigError, EngineError, MediaError
from edge_ser.media.channels import Channel
from edge_ser.media.clip_input import ClipInput, channel_count
from edge_ser.media.transcript import Transcript
from edge_ser.recognizer import EdgeRecognizer
from edge_ser.result import Decision
from edge_ser.score.clips import ClipToScore
from edge_ser.score.piece import read_piece

Row: TypeAlias = dict[str, Any]
"""A row of the table, by column."""

_AILS_ALL: Final = (BundleError, ConfigError, EngineError)
"""What would end every other clip too."""


@dataclass(frozen=True)
class ScoreOptions:
    """How clips are scored; travels to other processes."""

    window: float
    """Seconds that a row looks at."""
    hop: float
    """Seconds between rows."""
    channel: Channel | Literal["each"] = "mix"
    audio_track: int | None = None
    asr: bool = False
    speech_gate: bool = True


def score_clip(recognizer: EdgeRecognizer, clip: ClipToScore, options: ScoreOptions) -> list[Row]:
    """The rows of one clip, at least one a channel.

    Whatever is wrong with the clip becomes a row; so does an error that nobody foresaw, since one
    clip of an archive must not cost the others.

    Raises:
        ConfigError, EngineError: if what ails one would ail all.
    """
    channels: Iterable[Channel]
    try:
        if options.channel == "each":
            channels = range(1, channel_count(clip.file, options.audio_track) + 1)
        else:
            channels = (options.channel,)
    except MediaError as error:
        return [failed_row(recognizer, clip, options, str(error))]
    return [row for channel in channels for row in _scored(recognizer, clip, channel, options)]


def failed_row(
    recognizer: EdgeRecognizer,
    clip: ClipToScore,
    options: ScoreOptions,
    why: str,
    channel: Channel | None = None,
) -> Row:
    """The row of a clip, or of a channel of it, for which there is no decision."""
    asked = options.channel if channel is None else channel
    return {
        **_place(recognizer, clip, asked),
        "start": clip.start,
        "end": clip.end,
        "error": _text(" ".join(why.split())),
    }


def _scored(
    recognizer: EdgeRecognizer, clip: ClipToScore, channel: Channel, options: ScoreOptions
) -> list[Row]:
    source: ClipInput = clip.file
    spoken: Transcript | None = None
    # Of a piece, which is opened here, the channel is chosen as it is opened.
    opened: dict[str, Any] = {"channel": channel, "audio_track": options.audio_track}
    try:
        if clip.start is not None or clip.end is not None:
            rate = recognizer.bundle.manifest.frontend.video.frames_per_second
            source, spoken = read_piece(clip.file, clip.start or 0.0, clip.end, rate, **opened)
            opened = {}
        decisions = recognizer.timeline(
            source,
            spoken if clip.transcript is None else Transcript(clip.transcript),
            window=options.window,
            hop=options.hop,
            asr=options.asr,
            speech_gate=options.speech_gate,
            **opened,
        )
    except _AILS_ALL:
        raise
    except MediaError as error:
        return [failed_row(recognizer, clip, options, str(error), channel)]
    except Exception as error:
        why = f"an error that nobody foresaw: {type(error).__name__}: {error}"
        return [failed_row(recognizer, clip, options, why, channel)]
    if not decisions:
        return [failed_row(recognizer, clip, options, "there is nothing to look at", channel)]
    return [
        {**_place(recognizer, clip, channel), "window": number, **_decided(decision, clip)}
        for number, decision in enumerate(decisions)
    ]


def _place(recognizer: EdgeRecognizer, clip: ClipToScore, channel: Channel | str) -> Row:
    reference = recognizer.bundle.reference
    return {
        "file": _text(clip.file),
        "channel": str(channel),
        "bundle": reference.name,
        "bundle_version": reference.version,
        "bundle_hash": reference.hash,
    }


def _decided(decision: Decision, clip: ClipToScore) -> Row:
    begun = clip.start or 0.0
    reports = {m: decision.modalities[m] for m in MODALITIES}
    notes = [f"{m}: {note}" for m, report in reports.items() for note in report.notes]
    return {
        "start": begun + decision.window.start / SAMPLE_RATE,
        "end": begun + decision.window.end / SAMPLE_RATE,
        "label": decision.label,
        "confidence": decision.confidence,
        "probabilities": dict(decision.probabilities),
        "abstained": decision.abstained,
        "abstain_reason": _text(decision.abstain_reason or "") or None,
        "present": list(decision.present),
        "contributions": {
            m: report.contribution
            for m, report in reports.items()
            if report.contribution is not None
        },
        "absent": {m: _text(r.reason or "") for m, r in reports.items() if not r.present},
        "notes": [_text(note) for note in (*decision.notes, *notes)],
    }


def _text(text: str) -> str:
    """A text that Arrow can hold: bytes of a name that are no UTF-8 are spelled out."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
