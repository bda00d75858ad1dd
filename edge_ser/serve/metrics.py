"""What `/metrics` tells: counts and times by Prometheus' names, and nothing of a person.

No transcript, no picture, no address and no conversation is in them; labels are counted over all
who were heard.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any, Final
from weakref import WeakKeyDictionary

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, generate_latest

from edge_ser.result import BundleReference, Decision, LiveDecision

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
_SECONDS: Final = (0.005, 0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
_SHARES: Final = tuple(tenth / 10 for tenth in range(1, 11))
_REASONS: Final = {
    "nothing to decide from": "nothing_to_decide_from",
    "too little evidence": "too_little_evidence",
}
"""How a reason for an abstention reads, and its short name: the sentence holds figures."""


class Metrics:
    """Thread contract: every method from any thread."""

    def __init__(
        self,
        bundle: BundleReference,
        conversations: Callable[[], int],
        clips: Callable[[], int],
    ) -> None:
        """Begin to count.

        Args:
            bundle: decides.
            conversations: how many are open now.
            clips: how many are being sent, wait, or are being decided now.
        """
        self.registry = CollectorRegistry()
        own: dict[str, Any] = {"registry": self.registry, "namespace": "edge_ser"}
        self._decisions = Counter("decisions", "Decisions made", ["source"], **own)
        self._labels = Counter("labels", "Decisions that name a label", ["label"], **own)
        self._abstentions = Counter("abstentions", "Decisions that name none", ["reason"], **own)
        self._present = Counter("present", "Decisions that rest on a modality", ["modality"], **own)
        self._confidence = Histogram(
            "confidence", "Probability of the likeliest label", buckets=_SHARES, **own
        )
        self._stages = Histogram(
            "stage_seconds", "Time that a stage took", ["source", "stage"], buckets=_SECONDS, **own
        )
        self._latency = Histogram(
            "latency_seconds",
            "From the newest sample or picture used to the decision",
            buckets=_SECONDS,
            **own,
        )
        self._oldest = Histogram(
            "oldest_age_seconds",
            "Age of the oldest sample or picture used",
            buckets=_SECONDS,
            **own,
        )
        self._troubles = Counter(
            "stream_troubles", "What went wrong in live streams (StreamHealth)", ["what"], **own
        )
        self._responses = Counter("http_responses", "Answers to requests", ["status"], **own)
        gauge = Gauge("conversations", "Live conversations that are open", **own)
        gauge.set_function(conversations)
        waiting = Gauge("clips", "Clips that are being sent, wait, or are being decided", **own)
        waiting.set_function(clips)
        Info("bundle", "What decides", **own).info(
            {"name": bundle.name, "version": bundle.version, "hash": bundle.hash}
        )
        self._counted: WeakKeyDictionary[object, dict[str, int]] = WeakKeyDictionary()

    def responded(self, status: int) -> None:
        """Count an answer to a request."""
        self._responses.labels(str(status)).inc()

    def decided(self, decision: Decision) -> None:
        """Count a decision."""
        live = isinstance(decision, LiveDecision)
        source = "live" if live else "clip"
        self._decisions.labels(source).inc()
        if decision.label is not None:
            self._labels.labels(decision.label).inc()
        else:
            self._abstentions.labels(_short(decision.abstain_reason)).inc()
        for modality in decision.present:
            self._present.labels(modality).inc()
        if decision.present:
            self._confidence.observe(decision.confidence)
        for stage, milliseconds in decision.timing_ms.items():
            self._stages.labels(source, stage).observe(milliseconds / 1000)

    def decided_live(self, conversation: object, decision: LiveDecision) -> None:
        """Count a decision of a conversation, and what went wrong in it since the last."""
        self.decided(decision)
        if decision.latency_ms is not None:
            self._latency.observe(decision.latency_ms / 1000)
        if decision.oldest_age_ms is not None:
            self._oldest.observe(decision.oldest_age_ms / 1000)
        before = self._counted.get(conversation, {})
        now = {k: v for k, v in asdict(decision.health).items() if type(v) is int and v}
        for what, count in now.items():
            self._troubles.labels(what).inc(count - before.get(what, 0))
        self._counted[conversation] = now

    def text(self) -> bytes:
        """All of it, in Prometheus' text format."""
        return generate_latest(self.registry)


def _short(reason: str | None) -> str:
    return next((name for says, name in _REASONS.items() if says in (reason or "")), "other")
