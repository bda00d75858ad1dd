"""What `warm` found out: how long a decision takes, and where it goes.

All times are milliseconds of wall clock.
"""

from __future__ import annotations

from typing import Literal

from pydantic import AliasChoices, Field

from edge_ser.export.scoring.result import ResultModel


class Histogram(ResultModel):
    """Counts of values between consecutive edges; one edge more than counts."""

    edges: tuple[float, ...]
    counts: tuple[int, ...]


class Distribution(ResultModel):
    """Times of many decisions.

    A percentile that rests on no value above it would only repeat the largest: it is None. p90
    wants 10 values, p95 20, p99 100 and p99.9 1000.
    """

    count: int
    p50: float
    """Median of the medians of the blocks that the values were taken in."""
    p90: float | None
    p95: float | None
    p99: float | None
    p999: float | None
    """At the 99.9th percentile."""
    smallest: float
    largest: float
    blocks: tuple[float, ...]
    """Median of each block: how far they lie apart is how steady the machine was."""
    quietest: float | None = None
    """Median of the quietest block: what repeats from one report to the next, where p50 moves with
    whatever else the machine did. None in reports of before."""
    noise_percent: float | None = None
    """By how much a usual block took longer than the quietest: the noise of the machine."""
    histogram: Histogram


class Spread(ResultModel):
    """A figure that was taken a few times."""

    median: float
    smallest: float
    largest: float
    count: int


class StageTime(ResultModel):
    """One stage of a decision, in the order in which stages run."""

    stage: str
    p50: float
    p95: float
    share: float
    """Share of the decision's time that the stage takes on average, 0 to 1."""


class Measured(ResultModel):
    """What was measured: one precision on one backend."""

    precision: str
    """``bundle`` (as it is), ``fp32``, ``fp16``, ``int8`` or ``int8-fp16``."""
    backend: str
    threads: int
    """Threads that one run of a graph may use on the CPU."""

    @property
    def variant(self) -> str:
        """Backend and precision, as tables name them."""
        return f"{self.backend} {self.precision}"


class WarmLatency(Measured):
    """Decisions about the clip one after another, from sound and pictures in memory."""

    whole: Distribution
    """From evidence to answer."""
    stages: tuple[StageTime, ...]
    """The last is the rest that belongs to no stage."""


class ColdStart(Measured):
    """Fresh processes that load the bundle and decide about the clip's file once."""

    processes: int
    interpreter: Spread
    """From the start of the process to its first line, and its end: what is not in the others."""
    imports: Spread
    """Import of edge_ser with what a recognizer needs."""
    load: Spread
    """Verify the bundle and open its graphs."""
    first_decision: Spread
    """Decode the file, and decide for the first time."""
    whole: Spread
    """From the start of the process to its end, without the repeated decisions."""


class LiveLatency(Measured):
    """A clip replayed in real time into one or more streams that share a recognizer.

    Decision latency is the time from the capture of the newest sample or picture used to the moment
    at which the callback starts.
    """

    streams: int
    """Conversations at once."""
    window_seconds: float
    hop_ms: float
    """Time between two decisions of one stream."""
    seconds: float
    """Length of the measurement, after the first window was full."""
    latency: Distribution
    compute: Distribution
    """Processing time that one decision took, its pictures included."""
    oldest_age_ms: float
    """Median age of the oldest sample used when the callback starts."""
    hops_skipped: int
    """Decisions that were left out because the machine was too slow."""
    pictures_shed: int
    """Pictures that were left out because the machine was too slow."""
    audio_lost_ms: float = Field(
        # What reports of before called it.
        validation_alias=AliasChoices("audio_lost_ms", "sound_lost_ms")
    )
    """Sound that was refused or lost."""
    degraded: tuple[str, ...]
    """What the streams left out to keep up; empty when nothing."""
    processor_percent: float
    """Processor time of the process in percent of one core, the replay included."""


class MeasuredClip(ResultModel):
    """What every decision was about: two reports with different clips cannot be compared."""

    name: str
    sha256: str
    """Of the file."""
    words_sha256: str
    """Of the transcript's text."""
    seconds: float
    """Length that was used."""
    pictures: int
    """Pictures that one decision looks at."""
    width: int
    height: int
    modalities: tuple[str, ...]
    """Those that were present in the decisions."""


class NotRun(ResultModel):
    """A precision on a backend that this machine could not run."""

    precision: str
    backend: str
    why: str


class LatencySection(ResultModel):
    """Latency of all precisions and backends on this device."""

    clip: MeasuredClip
    warm: tuple[WarmLatency, ...]
    cold: tuple[ColdStart, ...]
    live: tuple[LiveLatency, ...]
    not_run: tuple[NotRun, ...]
    warm_up: int
    """Decisions of each variant that were not counted, before the first block."""
    seed: int
    """Of the order in which the variants took turns."""
    noise_percent: float | None = None
    """The noise of the machine while they did: by how much a usual block took longer than the
    quietest, median of the variants. None in reports of before."""
    definition: Literal[
        "decision latency: capture of the newest sample used to the start of the callback"
    ] = "decision latency: capture of the newest sample used to the start of the callback"
