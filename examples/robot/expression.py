"""A decision as what ROS 2's `hri_msgs/Expression` carries; nothing of ROS is needed for it.

The message (ROS4HRI, REP-155) has a header, one of a list of expressions by name, valence and
arousal from -1 to 1, and a confidence from 0 to 1.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from edge_ser import LiveDecision

NAMES: Final[Mapping[str, str]] = {
    "neutral": "neutral",
    "happy": "happy",
    "sad": "sad",
    "angry": "angry",
    "fearful": "scared",
    "disgust": "disgusted",
    "surprised": "surprised",
}
"""The default bundle's labels, by the names that the message lists."""

CIRCUMPLEX: Final[Mapping[str, tuple[float, float]]] = {
    "neutral": (0.0, 0.0),
    "happy": (0.9, 0.3),
    "sad": (-0.8, -0.4),
    "angry": (-0.6, 0.8),
    "fearful": (-0.5, 0.85),
    "disgust": (-0.7, 0.4),
    "surprised": (0.2, 0.9),
}
"""Rough valence and arousal of the labels, after the circumplex of affect (J. A. Russell, 1980).
They are derived from the label's probabilities: the model measures no valence of its own."""


@dataclass(frozen=True)
class Expression:
    """Fields of one message, without its header's frame."""

    expression: str
    valence: float
    arousal: float
    confidence: float
    age: float
    """Seconds since the newest sound or picture that it rests on: the stamp is that much ago."""


def expression_of(decision: LiveDecision) -> Expression | None:
    """What to publish; None where no emotion is named: a robot must not be told an invented one."""
    label = decision.steady_label
    if label is None or decision.abstained or label not in NAMES:
        return None
    known = {k: p for k, p in decision.probabilities.items() if k in CIRCUMPLEX}
    total = sum(known.values())
    valence, arousal = (
        sum(p * CIRCUMPLEX[k][axis] for k, p in known.items()) / total for axis in (0, 1)
    )
    return Expression(
        expression=NAMES[label],
        valence=max(-1.0, min(1.0, valence)),
        arousal=max(-1.0, min(1.0, arousal)),
        confidence=decision.probabilities[label],
        age=(decision.latency_ms or 0.0) / 1000,
    )
