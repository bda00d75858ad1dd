"""One window: the evidence of three modalities in, one decision out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Protocol

from edge_ser.bundles.loading import Bundle
from edge_ser.constants import MODALITIES, Modality
from edge_ser.pipeline.encoders import Encoded
from edge_ser.pipeline.fusion import Fused
from edge_ser.pipeline.timing import StageTimer
from edge_ser.result import Decision, ModalityReport, Window
from edge_ser.runtime.session import FloatTensor
from edge_ser.speaker.adaptation import SpeakerMap


class Fuses(Protocol):
    """What makes probabilities of tokens: `edge_ser.pipeline.fusion.Fusion`."""

    def fuse(self, tokens: Mapping[Modality, FloatTensor]) -> Fused:
        """Fuse the tokens of the modalities that are present."""


def decide(
    bundle: Bundle,
    fusion: Fuses,
    window: Window,
    encoded: Mapping[Modality, Encoded],
    timer: StageTimer,
    speaker: SpeakerMap | None = None,
) -> Decision:
    """Fuse what the encoders gave for one window, calibrate, or abstain.

    Args:
        bundle: gives labels and name.
        fusion: the bundle's fusion.
        window: the span that was looked at.
        encoded: one entry for each modality.
        timer: gets the stage ``fusion``.
        speaker: moves the tokens of the sound by a person's own statistics; None: nobody enrolled.

    Raises:
        EngineError: if a backend fails.
    """
    heard = encoded["audio"]
    if speaker is not None and heard.tokens is not None:
        adapted = Encoded(speaker(heard.tokens), None, (*heard.notes, speaker.note))
        encoded = {**encoded, "audio": adapted}
    tokens = {m: e.tokens for m, e in encoded.items() if e.tokens is not None}
    labels = bundle.manifest.labels
    fused: Fused | None = None
    if tokens:
        with timer.stage("fusion"):
            fused = fusion.fuse(tokens)
    reports = {
        m: ModalityReport(
            present=m in tokens,
            contribution=fused.contributions[m] if fused is not None and m in tokens else None,
            reason=None if m in tokens else (e.reason or "absent"),
            notes=e.notes,
        )
        for m, e in encoded.items()
    }
    if fused is None:
        reasons = "; ".join(f"no {m}: {reports[m].reason}" for m in MODALITIES)
        return Decision(
            label=None,
            probabilities=dict.fromkeys(labels, 1.0 / len(labels)),
            modalities=reports,
            abstained=True,
            abstain_reason=f"nothing to decide from ({reasons})",
            window=window,
            bundle=bundle.reference,
            timing_ms=timer.stages(),
        )
    probabilities = {label: float(p) for label, p in zip(labels, fused.probabilities, strict=True)}
    return _decision(bundle, probabilities, reports, fused.minimum_confidence, window, timer)


def merge(bundle: Bundle, decisions: Sequence[Decision], timer: StageTimer) -> Decision:
    """One decision for a clip that was too long for one window.

    Probabilities are the mean over the windows that decided, weighted by their length: the share of
    the clip that each label is likely to hold. When every window abstained, so does the clip.

    Args:
        bundle: the bundle that decided.
        decisions: one for each window, in order, at least one.
        timer: the timer of the whole clip.
    """
    window = Window(decisions[0].window.start, decisions[-1].window.end)
    if len(decisions) == 1:
        return replace(decisions[0], window=window, timing_ms=timer.stages())
    decided = [i for i, d in enumerate(decisions) if not d.abstained]
    seen = decided or [i for i, d in enumerate(decisions) if d.present]
    reports = {m: _merged_report([d.modalities[m] for d in decisions]) for m in MODALITIES}
    if not seen:
        return replace(decisions[0], modalities=reports, window=window, timing_ms=timer.stages())
    weights = {i: max(decisions[i].window.end - decisions[i].window.start, 1) for i in seen}
    total = sum(weights.values())
    probabilities = {
        label: sum(w * decisions[i].probabilities[label] for i, w in weights.items()) / total
        for label in bundle.manifest.labels
    }
    # A mixture of windows that each decided is less peaked than any of them: it is a share of time,
    # and no threshold for a single window applies to it.
    merged = _decision(bundle, probabilities, reports, 0.0, window, timer)
    if decided:
        return merged
    return replace(
        merged,
        label=None,
        abstained=True,
        abstain_reason=f"every one of {len(decisions)} windows abstained; "
        f"most often: {_most_common([d.abstain_reason for d in decisions])}",
    )


def _decision(
    bundle: Bundle,
    probabilities: dict[str, float],
    reports: dict[Modality, ModalityReport],
    threshold: float,
    window: Window,
    timer: StageTimer,
) -> Decision:
    best = max(probabilities, key=lambda label: probabilities[label])
    abstained = probabilities[best] < threshold
    return Decision(
        label=None if abstained else best,
        probabilities=probabilities,
        modalities=reports,
        abstained=abstained,
        abstain_reason=(
            f"too little evidence: the likeliest label, {best}, has probability "
            f"{probabilities[best]:.2f}, and {threshold:.2f} is needed"
            if abstained
            else None
        ),
        window=window,
        bundle=bundle.reference,
        timing_ms=timer.stages(),
    )


def _merged_report(reports: Sequence[ModalityReport]) -> ModalityReport:
    values = [r.contribution for r in reports if r.contribution is not None]
    present = any(r.present for r in reports)
    notes = list(dict.fromkeys(note for r in reports for note in r.notes))
    absent = [r.reason for r in reports if not r.present]
    if present and absent:
        notes.append(f"absent in {len(absent)} of {len(reports)} windows: {_most_common(absent)}")
    return ModalityReport(
        present=present,
        contribution=sum(values) / len(values) if values else None,
        reason=None if present else _most_common(absent),
        notes=tuple(notes),
    )


def _most_common(reasons: Sequence[str | None]) -> str:
    counted = Counter(reason for reason in reasons if reason)
    return counted.most_common(1)[0][0] if counted else "unknown"
