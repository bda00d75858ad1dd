"""What a report is asked for, checked before anything is measured."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from edge_ser.calibration.device.host import usable_cores
from edge_ser.calibration.report.budget import Limit, check_budgets
from edge_ser.calibration.report.result import Settings
from edge_ser.errors import ConfigError, MissingExtraError
from edge_ser.export.variants.variant import Variant, check_precision
from edge_ser.files import is_there
from edge_ser.runtime.backend import DEFAULT_BACKEND, check_backend

_MOST_THREADS = 4


def _default_threads() -> tuple[int, ...]:
    cores = min(usable_cores(), _MOST_THREADS)
    return (1, cores) if cores > 1 else (1,)


@dataclass(frozen=True)
class ReportRequest:
    """Everything that decides what a report measures.

    Attributes:
        output: the page; the data are written beside it with the ending ``.json``.
        bundle: its folder; None for the one that ships.
        data: labelled clips of held-out people; None leaves accuracy out.
        precisions: see `edge_ser.export.variants.variant.PRECISIONS`; the first is the reference.
        backends: see `edge_ser.runtime.backend.BACKENDS`.
        limits: budgets.
        sign_off: precisions that the budgets are held against; empty for all.
        compare: an older report's JSON.
        threads: numbers of threads; all but the first are tried with the first variant only.
        streams: numbers of conversations at once, likewise.
        decisions: that each distribution of times rests on.
        processes: fresh processes of each variant.
        hop: seconds between decisions of a single stream; None picks what the device keeps up with.
        clip: what latency is measured with; None for the clip that ships.
        int8_clips: set of clips that int8 ranges are measured on.
        clips: most labelled clips that are used.
        accept_leak: whether people of the training may be among them; it stands beside the scores.
        speech_gate: whether sound in which nobody speaks counts as absent, as it does live.
        robustness: whether to measure noise, light, words and offset too.
        seed: of every choice that is made at random.
    """

    output: Path
    bundle: Path | None = None
    data: Path | None = None
    precisions: tuple[str, ...] = ("bundle",)
    backends: tuple[str, ...] = (DEFAULT_BACKEND,)
    limits: tuple[Limit, ...] = ()
    sign_off: tuple[str, ...] = ()
    compare: Path | None = None
    threads: tuple[int, ...] = field(default_factory=_default_threads)
    streams: tuple[int, ...] = (1, 4)
    decisions: int = 100
    processes: int = 3
    hop: float | None = None
    clip: Path | None = None
    int8_clips: Path | None = None
    clips: int | None = 500
    accept_leak: bool = False
    speech_gate: bool = True
    robustness: bool = True
    seed: int = 0

    @property
    def json_path(self) -> Path:
        """Where the data go."""
        return self.output.with_suffix(".json")

    @property
    def variants(self) -> tuple[Variant, ...]:
        """Every precision on every backend."""
        return tuple(Variant(b, p) for b in self.backends for p in self.precisions)

    def settings(self) -> Settings:
        """What the report says that it was asked for."""
        return Settings(
            precisions=self.precisions,
            backends=self.backends,
            threads=self.threads,
            streams=self.streams,
            decisions=self.decisions,
            processes=self.processes,
            sign_off=self.sign_off or self.precisions,
            budgets={limit.name: limit.value for limit in self.limits},
            clips=self.clips if self.data is not None else None,
            speech_gate=self.speech_gate,
            seed=self.seed,
        )

    def check(self) -> None:
        """Refuse what cannot be done, before anything is measured.

        Raises:
            ConfigError: a name is unknown, a number is out of range, a folder is missing, or a
                budget cannot be judged.
            MissingExtraError: what draws the page is not installed.
        """
        _require_page()
        for path in (self.output, self.json_path):
            is_there(path)  # a name that cannot be is told now, not after an hour
        if self.output.suffix.lower() not in (".html", ".htm"):
            raise ConfigError(f"the report is a page: name it .html, not {self.output.name}")
        if not self.output.absolute().parent.is_dir():
            raise ConfigError(
                f"the folder {self.output.absolute().parent} for the report does not exist"
            )
        for name, values in (("--precisions", self.precisions), ("--backends", self.backends)):
            if not values or len(set(values)) != len(values):
                raise ConfigError(f"{name} must name one or more, each once")
        for precision in self.precisions:
            check_precision(precision)
        for backend in self.backends:
            check_backend(backend)
        foreign = [p for p in self.sign_off if p not in self.precisions]
        if foreign:
            raise ConfigError(
                f"--sign-off names {foreign[0]}, which is not among --precisions "
                f"({', '.join(self.precisions)})"
            )
        for name, numbers in (("--threads", self.threads), ("--streams", self.streams)):
            if not numbers or min(numbers) < 1:
                raise ConfigError(f"{name} must be whole numbers from 1 on")
        if self.data is not None and not self.data.is_dir():
            raise ConfigError(f"--data {self.data} is no folder; name one of labelled clips")
        check_budgets(self.limits, has_data=self.data is not None, precisions=self.precisions)


def _require_page() -> None:
    try:
        import jinja2  # noqa: F401
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise MissingExtraError("report", "report") from error
