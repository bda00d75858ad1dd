"""The whole report as data: what `report.json` holds, and its page shows.

`docs/report.schema.json` is made from these models (`edge_ser.calibration.report.schema`).
"""

from __future__ import annotations

from typing import Final, Literal

from edge_ser.calibration.device.host_result import HostFacts, HostWatch
from edge_ser.calibration.performance.footprint_result import Energy, Footprint
from edge_ser.calibration.performance.result import LatencySection
from edge_ser.calibration.robustness.result import RobustnessSection
from edge_ser.export.scoring.result import AccuracySection, ResultModel

SCHEMA_VERSION: Final = 1


class BundleFacts(ResultModel):
    """The bundle that was measured."""

    name: str
    version: str
    hash: str
    """SHA-256 of its manifest, which holds the hashes of all its files."""
    labels: tuple[str, ...]
    precisions: dict[str, str]
    """Of each graph, as the bundle ships."""
    trained_on: tuple[str, ...]
    pairing: str
    intended_use: str
    not_for: str


class BudgetVerdict(ResultModel):
    """One budget, held against one precision on one backend."""

    budget: str
    """Its name as it was given, for instance ``latency_p99`` or ``ece@audio``."""
    meaning: str
    limit: float
    unit: str
    at_most: bool
    """Whether the limit is the most that is allowed; False: the least."""
    variant: str
    value: float | None
    """None when it could not be measured, which fails."""
    passed: bool
    note: str
    """What the value rests on, or why there is none."""


class Change(ResultModel):
    """One figure of two reports."""

    section: Literal["live latency", "compute", "cold start", "size", "energy", "accuracy"]
    figure: str
    unit: str
    before: float
    after: float
    percent: float | None
    """Change relative to `before`; None when that is 0 or the unit is a share."""
    better: bool | None
    """None when the change is within what each of the reports varies by itself."""
    note: str


class Comparison(ResultModel):
    """This report beside an older one."""

    old_made_at: str
    old_made_by: str
    old_device: str
    old_bundle: str
    differences: tuple[str, ...]
    """What was not the same: device, bundle, versions; a sentence each."""
    changes: tuple[Change, ...]
    not_compared: tuple[str, ...]
    """What cannot be compared, and why; a sentence each."""


class Settings(ResultModel):
    """What the report was asked for: two runs with the same settings measure the same."""

    precisions: tuple[str, ...]
    backends: tuple[str, ...]
    threads: tuple[int, ...]
    streams: tuple[int, ...]
    decisions: int
    """Decisions that each distribution of times rests on."""
    processes: int
    """Fresh processes of each variant."""
    sign_off: tuple[str, ...]
    """Precisions that the budgets are held against."""
    budgets: dict[str, float]
    clips: int | None
    """Most clips of the data that are used; None for all."""
    speech_gate: bool = True
    """Whether sound in which nobody speaks counted as absent."""
    seed: int


class Report(ResultModel):
    """Everything that was found out about one bundle on one device."""

    kind: Literal["edge-ser report"] = "edge-ser report"
    schema_version: Literal[1] = 1
    made_by: str
    made_at: str
    """UTC, ISO 8601."""
    seconds: float
    """How long it took to make, interruptions left out."""
    resumed: int
    """Parts that an interrupted run had measured."""
    settings: Settings
    bundle: BundleFacts
    host: HostFacts
    watch: HostWatch
    passed: bool | None
    """Whether every budget is kept; None when none was given."""
    verdicts: tuple[BudgetVerdict, ...]
    latency: LatencySection
    footprint: tuple[Footprint, ...]
    energy: tuple[Energy, ...]
    accuracy: AccuracySection | None
    no_accuracy: str | None
    """Why nothing is said about accuracy."""
    robustness: tuple[RobustnessSection, ...]
    comparison: Comparison | None
