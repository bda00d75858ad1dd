"""One picture of a clip: sound, pitch, words, faces, and the probabilities over time.

Needs matplotlib (extra ``report``).
"""

from __future__ import annotations

import io
import os
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from edge_ser.constants import MODALITIES, SAMPLE_RATE
from edge_ser.errors import ConfigError, MissingExtraError
from edge_ser.files import write_atomically
from edge_ser.frontends.face_tracks import FaceTracker
from edge_ser.kernels import Pitch, PitchOptions
from edge_ser.media.channels import Channel
from edge_ser.media.clip import Clip, Picture
from edge_ser.media.media import open_clip
from edge_ser.media.transcript import Transcript, Word
from edge_ser.recognizer import EdgeRecognizer
from edge_ser.result import Decision
from edge_ser.shown.pictures import literal_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from edge_ser.speaker.profile import Profile

# Okabe and Ito (2008): eight colours that people with colour-blindness can tell apart.
COLOURS = ("#999999", "#E69F00", "#56B4E9", "#D55E00", "#CC79A7", "#009E73", "#0072B2", "#B8A800")
_INK = "#222222"
_COLUMNS = 1200
_THUMBNAILS = 8
# Notes that are written below the verdict, and the height of each, as a share of the picture's.
_NOTES = 3
_LINE = 0.016


@dataclass(frozen=True)
class Traces:
    """What the picture shows of a clip besides the decisions."""

    times: npt.NDArray[np.float64]
    """Seconds of the waveform's columns, [columns]."""
    low: npt.NDArray[np.float32]
    high: npt.NDArray[np.float32]
    """Smallest and largest sample in each column."""
    pitch_times: npt.NDArray[np.float64]
    pitch: npt.NDArray[np.float32]
    """f0 in Hz of every frame, NaN where unvoiced."""
    faces: Sequence[tuple[float, Picture]]
    """Times in seconds and crops of faces."""
    seconds: float


def plot_clip(
    recognizer: EdgeRecognizer,
    clip: Clip,
    decision: Decision,
    timeline: Sequence[Decision],
    transcript: Transcript | None,
    target: str | os.PathLike[str],
    title: str | None = None,
) -> None:
    """Draw a clip and what was decided about it.

    Args:
        recognizer: the recognizer that decided; its front-ends give pitch and faces.
        clip: the clip; it is read once more.
        decision: the decision for the whole clip.
        timeline: decisions along the clip, at least one.
        transcript: the words that were used, if any.
        target: the picture's file; its ending (.png, .svg or .pdf) chooses the format.
        title: what stands on top; None for the name of the clip without its folder.

    Raises:
        MissingExtraError: if matplotlib is not installed.
        ConfigError: if the file's ending is unknown or it cannot be written.
    """
    path = Path(target)
    kind = path.suffix.lower().removeprefix(".")
    if kind not in ("png", "svg", "pdf"):
        raise ConfigError(f"cannot draw to {path}: the name must end in .png, .svg or .pdf")
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        raise MissingExtraError("drawing a clip", "report") from None
    traces = trace(recognizer, clip)
    with literal_text():
        figure = Figure(figsize=(11, 8.5), dpi=130, facecolor="white")
        FigureCanvasAgg(figure)
        _draw(figure, traces, decision, timeline, transcript, title or Path(clip.name).name)
        buffer = io.BytesIO()
        figure.savefig(buffer, format=kind)
    write_atomically(path, buffer.getvalue())


def draw_clip(
    recognizer: EdgeRecognizer,
    file: str | os.PathLike[str],
    decision: Decision,
    transcript: Transcript | None,
    target: str | os.PathLike[str],
    *,
    profile: Profile | None = None,
    speech_gate: bool = True,
    channel: Channel = "mix",
    audio_track: int | None = None,
) -> None:
    """Decide along a file, and draw it with what was decided about the whole.

    Args:
        recognizer: the recognizer that decided.
        file: the clip.
        decision: for the whole clip.
        transcript: the words that were used, if any.
        target: as for `plot_clip`.
        profile: as for `EdgeRecognizer.recognize`.
        speech_gate: as for `EdgeRecognizer.recognize`; so are `channel` and `audio_track`.
        channel: which channel is heard.
        audio_track: which sound track is heard.

    Raises:
        MissingExtraError, ConfigError: as `plot_clip`.
        MediaError, EngineError: as `EdgeRecognizer.timeline`.
    """
    timeline = recognizer.timeline(
        file,
        transcript,
        profile=profile,
        speech_gate=speech_gate,
        channel=channel,
        audio_track=audio_track,
    )
    with open_clip(file, channel=channel, audio_track=audio_track) as clip:
        plot_clip(recognizer, clip, decision, timeline, transcript, target)


def trace(recognizer: EdgeRecognizer, clip: Clip) -> Traces:
    """Read a clip once for its waveform, pitch and face thumbnails, in bounded memory."""
    frontend = recognizer.bundle.manifest.frontend
    seconds = (clip.duration or 0) / SAMPLE_RATE
    pitch = Pitch(PitchOptions.from_dict(frontend.audio.pitch))
    rate = max(_THUMBNAILS / seconds, 0.01) if seconds > 0 else frontend.video.frames_per_second
    blocks: list[npt.NDArray[np.float32]] = []
    pitches: list[npt.NDArray[np.float32]] = []
    faces: list[tuple[float, Picture]] = []
    tracker = FaceTracker()
    stop = 0
    # 5 ms blocks keep a four-hour clip's envelope under 50 MB; columns are made of blocks.
    block = SAMPLE_RATE // 200
    for segment in clip.segments(10.0, rate):
        if len(segment.samples):
            pitches.append(pitch.accept(segment.samples))
            padded = np.pad(segment.samples, (0, -len(segment.samples) % block))
            shaped = padded.reshape(-1, block)
            blocks.append(np.stack([shaped.min(axis=1), shaped.max(axis=1)]))
        if len(faces) < _THUMBNAILS:
            crops = recognizer.encoders.face_frontend.crops(segment.frames, tracker)
            faces += [(t / SAMPLE_RATE, crops.thumbnail(i)) for i, t in enumerate(crops.times)]
        stop = segment.stop
    if blocks:
        pitches.append(pitch.finish())
    envelope = np.concatenate(blocks, axis=1) if blocks else np.zeros((2, 0), np.float32)
    group = max(-(-envelope.shape[1] // _COLUMNS), 1)
    starts = np.arange(0, envelope.shape[1], group)
    f0 = np.concatenate([p[:, 0] for p in pitches]) if pitches else np.zeros(0, np.float32)
    return Traces(
        times=starts * block / SAMPLE_RATE,
        low=np.minimum.reduceat(envelope[0], starts) if len(starts) else envelope[0],
        high=np.maximum.reduceat(envelope[1], starts) if len(starts) else envelope[1],
        pitch_times=np.arange(len(f0), dtype=np.float64) * 0.01,
        pitch=np.where(f0 > 0, f0, np.float32(np.nan)),
        faces=faces[:_THUMBNAILS],
        seconds=stop / SAMPLE_RATE,
    )


def _draw(
    figure: Figure,
    traces: Traces,
    decision: Decision,
    timeline: Sequence[Decision],
    transcript: Transcript | None,
    title: str,
) -> None:
    told = dict.fromkeys((*decision.notes, *(note for d in timeline for note in d.notes)))
    notes = list(told)[:_NOTES]
    if len(told) > _NOTES:
        notes[-1] = f"{notes[-1]}; and {len(told) - _NOTES} more"
    grid = figure.add_gridspec(
        4,
        2,
        width_ratios=(3.2, 1),
        height_ratios=(1.15, 1.1, 1, 1.7),
        left=0.07,
        right=0.98,
        top=0.86 - _LINE * max(len(notes) - 1, 0),
        bottom=0.07,
        hspace=0.36,
        wspace=0.16,
    )
    verdict = (
        f"abstains: {decision.abstain_reason}"
        if decision.label is None
        else f"{decision.label}, probability {decision.confidence:.2f}"
    )
    _write(figure, 0.07, 0.955, title, fontsize=15, weight="bold", color=_INK)
    figure.text(0.07, 0.915, _shortened(verdict, 130), fontsize=12, color=_INK)
    for row, note in enumerate(notes):
        text = _shortened(f"note: {note}", 150)
        _write(figure, 0.07, 0.892 - _LINE * row, text, fontsize=8.5, color="#8a4b00")
    reference = decision.bundle
    figure.text(
        0.98,
        0.955,
        f"bundle {reference.name} {reference.version} ({reference.hash[:8]})",
        fontsize=8,
        color="#666666",
        ha="right",
    )
    _faces(figure.add_subplot(grid[0, 0]), traces, decision)
    waveform = figure.add_subplot(grid[1, 0])
    _waveform(waveform, traces, transcript)
    _pitch(figure.add_subplot(grid[2, 0], sharex=waveform), traces)
    _probabilities(figure.add_subplot(grid[3, 0], sharex=waveform), traces, timeline)
    beside = grid[:, 1].subgridspec(2, 1, height_ratios=(1, 1.5), hspace=0.3)
    _contributions(figure.add_subplot(beside[0]), decision)
    _bars(figure.add_subplot(beside[1]), decision)


def _faces(axes: Axes, traces: Traces, decision: Decision) -> None:
    axes.set_axis_off()
    axes.set_title("faces found", fontsize=9, loc="left", color=_INK)
    if not traces.faces:
        reason = decision.modalities["video"].reason or "none in the sampled pictures"
        axes.text(0, 0.5, _shortened(f"no face: {reason}", 90), color="#666666", va="center")
    for index, (time, image) in enumerate(traces.faces):
        axes.imshow(image, extent=(index + 0.03, index + 0.97, 0, 1), aspect="equal")
        axes.text(index + 0.5, -0.16, f"{time:.1f} s", ha="center", fontsize=8, color="#666666")
    axes.set(xlim=(0, _THUMBNAILS), ylim=(-0.2, 1))


def _waveform(axes: Axes, traces: Traces, transcript: Transcript | None) -> None:
    _quiet(axes)
    axes.set_title("sound and words", fontsize=9, loc="left", color=_INK)
    if len(traces.times):
        peak = max(float(np.abs([traces.low, traces.high]).max()), 1e-4)
        axes.fill_between(traces.times, traces.low, traces.high, color="#56B4E9", lw=0)
        axes.set_ylim(-1.15 * peak, 1.75 * peak)
        height = 1.42 * peak
    else:
        axes.text(0.5, 0.4, "no sound", transform=axes.transAxes, ha="center", color="#666666")
        axes.set_ylim(-1, 1.6)
        height = 1.3
    axes.set_ylabel("amplitude", fontsize=8)
    axes.set_xlim(0, max(traces.seconds, 0.01))
    for word, middle in _placed(transcript, traces.seconds):
        _write(axes, middle, height, word, ha="center", va="center", fontsize=8.5, color=_INK)


def _write(place: Figure | Axes, x: float, y: float, text: str, **style: Any) -> None:
    """Write a name or a word as it is: no formula between dollars, nothing that no font has."""
    shown = "".join("?" if unicodedata.category(c) in ("Cc", "Cs") else c for c in text)
    place.text(x, y, shown, parse_math=False, **style)


def _placed(transcript: Transcript | None, seconds: float) -> list[tuple[str, float]]:
    """Words with the second at which each is written; as many as can be read."""
    if transcript is None or not transcript.text.strip():
        return []
    words: Sequence[Word] = transcript.words
    if words:
        placed = [(w.text, (w.start + w.end) / 2 / SAMPLE_RATE) for w in words]
    else:
        pieces = transcript.text.split()
        placed = [(p, (i + 0.5) * seconds / len(pieces)) for i, p in enumerate(pieces)]
    letters = sum(len(w) + 1 for w, _ in placed)
    return placed if letters <= 110 else placed[:: max(letters // 110 + 1, 2)]


def _pitch(axes: Axes, traces: Traces) -> None:
    _quiet(axes)
    axes.set_title("pitch", fontsize=9, loc="left", color=_INK)
    axes.plot(traces.pitch_times, traces.pitch, ".", ms=2.5, color="#0072B2")
    axes.set_yscale("log")
    axes.set_ylim(50, 550)
    axes.set_yticks([50, 100, 200, 400], labels=["50", "100", "200", "400"])
    axes.minorticks_off()
    axes.set_ylabel("f0, Hz", fontsize=8)
    if not np.isfinite(traces.pitch).any():
        axes.text(
            0.5, 0.45, "nothing voiced", transform=axes.transAxes, ha="center", color="#666666"
        )


def _probabilities(axes: Axes, traces: Traces, timeline: Sequence[Decision]) -> None:
    _quiet(axes)
    first = timeline[0].window
    axes.set_title(
        "probability of each label; each point looks back over at most "
        f"{max(d.window.end - d.window.start for d in timeline) / SAMPLE_RATE:g} s",
        fontsize=9,
        loc="left",
        color=_INK,
    )
    ends = [d.window.end / SAMPLE_RATE for d in timeline]
    labels = list(timeline[0].probabilities)
    for index, label in enumerate(labels):
        values = [d.probabilities[label] for d in timeline]
        colour = COLOURS[index % len(COLOURS)]
        axes.plot(
            ends, values, "-", color=colour, lw=2, label=label, marker="o", ms=3, clip_on=False
        )
    abstained = [end for end, d in zip(ends, timeline, strict=True) if d.abstained]
    if abstained:
        axes.plot(abstained, [-0.04] * len(abstained), "x", ms=4, color="#888888", label="abstains")
    axes.set_yticks(np.linspace(0, 1, 6))
    axes.set(ylim=(-0.08, 1.38), xlim=(0, max(traces.seconds, first.end / SAMPLE_RATE, 0.01)))
    axes.set_xlabel("time, s", fontsize=8)
    axes.set_ylabel("probability", fontsize=8)
    axes.legend(fontsize=7.5, ncols=4, frameon=False, loc="upper left")


def _contributions(axes: Axes, decision: Decision) -> None:
    _quiet(axes)
    spoken_for = max(decision.probabilities, key=lambda label: decision.probabilities[label])
    axes.set_title(f"what speaks for {spoken_for}", fontsize=9, loc="left", color=_INK)
    values = [decision.modalities[m].contribution for m in MODALITIES]
    reach = max([abs(v) for v in values if v is not None] or [1.0]) * 1.5 or 1.0
    for row, value in enumerate(values):
        if value is None:
            axes.text(0, row, "absent", ha="center", va="center", fontsize=8, color="#666666")
            continue
        axes.barh(row, value, color="#009E73" if value >= 0 else "#D55E00", height=0.55)
        side = "left" if value >= 0 else "right"
        gap = 0.02 * reach if value >= 0 else -0.02 * reach
        axes.text(value + gap, row, f"{value:+.2f}", ha=side, va="center", fontsize=8, color=_INK)
    axes.axvline(0, color=_INK, lw=0.8)
    axes.set_yticks(range(len(MODALITIES)), labels=list(MODALITIES), fontsize=9)
    axes.set(xlim=(-reach, reach), ylim=(len(MODALITIES) - 0.5, -0.5))
    axes.set_xlabel("change of the log-odds", fontsize=8)


def _bars(axes: Axes, decision: Decision) -> None:
    _quiet(axes)
    axes.set_title("the whole clip", fontsize=9, loc="left", color=_INK)
    labels = list(decision.probabilities)
    values = [decision.probabilities[label] for label in labels]
    colours = [COLOURS[i % len(COLOURS)] for i in range(len(labels))]
    axes.barh(range(len(labels)), values, color=colours, height=0.7)
    for row, value in enumerate(values):
        axes.text(value + 0.02, row, f"{value:.2f}", va="center", fontsize=8, color=_INK)
    axes.set_yticks(range(len(labels)), labels=labels, fontsize=9)
    axes.set(xlim=(0, 1.15), ylim=(len(labels) - 0.4, -0.6))
    axes.set_xlabel("probability", fontsize=8)


def _quiet(axes: Any) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=8, colors="#444444")
    axes.grid(axis="x", color="#eeeeee", lw=0.8)
    axes.set_axisbelow(True)


def _shortened(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"
