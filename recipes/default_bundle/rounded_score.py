"""A figure as a bundle's card states it: four digits, beside its chance and its protocol."""

from __future__ import annotations

from edge_ser.bundles.schema import Score


def rounded_score(
    task: str, metric: str, value: float, chance: float, protocol: str, spread: float | None = None
) -> Score:
    """Round a figure, its spread and its chance to four digits."""
    return Score(
        task=task,
        metric=metric,
        value=round(value, 4),
        spread=None if spread is None else round(spread, 4),
        chance=round(chance, 4),
        protocol=protocol,
    )
