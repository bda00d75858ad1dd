"""Which precision the default bundle ships: measured on a bare CPU, chosen by the figures.

    python -m recipes.default_bundle.precision --data DIR --write docs/engines.md
    python -m recipes.default_bundle.precision --data DIR --apply

fp32, fp16 and int8 are made from one bundle, int8 calibrated on people of its training part. All
are run over the same held-out people (every clip of the bundle's test part) and timed in turn, in
processor time, one thread. Those that pass the gate compete: the fastest wins, and of two that are
as fast the smaller.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.console import Console

from edge_ser.bundles.loading import Bundle, default_bundle_path, load_bundle
from edge_ser.bundles.schema import GraphName, next_version
from edge_ser.errors import ConfigError
from edge_ser.export.bundles.derived import NewGraph, read_report, write_derived
from edge_ser.export.comparison.compare import VariantReport, compare
from edge_ser.export.data.clip_set import read_clips
from edge_ser.export.variants.variant import Variant
from recipes.command_line import run
from recipes.default_bundle.clip_features import write_clip_set
from recipes.documents.markdown import table
from recipes.documents.measured_section import host, write_section

PRECISIONS: Final = ("fp32", "fp16", "int8")
SECTION: Final = "measured: CPU precisions"
PACKAGES: Final = ("edge-ser", "onnxruntime", "onnx")

_AS_FAST: Final = 0.03
"""Two variants whose times differ by less are as fast: timing on a shared machine is no better."""

_CALIBRATION_CLIPS: Final = 96
_SUBSETS: Final = ("audio", "text", "video")
_GRAPHS: Final[Mapping[str, GraphName]] = {"audio": "acoustic", "text": "text", "video": "face"}


@dataclass(frozen=True)
class Choice:
    """The precision that wins.

    Attributes:
        precision: one of `PRECISIONS`.
        reason: in a sentence.
    """

    precision: str
    reason: str


_SPEED_HEADS: Final = (
    *("precision", "graphs, MB", "3 s of a clip, ms", "times as fast"),
    *("next 0.5 s live, ms", "times as fast"),
)
_ACCURACY_HEADS: Final = (
    *("modality", "clips (people)", "precision", "accuracy", "loss [95 %], points"),
    *("macro F1", "calibration error", "same label as fp32", "gate"),
)


def integer_instructions() -> list[str]:
    """What the processor has for products of 8 bits, as Linux calls it."""
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8", errors="replace").splitlines()
    except OSError:
        return []
    flags = {
        flag
        for line in lines
        if line.startswith(("flags", "Features"))
        for flag in line.partition(":")[2].split()
    }
    wanted = ("avx2", "avx512bw", "avx512_vnni", "avx_vnni", "amx_int8", "asimddp", "i8mm")
    return [flag for flag in wanted if flag in flags]


def choose(reports: Sequence[VariantReport], finished: Collection[str] = ()) -> Choice:
    """The fastest of the variants that pass the gate; of those as fast, the smallest.

    Args:
        reports: the reference in fp32 first.
        finished: graphs that came in int8: the fusion was trained and calibrated on what they
            answer, so their loss against a float that never shipped is no reason.

    Raises:
        ConfigError: the reference did not run, or was not timed.
    """
    if not reports or reports[0].pipeline is None:
        raise ConfigError("the reference in fp32 was not run: there is nothing to choose by")
    times, refused = {}, []
    for report in reports:
        if report.pipeline is None:
            continue
        failed = [
            subset
            for subset, verdict in report.verdicts.items()
            if not verdict.passed and _GRAPHS[subset] not in finished
        ]
        if set(report.forced) - set(finished) or failed:
            refused.append(f"{report.variant.precision} fails ({', '.join(failed) or 'tolerance'})")
        else:
            times[report.variant.precision] = (report.pipeline.p50, report.megabytes)
    fastest = min(ms for ms, _ in times.values())
    level = {p: size for p, (ms, size) in times.items() if ms <= fastest * (1 + _AS_FAST)}
    best = min(level, key=level.__getitem__)
    why = "the fastest" if len(level) == 1 else "the smallest of the fastest"
    return Choice(best, f"{why} that passes the gate" + "".join(f"; {r}" for r in refused))


def measure(
    bundle: Bundle,
    data: Path | None,
    keep: Path,
    *,
    calibration: Path | None = None,
    clips: Path | None = None,
    limit: int | None = None,
    rounds: int = 15,
    console: Console | None = None,
) -> list[VariantReport]:
    """Make and compare every precision.

    Args:
        bundle: the bundle, in any precision.
        data: folder with the default data; needed where a set of clips is not given.
        keep: folder in which sets of clips and the bundles of every precision are left.
        calibration: a set of clips of people who train; None makes it.
        clips: a set of clips of held-out people; None makes it.
        limit: at most so many held-out clips.
        rounds: how often times are taken.
        console: for progress.

    Raises:
        ConfigError: data are missing.
        EdgeSerError: a clip cannot be read, or a graph fails.
    """

    def tell(step: str) -> None:
        if console is not None:
            console.print(step, highlight=False)

    def made(given: Path | None, part: Any, count: int | None) -> Path:
        if given is not None:
            return given
        if data is None:
            raise ConfigError("name the folder of data (--data), or sets of clips")
        tell(f"reading the {part} part")
        chosen: Path = keep / part
        write_clip_set(bundle, data, part, chosen, count)
        return chosen

    calibration = made(calibration, "train", _CALIBRATION_CLIPS)
    held_out = read_clips(made(clips, "test", None), bundle.manifest, limit)
    variants = [Variant("onnxruntime", precision) for precision in PRECISIONS]
    return compare(
        bundle,
        variants,
        held_out,
        calibration=calibration,
        rounds=rounds,
        progress=tell,
        keep=keep,
        clock=time.process_time,
    )


def markdown(reports: Sequence[VariantReport], choice: Choice, rounds: int) -> str:
    """The figures as tables of a document, with host and versions."""
    first = reports[0]
    others = [r.variant.precision for r in reports[1:]]
    graphs = [
        [
            graph,
            *(f"{r.graphs[graph].times.p50:.2f}" for r in reports),
            *(f"{r.graphs[graph].largest:.2g}" for r in reports[1:]),
        ]
        for graph in first.graphs
    ]
    accuracies = [
        _accuracy(subset, report)
        for subset in _SUBSETS
        if subset in first.verdicts
        for report in reports
    ]
    lines = [
        *table(_SPEED_HEADS, [_speed(report, first) for report in reports]),
        "",
        *table(
            [
                "graph",
                *(f"{r.variant.precision}, ms" for r in reports),
                *(f"{precision} differs by" for precision in others),
            ],
            graphs,
        ),
        "",
        *table(_ACCURACY_HEADS, accuracies),
        "",
        f"Chosen: {choice.precision}, {choice.reason}. Times are processor time, medians of "
        f"{rounds} rounds, precisions in turn within each, one thread; {host(PACKAGES)}; "
        f"instructions: {', '.join(integer_instructions()) or 'unknown'}.",
    ]
    return "\n".join(lines)


def _speed(report: VariantReport, first: VariantReport) -> tuple[str, ...]:
    cells = [report.variant.precision, f"{report.megabytes:.1f}"]
    for times, reference in ((report.pipeline, first.pipeline), (report.live, first.live)):
        if times is None or reference is None:
            cells += ["", ""]
        else:
            cells += [f"{times.p50:.1f}", f"{reference.p50 / times.p50:.2f}"]
    return tuple(cells)


def _accuracy(subset: str, report: VariantReport) -> tuple[str, ...]:
    verdict = report.verdicts[subset]
    accuracy, f1, calibration = verdict.losses
    interval = f"{100 * accuracy.loss:+.2f} [{100 * accuracy.low:+.2f}, {100 * accuracy.high:+.2f}]"
    return (
        *(subset, f"{verdict.clips} ({verdict.people})", report.variant.precision),
        *(f"{accuracy.value:.4f}", interval, f"{f1.value:.4f}", f"{calibration.value:.4f}"),
        *(f"{verdict.agreement:.2%}", str(verdict)),
    )


def apply(
    bundle: Bundle,
    chosen: Bundle,
    reports: Sequence[VariantReport],
    choice: Choice,
    version: str | None = None,
    finished: Collection[GraphName] = (),
) -> None:
    """Put the graphs of the chosen precision in the place of the bundle's, as its next version.

    Where int8 won, graphs that came in int8 (`finished`) stay as they are, byte by byte.

    Raises:
        ConfigError: the bundle's folder cannot be written.
    """
    report: Mapping[str, Any] = {
        **read_report(chosen),
        "chosen": {
            "precision": choice.precision,
            "reason": choice.reason,
            "host": host(PACKAGES),
            "variants": [asdict(r) for r in reports],
        },
    }
    version = version or next_version(bundle.manifest.version)
    kept = finished if choice.precision == "int8" else ()
    graphs = {name: NewGraph(bundle.graph(name).content, "int8") for name in kept}
    write_derived(chosen, bundle.folder, graphs, report, version=version)


def command(
    data: Annotated[Path | None, typer.Option(help="Folder with the data sets.")] = None,
    bundle: Annotated[Path | None, typer.Option(help="A bundle's folder.")] = None,
    calibration: Annotated[
        Path | None, typer.Option(help="A set of clips of people who train.")
    ] = None,
    clips: Annotated[Path | None, typer.Option(help="A set of clips of held-out people.")] = None,
    limit: Annotated[int | None, typer.Option(help="At most so many held-out clips.")] = None,
    rounds: Annotated[int, typer.Option(help="How often times are taken.")] = 15,
    write: Annotated[
        Path | None, typer.Option(help="Document whose measured block is replaced.")
    ] = None,
    apply_it: Annotated[
        bool, typer.Option("--apply", help="Put the winner into the bundle.")
    ] = False,
    version: Annotated[
        str | None, typer.Option(help="Of the bundle with the winner (default: the next one).")
    ] = None,
) -> None:
    """Measure the precisions of the default bundle, and choose the one that ships.

    A complete command: python -m recipes.default_bundle.precision --data data
    """
    console = Console(stderr=True)
    source = load_bundle(bundle or default_bundle_path())
    with tempfile.TemporaryDirectory(prefix="edge-ser-") as folder:
        reports = measure(
            source,
            data,
            Path(folder),
            calibration=calibration,
            clips=clips,
            limit=limit,
            rounds=rounds,
            console=console,
        )
        # What a pass has written before is made again; what came finished is not.
        made = read_report(source).get("graphs", {})
        graphs = source.manifest.graphs.items()
        finished = {n for n, graph in graphs if graph.precision == "int8" and n not in made}
        choice = choose(reports, finished)
        text = markdown(reports, choice, rounds)
        if write is not None:
            write_section(write, SECTION, text)
        if apply_it:
            chosen = load_bundle(Path(folder) / str(PRECISIONS.index(choice.precision)))
            apply(source, chosen, reports, choice, version, finished)
    typer.echo(text)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; gives the exit code."""
    return run(command, arguments)


if __name__ == "__main__":
    sys.exit(main())
