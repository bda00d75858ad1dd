"""The report that a device is signed off with: measure, judge, compare, write."""

from __future__ import annotations

import datetime
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

import edge_ser._kernels as compiled
from edge_ser import __version__
from edge_ser.bundles.loading import Bundle, load_bundle
from edge_ser.calibration.device.host import Watch, host_facts
from edge_ser.calibration.device.host_result import HostFacts
from edge_ser.calibration.performance.clip import LatencyClip, load_latency_clip
from edge_ser.calibration.report.compare import compare_reports, refuse_incomparable
from edge_ser.calibration.report.measure import Measurer
from edge_ser.calibration.report.page import render_page
from edge_ser.calibration.report.parts import ReportParts
from edge_ser.calibration.report.request import ReportRequest
from edge_ser.calibration.report.result import BundleFacts, Report
from edge_ser.calibration.report.verdict import Judge
from edge_ser.errors import ConfigError
from edge_ser.export.progress import Progress, silent
from edge_ser.files import companion, file_sha256, write_atomically

NO_DATA = (
    "No labelled clips were given, so nothing is said about how right the bundle is here; "
    "name their folder with --data."
)
_LARGEST_REPORT = 64 * 1024 * 1024


def make_report(request: ReportRequest, progress: Progress | None = None) -> Report:
    """Measure, judge and write a report: the page, and the same as JSON beside it.

    What was measured is kept in a folder beside the page until both are written; a run that was
    interrupted goes on from there.

    Args:
        request: what is asked for.
        progress: told of every step.

    Raises:
        ConfigError: something that was asked for cannot be; the message says what to do.
        BundleError, MediaError, EngineError: the bundle, the clip or a backend cannot be used.
        MissingExtraError: a part of edge-ser that is needed is not installed.
    """
    request.check()
    tell = progress or silent
    tell("looking at the machine", 0, 1)
    old = read_report(request.compare) if request.compare is not None else None
    bundle = load_bundle(request.bundle)
    clip = load_latency_clip(request.clip)
    host = host_facts()
    if old is not None:
        refuse_incomparable(old, file_sha256(clip.path), request.data is not None)
    folder = companion(request.output, ".parts")
    watch = Watch()
    with ReportParts(folder, _settled(request, bundle, clip, host)) as parts:
        found = Measurer(request, bundle, clip, parts, tell).measure()
        limits = request.limits
        judge = Judge(found.latency, found.footprint, found.energy, found.accuracy)
        wanted = request.sign_off or request.precisions
        signed = [(v.backend, v.precision) for v in request.variants if v.precision in wanted]
        verdicts = judge.verdicts(limits, signed)
        report = Report(
            made_by=f"edge-ser {__version__}",
            made_at=datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
            seconds=parts.seconds,
            resumed=parts.resumed,
            settings=request.settings(),
            bundle=_bundle_facts(bundle),
            host=host,
            watch=watch.finish(),
            passed=all(v.passed for v in verdicts) if verdicts else None,
            verdicts=verdicts,
            latency=found.latency,
            footprint=found.footprint,
            energy=found.energy,
            accuracy=found.accuracy,
            no_accuracy=None if found.accuracy is not None else NO_DATA,
            robustness=found.robustness,
            comparison=None,
        )
        if old is not None:
            report = report.model_copy(update={"comparison": compare_reports(old, report)})
        tell("drawing", 0, 1)
        page = render_page(report, request.json_path.name)
        write_atomically(request.json_path, (report.model_dump_json(indent=1) + "\n").encode())
        write_atomically(request.output, page.encode())
    parts.remove()
    return report


def read_report(path: Path) -> Report:
    """Read a report's JSON.

    Raises:
        ConfigError: the file is missing, is no report, or is one of another version.
    """
    try:
        if path.stat().st_size > _LARGEST_REPORT:
            raise ConfigError(f"{path} is larger than 64 MiB: it is no report of edge-ser")
        raw = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"cannot read the report {path}: {error.strerror}") from error
    try:
        return Report.model_validate_json(raw)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        raise ConfigError(
            f"{path} is no report that this edge-ser {__version__} can read ({where}: "
            f"{first['msg']}); name the .json that edge-ser report wrote, or make it again"
        ) from error


def _settled(
    request: ReportRequest, bundle: Bundle, clip: LatencyClip, host: HostFacts
) -> dict[str, Any]:
    """Everything that decides what a part holds."""
    return {
        "bundle": bundle.digest,
        "clip": file_sha256(clip.path),
        "words": hashlib.sha256(clip.transcript.text.encode()).hexdigest(),
        "edge_ser": __version__,
        "kernels": file_sha256(Path(compiled.__file__)),
        "host": [host.processor, host.cores, host.system, host.versions],
        "precisions": request.precisions,
        "backends": request.backends,
        "threads": request.threads,
        "decisions": request.decisions,
        "processes": request.processes,
        "hop": request.hop,
        "seed": request.seed,
    }


def _bundle_facts(bundle: Bundle) -> BundleFacts:
    manifest = bundle.manifest
    return BundleFacts(
        name=manifest.name,
        version=manifest.version,
        hash=bundle.digest,
        labels=manifest.labels,
        precisions={str(name): entry.precision for name, entry in manifest.graphs.items()},
        trained_on=tuple(manifest.training.data),
        pairing=manifest.training.pairing,
        intended_use=manifest.intended_use,
        not_for=manifest.not_for,
    )


def failed(report: Report) -> Sequence[str]:
    """The budgets that are not kept, as sentences."""
    lines = []
    for verdict in report.verdicts:
        if verdict.passed:
            continue
        side = "at most" if verdict.at_most else "at least"
        value = (
            "unknown" if verdict.value is None else f"{verdict.value:.4g} {verdict.unit}".strip()
        )
        limit = f"{verdict.limit:g} {verdict.unit}".strip()
        lines.append(f"{verdict.budget}, {verdict.variant}: {value}, {side} {limit} is wanted")
    return lines
