"""The table of docs/live.md from the figures of `bench_live.py`."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, Final

from recipes.documents.markdown import table
from recipes.documents.measured_section import host

PACKAGES: Final = (
    "edge-ser",
    "onnxruntime",
    "numpy",
    "av",
)


def document(figures: Mapping[str, Mapping[str, Any]]) -> str:
    """The figures as Markdown, with host and versions."""
    live, threads = figures["live"], figures["two_threads"]
    eight, twenty, same = figures["8"], figures["20"], figures["agreement"]
    rows: list[Sequence[str]] = [
        (
            f"decision latency, {live['seconds']:.0f} s, {live['decisions']} decisions",
            _latency(live),
            "60 / 150 ms",
            "30 / 80 ms",
        ),
        ("the same, two threads a graph", _latency(threads), "", ""),
        (
            "processor time of a decision (p50 / p99), stream's thread",
            "{p50:.0f} / {p99:.0f} ms".format(**live["cpu_ms_of_a_decision"]),
            "",
            "",
        ),
        (
            "processor time, replaying the recording included",
            f"{live['processor_percent_of_a_core']:.0f} % of a core (replaying alone "
            f"{live['replay_alone_percent_of_a_core']:.0f} %)",
            "60 %",
            "30 %",
        ),
        ("memory without speech to text", f"{live['resident_mb']:.0f} MB", "250 MB", "150 MB"),
        (
            "memory with speech to text",
            f"{figures['asr']['resident_mb']:.0f} MB",
            "450 MB",
            "300 MB",
        ),
        ("latency with speech to text", _latency(figures["asr"]), "", ""),
        (
            f"clip against live, {same['windows']} windows of {same['clips']} clips",
            f"same label in {same['same_label_percent']:.1f} %",
            "99 %",
            "",
        ),
        ("8 conversations, sound and words", _many(eight), "in real time", ""),
        ("20 conversations, sound and words", _many(twenty), "", "in real time"),
    ]
    if "accuracy" in figures:
        one = figures["accuracy"]
        lost = one["clip_accuracy_percent"] - one["live_accuracy_percent"]
        rows += [
            (
                f"accuracy on {one['clips']} RAVDESS clips of unseen actors, sound alone: "
                "whole clip / live",
                f"{one['clip_accuracy_percent']:.1f} % / {one['live_accuracy_percent']:.1f} %, "
                f"{lost:.1f} points lost",
                "the paper: 2.2 points lost, under 200 ms",
                "",
            ),
            (
                f"the same over all {one['windows']} full windows",
                f"{one['live_every_full_window_percent']:.1f} %",
                "",
                "",
            ),
            (
                "the label shown at the clip's end",
                f"right in {one['shown_label_accuracy_percent']:.1f} % of the "
                f"{one['shown_label_percent_of_clips']:.0f} % of clips that have one",
                "",
                "",
            ),
        ]
    stages = ", ".join(f"{k.replace('_', ' ')} {v:.0f}" for k, v in live["stages_ms_p50"].items())
    return "\n".join(
        [
            *table(("", "measured", "bar", "stretch"), rows),
            "",
            f"Median milliseconds of a decision's stages, on the wall clock: {stages}. `waited` is "
            "from the end of the window until its last sound had come and work began; the stages "
            "face detection, face and text mostly ran before that.",
            "",
            _host(figures),
        ]
    )


def _latency(figures: Mapping[str, Any]) -> str:
    spread = figures["latency_ms"]
    return f"{spread['p50']:.0f} / {spread['p99']:.0f} ms"


def _many(figures: Mapping[str, Any]) -> str:
    late = (
        f"{figures['hops_skipped']} hops skipped" if figures["hops_skipped"] else "no hop skipped"
    )
    refused = figures["audio_refused_samples"]
    lost = f", {refused} samples of sound refused" if refused else ""
    return (
        f"{late}{lost}, latency {_latency(figures)}, "
        f"{figures['processor_percent_of_a_core']:.0f} % of a core, "
        f"{figures['resident_mb']:.0f} MB"
    )


def _host(figures: Mapping[str, Mapping[str, Any]]) -> str:
    loads = [value for part in figures.values() for value in part.get("load_average", ())]
    policy = {os.SCHED_RR: "real-time", os.SCHED_FIFO: "real-time"}.get(os.sched_getscheduler(0))
    how = "at normal priority" if policy is None else f"at {policy} priority (chrt -r)"
    return (
        f"{host(PACKAGES)}; {date.today().isoformat()}. Load average of the machine meanwhile: "
        f"{min(loads):.1f} to {max(loads):.1f} (other work; the benchmark itself needs about half "
        f"a core and ran {how})."
    )
