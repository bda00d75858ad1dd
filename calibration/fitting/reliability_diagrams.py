"""Reliability diagrams before and after a calibration, as one PNG (extra ``report``)."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any, Final

from edge_ser.calibration.fitting.result import CalibrationFigures, CalibrationReport
from edge_ser.errors import MissingExtraError
from edge_ser.export.scoring.result import ReliabilityBin

_BEFORE: Final = "#b0b0b0"
_AFTER: Final = "#1f6fb4"


def require_matplotlib() -> None:
    """Check that diagrams can be drawn.

    Raises:
        MissingExtraError: if matplotlib is not installed.
    """
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        raise MissingExtraError("drawing reliability diagrams", "report") from None


def reliability_diagrams(report: CalibrationReport) -> bytes:
    """One diagram for each calibrated subset: accuracy over confidence, before and after.

    A dot is a bin of confidence, as large as it has many clips; on the dashed line confidence and
    accuracy are equal.

    Raises:
        MissingExtraError: if matplotlib is not installed.
    """
    require_matplotlib()
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    count = len(report.fitted)
    columns = min(count, 4)
    rows = -(-count // columns)
    figure = Figure(figsize=(3.1 * columns, 3.3 * rows + 0.9), layout="constrained")
    canvas: Any = FigureCanvasAgg(figure)
    axes = figure.subplots(rows, columns, squeeze=False)
    for place, axis in enumerate(axes.flat):
        if place >= count:
            axis.set_axis_off()
            continue
        fit = report.fitted[place]
        axis.plot([0, 1], [0, 1], "--", color="#888888", linewidth=1)
        _dots(axis, fit.before, _BEFORE, "before")
        _dots(axis, fit.after, _AFTER, "after")
        before, after = fit.before.calibration_error.value, fit.after.calibration_error.value
        axis.set_title(
            f"{fit.subset.replace('+', ' + ')}\n{fit.clips} clips, error {before:.3f} to "
            f"{after:.3f}",
            fontsize=9,
        )
        axis.set_xlim(0, 1)
        axis.set_ylim(0, 1)
        axis.set_xlabel("confidence (probability of the answer)", fontsize=8)
        axis.set_ylabel("accuracy (share right)", fontsize=8)
        axis.tick_params(labelsize=8)
        axis.legend(fontsize=7, loc="upper left", frameon=False)
    figure.suptitle(
        f"{report.bundle} {report.old_version} to {report.new_version}: the nearer to the dashed "
        "line, the more a probability means what it says",
        fontsize=10,
    )
    canvas.draw()
    buffer = io.BytesIO()
    # Without the date and the version of the library equal diagrams are equal files.
    canvas.print_png(buffer, metadata={"Software": None})
    return buffer.getvalue()


def _dots(axis: Any, figures: CalibrationFigures, colour: str, name: str) -> None:
    bins: Sequence[ReliabilityBin] = [b for b in figures.reliability if b.clips]
    total = sum(b.clips for b in bins)
    sizes = [8 + 300 * b.clips / total for b in bins]
    across, up = [b.confidence for b in bins], [b.accuracy for b in bins]
    axis.plot(across, up, color=colour, linewidth=1.2, label=name)
    axis.scatter(across, up, s=sizes, color=colour, alpha=0.75, edgecolors="none")
