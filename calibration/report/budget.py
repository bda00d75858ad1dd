"""Budgets: limits that a device or a bundle is signed off against."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from edge_ser.bundles.schema import SUBSETS
from edge_ser.errors import ConfigError

Source = Literal["live", "warm", "cold", "size", "energy", "accuracy"]


@dataclass(frozen=True)
class Budget:
    """One known budget.

    Attributes:
        name: as it is given.
        meaning: what is limited, for people.
        unit: of the limit.
        source: the part of the report that holds the value.
        figure: which value of that part.
        at_most: whether the limit is the most that is allowed, or the least.
    """

    name: str
    meaning: str
    unit: str
    source: Source
    figure: str
    at_most: bool = True

    @property
    def needs_data(self) -> bool:
        """Whether it can be judged only with labelled clips."""
        return self.source == "accuracy"


_PERCENTILES: Final = {
    "p50": "50 %",
    "p90": "90 %",
    "p95": "95 %",
    "p99": "99 %",
    "p999": "99.9 %",
}


def _times(prefix: str, source: Source, what: str) -> list[Budget]:
    return [
        Budget(
            f"{prefix}_{name}",
            f"{what}: {'median' if name == 'p50' else f'{share} of the decisions are faster'}",
            "ms",
            source,
            name,
        )
        for name, share in _PERCENTILES.items()
    ]


BUDGETS: Final[Mapping[str, Budget]] = {
    b.name: b
    for b in [
        *_times("latency", "live", "live decision latency, newest sample to callback"),
        *_times("compute", "warm", "computing time of one decision, warm"),
        Budget("cold_start", "fresh process to first decision, median", "ms", "cold", "whole"),
        Budget("load", "bundle verified and graphs open, median", "ms", "cold", "load"),
        Budget("memory", "largest resident memory of a process", "MB", "size", "resident_peak_mb"),
        Budget("bundle_size", "all files of the bundle", "MB", "size", "bundle_mb"),
        Budget("engine_size", "compiled engines", "MB", "size", "engines_mb"),
        Budget("energy", "energy of one decision", "mJ", "energy", "millijoules"),
        Budget("accuracy", "accuracy", "%", "accuracy", "accuracy", at_most=False),
        Budget("uar", "unweighted average recall", "%", "accuracy", "recall", at_most=False),
        Budget("f1", "macro F1", "%", "accuracy", "f1", at_most=False),
        Budget("ece", "expected calibration error", "", "accuracy", "calibration_error"),
        Budget("brier", "Brier score", "", "accuracy", "brier"),
        Budget("nll", "negative log-likelihood", "nats", "accuracy", "negative_log_likelihood"),
        Budget("accuracy_drop", "accuracy lost against fp32", "points", "accuracy", "drop"),
        Budget("agreement", "same label as fp32", "%", "accuracy", "same_label", at_most=False),
        Budget(
            "abstention_gain",
            "accuracy gained by abstaining on the least certain 20 %",
            "points",
            "accuracy",
            "abstention_gain",
            at_most=False,
        ),
    ]
}


@dataclass(frozen=True)
class Limit:
    """A budget with the limit that was asked for.

    Attributes:
        budget: which.
        subset: of modalities, for budgets of accuracy; None takes the fullest that the data have.
        value: the limit, in the budget's unit.
    """

    budget: Budget
    subset: str | None
    value: float

    @property
    def name(self) -> str:
        """As it was given."""
        return self.budget.name if self.subset is None else f"{self.budget.name}@{self.subset}"


def parse_budgets(text: str) -> tuple[Limit, ...]:
    """Read ``latency_p99=150,ece=0.08,ece@audio=0.05``.

    Raises:
        ConfigError: a name is unknown (the message lists the known ones), a limit is missing or no
            number, or a budget is given twice.
    """
    limits: dict[str, Limit] = {}
    for piece in filter(None, (p.strip() for p in text.split(","))):
        key, equals, number = (p.strip() for p in piece.partition("="))
        name, at, subset = key.partition("@")
        budget = BUDGETS.get(name)
        if budget is None:
            raise ConfigError(
                f"there is no budget {name!r}; the budgets are {', '.join(BUDGETS)}, those of "
                "accuracy also for a subset of modalities, as in ece@audio=0.05"
            )
        if not equals:
            raise ConfigError(f"the budget {key!r} has no limit; write for instance {key}=100")
        if at and not budget.needs_data:
            raise ConfigError(f"{name} does not depend on the modalities: write {name}={number}")
        if at and subset not in SUBSETS:
            raise ConfigError(
                f"there is no subset of modalities {subset!r}; they are {', '.join(SUBSETS)}"
            )
        if key in limits:
            raise ConfigError(f"the budget {key} is given twice")
        limits[key] = Limit(budget, subset if at else None, _number(key, number))
    return tuple(limits.values())


def check_budgets(limits: Sequence[Limit], *, has_data: bool, precisions: Sequence[str]) -> None:
    """Refuse budgets that the report cannot judge, before anything is measured.

    Raises:
        ConfigError: a budget needs data or a second precision, and there is none.
    """
    for limit in limits:
        budget = limit.budget
        if budget.needs_data and not has_data:
            raise ConfigError(
                f"the budget {limit.name} needs labelled clips: name their folder with --data, "
                "or leave the budget out"
            )
        if budget.figure in ("drop", "same_label") and "fp32" not in precisions:
            raise ConfigError(
                f"the budget {limit.name} compares with fp32: add it, as in --precisions fp32,int8"
            )


def _number(key: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value) or value < 0:
        raise ConfigError(
            f"the limit of the budget {key} must be a number, 0 or more, not {text!r}"
        )
    return value
