"""What `footprint` and `energy` found out. Megabytes are 10^6 bytes."""

from __future__ import annotations

from edge_ser.calibration.performance.result import Measured, Spread


class Footprint(Measured):
    """Room that one precision on one backend takes, on disk and in memory."""

    bundle_mb: float
    """All files of the bundle."""
    graphs_mb: dict[str, float]
    """Each ONNX graph."""
    engines_mb: float | None
    """Compiled engines of these graphs in the engine cache; None for a backend without engines."""
    resident_imported_mb: Spread | None
    """Resident memory of a fresh process once everything is imported."""
    resident_loaded_mb: Spread | None
    """The same once the graphs are open."""
    resident_deciding_mb: Spread | None
    """The same after a few decisions."""
    resident_peak_mb: Spread | None
    """The most that the process ever held."""
    load_ms: Spread
    """Time to verify the bundle and open its graphs."""


class Energy(Measured):
    """Energy of one decision, where the platform tells.

    When it does not, `unknown` says why, and everything else is None.
    """

    unknown: str | None
    source: str | None
    """The meter that was read."""
    scope: str | None
    """What the meter covers: more than this process in any case."""
    decisions: int | None
    seconds: float | None
    idle_watts: float | None
    """Mean power before the decisions, while nothing was asked of the device."""
    busy_watts: float | None
    """Mean power while decisions were made one after another."""
    millijoules: float | None
    """Energy of the metered parts per decision."""
    millijoules_above_idle: float | None
    """The same without what the device draws when idle; not below 0."""
