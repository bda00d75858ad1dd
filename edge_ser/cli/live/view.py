"""What `edge-ser live` shows in the terminal."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from edge_ser.capture.passing_sink import PassingSink
from edge_ser.capture.sources import Sink, Source
from edge_ser.constants import MODALITIES, SAMPLE_RATE
from edge_ser.media.clip import Picture
from edge_ser.media.samples import full_scale
from edge_ser.result import LiveDecision, StreamHealth

_QUIETEST = -60.0


class Meter(PassingSink):
    """A sink that hands everything on and remembers the level and the newest picture.

    Thread contract: every method from any thread.
    """

    def __init__(self, sink: Sink) -> None:
        super().__init__(sink)
        self._lock = threading.Lock()
        self._peak = 0.0
        self._picture: Picture | None = None

    def push_audio(
        self,
        samples: npt.ArrayLike,
        capture_time: int | None = None,
        sample_rate: int = SAMPLE_RATE,
        *,
        timeout: float = 0.0,
    ) -> bool:
        """Hand sound on; its peak counts until the level is read."""
        values = full_scale(np.asarray(samples))
        finite = np.nan_to_num(np.abs(values), posinf=0.0)
        with self._lock:
            self._peak = max(self._peak, float(finite.max(initial=0.0)))
        return super().push_audio(samples, capture_time, sample_rate, timeout=timeout)

    def push_video(
        self, frame: Picture, capture_time: int | None = None, *, timeout: float = 0.0
    ) -> bool:
        """Hand a picture on."""
        with self._lock:
            self._picture = frame
        return super().push_video(frame, capture_time, timeout=timeout)

    def level_dbfs(self) -> float:
        """Highest peak since the last call, in dB relative to full scale, at least -60."""
        with self._lock:
            peak, self._peak = self._peak, 0.0
        return max(20 * float(np.log10(peak)), _QUIETEST) if peak > 0 else _QUIETEST

    def picture(self) -> Picture | None:
        """The newest picture; None before the first."""
        with self._lock:
            return self._picture


def view(decision: LiveDecision, level_dbfs: float, sources: Sequence[Source]) -> RenderableType:
    """One screen: label, probabilities, contributions, level, latency, and what went wrong."""
    if decision.steady_label is None:
        headline = Text("no emotion is named", style="bold")
    else:
        headline = Text(decision.steady_label, style="bold green")
    if decision.abstain_reason is not None:
        headline.append(f"  {decision.abstain_reason}", style="dim")
    return Group(
        headline,
        _probabilities(decision),
        _modalities(decision),
        _level(level_dbfs),
        Text(_figures(decision), style="dim"),
        *(Text(f"note: {note}", style="yellow") for note in decision.notes),
        *(Text(line, style="yellow") for line in _troubles(decision.health, sources)),
    )


def _probabilities(decision: LiveDecision) -> Table:
    chart = Table.grid(padding=(0, 1))
    for label, value in decision.probabilities.items():
        chart.add_row(label, ProgressBar(total=1.0, completed=value, width=30), f"{value:.2f}")
    return chart


def _modalities(decision: LiveDecision) -> Table:
    table = Table("modality", "contribution", "notes", box=None, padding=(0, 2, 0, 0))
    for modality in MODALITIES:
        report = decision.modalities[modality]
        value = "absent" if report.contribution is None else f"{report.contribution:+.2f}"
        table.add_row(modality, value, "; ".join(filter(None, (report.reason, *report.notes))))
    return table


def _level(level_dbfs: float) -> Table:
    meter = Table.grid(padding=(0, 1))
    bar = ProgressBar(total=-_QUIETEST, completed=level_dbfs - _QUIETEST, width=30)
    meter.add_row("level", bar, f"{level_dbfs:.0f} dBFS")
    return meter


def _figures(decision: LiveDecision) -> str:
    parts = []
    if decision.latency_ms is not None:
        parts.append(f"latency {decision.latency_ms:.0f} ms")
    parts.append(f"compute {decision.timing_ms.get('total', 0.0):.0f} ms")
    health = decision.health
    if health.drift_ppm is not None:
        parts.append(f"drift {health.drift_ppm:+.0f} ppm")
    return ", ".join(parts)


def _troubles(health: StreamHealth, sources: Sequence[Source]) -> list[str]:
    counts = {
        "ms of sound refused": health.audio_overflow_samples * 1000 // SAMPLE_RATE,
        "ms of sound lost": health.audio_lost_samples * 1000 // SAMPLE_RATE,
        "ms of sound unusable": health.audio_unusable_samples * 1000 // SAMPLE_RATE,
        "ms of sound too late": health.audio_late_samples * 1000 // SAMPLE_RATE,
        "capture times replaced": health.stamps_replaced,
        "pictures too late": health.pictures_late,
        "hops skipped": health.hops_skipped,
        "errors": health.encoder_errors,
    }
    lines = []
    dropped = ", ".join(f"{value} {what}" for what, value in counts.items() if value)
    if dropped:
        lines.append(f"so far: {dropped}")
    if health.load:
        lines.append(f"too slow: {health.load}")
    if health.last_error is not None:
        lines.append(health.last_error)
    for source in sources:
        state = source.health
        if state.state in ("lost", "failed"):
            lines.append(f"{source.name} {state.state}: {state.error or 'no reason was given'}")
    return lines
