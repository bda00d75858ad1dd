"""How far groups of people differ, beside the gap of a model without any difference."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from math import comb
from typing import Final

import numpy as np
import numpy.typing as npt

from edge_ser.export.scoring.metrics import Labels, score
from edge_ser.export.scoring.result import GroupGap, GroupScore

DEALINGS: Final = 2000


def speaker_gap(
    answered: Labels, true: Labels, people: Sequence[str], labels: int, seed: int = 0
) -> GroupGap | None:
    """Gap between the best and the worst recognised person; None for fewer than two.

    What chance makes of it: the clips are dealt out anew over the people.
    """
    names = sorted(set(people))
    if len(names) < 2:
        return None
    member = _membership(people, names)
    hit = (answered == true).astype(np.float64)
    gap = _gap(hit[None], member)[0]
    rng = np.random.default_rng(seed)
    order = np.argsort(rng.random((DEALINGS, len(hit))), axis=1)
    dealt = _gap(hit[order], member)
    p_value = (1 + int((dealt >= gap - 1e-12).sum())) / (1 + DEALINGS)
    scores = _scores(answered, true, people, people, names, labels)
    return _made("speaker", scores, gap, dealt, p_value, "clips are dealt out over the people")


def sex_gap(
    answered: Labels,
    true: Labels,
    people: Sequence[str],
    sexes: Sequence[str | None],
    labels: int,
    seed: int = 0,
) -> GroupGap | None:
    """Gap between the sexes over the people whose sex is known; None where fewer than two occur.

    What chance makes of it: the sexes are dealt out anew over the people, whose clips stay
    together: all different dealings where they are few, else random ones.
    """
    known = [i for i, sex in enumerate(sexes) if sex is not None]
    if len({sexes[i] for i in known}) < 2:
        return None
    answered, true = answered[known], true[known]
    people = [people[i] for i in known]
    own = [str(sexes[i]) for i in known]
    groups = sorted(set(own))
    names = sorted(set(people))
    member = _membership(people, names)
    hits, counts = member.T @ (answered == true).astype(np.float64), member.sum(0)
    sex_of = dict(zip(people, own, strict=True))
    first = np.array([sex_of[name] == groups[0] for name in names])

    def gap_of(chosen: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
        inside, outside = chosen.astype(np.float64), (~chosen).astype(np.float64)
        return np.asarray(
            np.abs(inside @ hits / (inside @ counts) - outside @ hits / (outside @ counts))
        )

    gap = float(gap_of(first[None])[0])
    few = comb(len(names), int(first.sum())) <= DEALINGS
    dealt = gap_of(_dealings(len(names), int(first.sum()), seed, every=few))
    larger = int((dealt >= gap - 1e-12).sum())
    p_value = larger / len(dealt) if few else (1 + larger) / (1 + len(dealt))
    scores = _scores(answered, true, people, own, groups, labels)
    return _made("sex", scores, gap, dealt, p_value, "sexes are dealt out over the people")


def _dealings(count: int, chosen: int, seed: int, *, every: bool) -> npt.NDArray[np.bool_]:
    if every:
        rows = np.zeros((comb(count, chosen), count), bool)
        for row, places in enumerate(combinations(range(count), chosen)):
            rows[row, list(places)] = True
        return rows
    order = np.argsort(np.random.default_rng(seed).random((DEALINGS, count)), axis=1)
    return np.asarray(order < chosen)


def _membership(members: Sequence[str], names: Sequence[str]) -> npt.NDArray[np.float64]:
    place = {name: i for i, name in enumerate(names)}
    table = np.zeros((len(members), len(names)))
    table[np.arange(len(members)), [place[m] for m in members]] = 1.0
    return table


def _gap(hits: npt.NDArray[np.float64], member: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    accuracy = hits @ member / member.sum(0)
    return np.asarray(accuracy.max(1) - accuracy.min(1))


def _scores(
    answered: Labels,
    true: Labels,
    people: Sequence[str],
    groups: Sequence[str],
    names: Sequence[str],
    labels: int,
) -> tuple[GroupScore, ...]:
    found = []
    for name in names:
        inside = np.array([group == name for group in groups])
        metrics = score(answered[inside], true[inside], labels)
        found.append(
            GroupScore(
                group=name,
                clips=metrics.count,
                people=len({p for p, there in zip(people, inside, strict=True) if there}),
                accuracy=metrics.accuracy,
                recall=metrics.recall,
            )
        )
    return tuple(found)


def _made(
    grouping: str,
    scores: tuple[GroupScore, ...],
    gap: float,
    dealt: npt.NDArray[np.float64],
    p_value: float,
    how: str,
) -> GroupGap:
    median, high = (float(x) for x in np.percentile(dealt, [50, 95]))
    larger = "larger than" if p_value < 0.05 else "within"
    note = (
        f"The gap of {100 * gap:.1f} points is {larger} what chance makes of it "
        f"({100 * median:.1f} points in the middle, {100 * high:.1f} in 95 % of {len(dealt)} "
        f"dealings, in which {how})."
    )
    return GroupGap(
        grouping="sex" if grouping == "sex" else "speaker",
        groups=scores,
        gap=float(gap),
        random_gap_median=median,
        random_gap_95=high,
        p_value=float(p_value),
        dealings=len(dealt),
        note=note,
    )
