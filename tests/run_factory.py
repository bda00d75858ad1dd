"""Makes predictions of runs with people and a share of right answers, for tests of scores."""

from __future__ import annotations

import numpy as np

from edge_ser.export.evaluation.predictions import FoldResult, RunResult

LABELS = ("neutral", "happy", "sad")


def make_fold(
    name: str, people: tuple[str, ...], right: float, seed: int, **more: object
) -> FoldResult:
    """Twelve clips of each person, of which a share is answered rightly."""
    generator = np.random.default_rng(seed)
    true = np.tile(np.arange(12) % 3, len(people))
    answer = np.where(generator.random(len(true)) < right, true, (true + 1) % 3)
    rows = np.log(np.where(np.eye(3)[answer] > 0, 0.8, 0.1))
    return FoldResult(
        name,
        LABELS,
        "people held out",
        str(more.pop("warning", "")),
        tuple(f"{p}-{i}" for p in people for i in range(12)),
        tuple(p for p in people for _ in range(12)),
        tuple("female" if int(p) % 2 else "male" for p in people for _ in range(12)),
        true,
        rows,
        1_000_000,
        60.0,
        **more,
    )


def make_run(right: float, **more: object) -> RunResult:
    folds = [("f1", ("1", "2", "3")), ("f2", ("4", "5", "6"))]
    return RunResult(
        "a-run", LABELS, tuple(make_fold(n, p, right, i, **more) for i, (n, p) in enumerate(folds))
    )
