"""From a bundle and labelled clips to its next version, with probabilities that fit them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from edge_ser.bundles.loading import Bundle
from edge_ser.calibration.fitting.calibrate import DEFAULT_ABSTAIN_SHARE, Wanted, calibrate
from edge_ser.calibration.fitting.calibrated_bundle import write_calibrated
from edge_ser.calibration.fitting.reliability_diagrams import (
    reliability_diagrams,
    require_matplotlib,
)
from edge_ser.calibration.fitting.result import CalibrationReport
from edge_ser.errors import ConfigError
from edge_ser.export.progress import Progress
from edge_ser.export.trials.data import open_evaluation_data


@dataclass(frozen=True)
class CalibrationRequest:
    """What shall be fitted, and where the new version goes.

    Attributes:
        data: a manifest (CSV or JSONL), a folder with a folder of clips for each label, or a known
            data set, of people whom the bundle was not trained on.
        output: folder of the new version; None puts ``BUNDLE-VERSION`` beside the bundle.
        in_place: whether the new version takes the place of the bundle.
        risk: of what is answered at most this share may be wrong.
        abstain_share: share of the clips not to be answered; None without `risk` is
            `DEFAULT_ABSTAIN_SHARE`.
        with_bias: whether to fit a bias for each label beside the temperature.
        limit: at most so many clips of each modality.
        accept_leak: whether to take people of the training too; the report says so.
        speech_gate: whether sound in which nobody speaks counts as absent, as it does live.
        diagrams: whether to draw reliability diagrams (extra ``report``).
        resume: folder that lets an interrupted run go on.
    """

    data: Path
    output: Path | None = None
    in_place: bool = False
    risk: float | None = None
    abstain_share: float | None = None
    with_bias: bool = True
    limit: int | None = None
    accept_leak: bool = False
    speech_gate: bool = True
    diagrams: bool = True
    resume: Path | None = None

    def __post_init__(self) -> None:
        if self.risk is not None and self.abstain_share is not None:
            raise ConfigError("give a risk or an abstain share, not both: each sets the threshold")
        if self.in_place and self.output is not None:
            raise ConfigError("give an output or the bundle's own place, not both")

    @property
    def wanted(self) -> Wanted:
        """When the new version shall abstain."""
        if self.risk is not None:
            return Wanted("risk", self.risk)
        share = DEFAULT_ABSTAIN_SHARE if self.abstain_share is None else self.abstain_share
        return Wanted("abstain share", share)

    def target(self, bundle: Bundle, version: str) -> Path:
        """Folder of the new version."""
        if self.in_place:
            return bundle.folder
        folder = bundle.folder.resolve()
        return self.output or folder.parent / f"{folder.name}-{version}"


def calibrate_bundle(
    bundle: Bundle, request: CalibrationRequest, progress: Progress | None = None
) -> tuple[Bundle, CalibrationReport]:
    """Fit every subset of modalities and write the next version of a bundle.

    Args:
        bundle: a verified bundle.
        request: what is wanted.
        progress: told of every step.

    Returns:
        The new version as it was written, and what is known of it.

    Raises:
        ConfigError: if what is wanted does not go together, the data are too little, or the output
            must not be replaced.
        MediaError, EngineError: if the data cannot be read, or a graph cannot be run.
        MissingExtraError: if diagrams are wanted and matplotlib is not installed.
    """
    wanted = request.wanted
    if request.diagrams:
        require_matplotlib()
    data = open_evaluation_data(
        bundle,
        request.data,
        limit=request.limit,
        accept_leak=request.accept_leak,
        purpose="calibration",
        speech_gate=request.speech_gate,
    )
    found = calibrate(
        bundle,
        data,
        wanted,
        with_bias=request.with_bias,
        progress=progress,
        resume_folder=request.resume,
    )
    report = found.report
    written = write_calibrated(
        bundle,
        request.target(bundle, report.new_version),
        found,
        people=sorted({item.speaker for item in data.items if item.speaker is not None}),
        diagram=reliability_diagrams(report) if request.diagrams else None,
        in_place=request.in_place,
    )
    return written, report
