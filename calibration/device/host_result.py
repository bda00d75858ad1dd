"""What a report notes of the machine that it was made on."""

from __future__ import annotations

from edge_ser.export.scoring.result import ResultModel


class MachinePart(ResultModel):
    """One part of the machine, as `edge-ser doctor` finds it."""

    part: str
    state: str
    """``there``, ``missing`` or ``broken``."""
    detail: str


class HostFacts(ResultModel):
    """What does not change while a report is made."""

    processor: str
    device: str | None
    """Model of the board, where the firmware tells."""
    cores: int
    """Cores that this process may use."""
    memory_mb: float | None
    system: str
    virtual: bool | None
    """Whether this is a virtual machine; None if that is not known."""
    simd: str
    """Instructions that the kernels use."""
    versions: dict[str, str]
    parts: tuple[MachinePart, ...]

    def summary(self) -> str:
        """The device in a few words."""
        name = self.device or self.processor
        return f"{name}, {self.cores} core{'s' if self.cores != 1 else ''}"


class HostState(ResultModel):
    """What does change. None and emptiness: the platform does not tell."""

    at: str
    """UTC, ISO 8601."""
    governor: str | None
    """Of the processor's frequency; several joined by commas."""
    megahertz: tuple[float, float] | None
    """Lowest and highest present frequency of a core."""
    megahertz_limit: float | None
    """Highest frequency that a core may have at present."""
    temperatures: dict[str, float]
    """Degrees Celsius by thermal zone."""
    throttle_events: int | None
    """How often a core has been slowed down because it was hot, since the machine was started."""
    cooling: tuple[str, ...]
    """Devices that are slowed down at this moment to cool."""
    power_mode: str | None
    """Of a Jetson, as nvpmodel says."""
    tegrastats: str | None
    """One line of a Jetson's tegrastats."""
    load_average: float | None
    """Of the last minute."""


class HostWatch(ResultModel):
    """The machine while it was measured."""

    before: HostState
    after: HostState
    other_load_percent: float | None
    """Processor time that other programs took meanwhile, in percent of all cores."""
    stolen_percent: float | None
    """Processor time that other virtual machines took, in percent of all cores."""
    throttled: bool | None
    """Whether the machine was slowed down because it was hot; None if it does not tell."""
    warnings: tuple[str, ...]
    """What makes these figures worse or less steady than they could be, a sentence each."""
