"""Two sets of answers about the same clips: what the second gains or loses, paired over people."""

from __future__ import annotations

from collections.abc import Sequence

from edge_ser.export.scoring.metrics import (
    Floats,
    Labels,
    Probabilities,
    calibration_columns,
    calibration_error,
    calibration_figure,
    score,
)
from edge_ser.export.scoring.people_draws import (
    Figure,
    PeopleDraws,
    accuracy_figure,
    confusion_columns,
    difference_interval,
    f1_figure,
)
from edge_ser.export.scoring.result import Difference, Interval


def differences(
    before: Probabilities, after: Probabilities, true: Labels, draws: PeopleDraws, labels: int
) -> tuple[Difference, Difference, Difference]:
    """Accuracy, macro F1 and calibration error of `after` less those of `before`.

    Args:
        before: float64 [n, labels].
        after: float64 [n, labels], of the same clips.
        true: int64 [n].
        draws: of the people of these clips.
        labels: how many there are.
    """
    confusions = [confusion_columns(p.argmax(1), true, labels) for p in (before, after)]
    errors = [calibration_columns(p, true) for p in (before, after)]
    one, other = (score(p.argmax(1), true, labels) for p in (before, after))

    def apart(columns: Sequence[Floats], figure: Figure) -> Interval:
        return difference_interval(draws, columns[0], columns[1], figure)

    return (
        Difference(
            metric="accuracy",
            reference=one.accuracy,
            value=other.accuracy,
            difference=apart(confusions, accuracy_figure(labels)),
        ),
        Difference(
            metric="macro F1",
            reference=one.f1,
            value=other.f1,
            difference=apart(confusions, f1_figure(labels)),
        ),
        Difference(
            metric="calibration error",
            reference=calibration_error(before, true),
            value=calibration_error(after, true),
            difference=apart(errors, calibration_figure),
        ),
    )
