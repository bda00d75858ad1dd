"""Build every graph of a bundle with TensorRT for RTX, for several GPUs that are not here.

    python -m recipes.documents.engine_times --write docs/engines.md

Each graph is written in fp32, fp16 and int8, linted, and compiled for each target into a cache that
is thrown away. int8 needs ranges: those that the bundle carries, or a set of clips
(`--calibration`).
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console

from edge_ser.bundles.loading import Bundle, default_bundle_path, load_bundle
from edge_ser.export.engines.compiling import EngineReport, build_engines, build_targets
from edge_ser.export.variants.typed_bundle import PrecisionOptions, typed_bundle
from edge_ser.runtime.engine_cache import EngineCache
from edge_ser.runtime.tensorrt.api import load_tensorrt
from recipes.command_line import run
from recipes.documents.markdown import table
from recipes.documents.measured_section import host, write_section

SECTION: Final = "measured: RTX builds"
TARGETS: Final = ("sm86", "sm89", "sm120")
PRECISIONS: Final = ("fp32", "fp16", "int8")
PACKAGES: Final = ("edge-ser", "tensorrt-rtx-cu13", "onnx")

Row = tuple[str, EngineReport, float, int]
"""Precision, engine, largest difference from fp32, and findings of the lint."""


def build_all(
    bundle: Bundle, targets: Sequence[str], calibration: Path | None, console: Console | None = None
) -> list[Row]:
    """Build every graph in every precision for every target.

    Raises:
        ConfigError: a target is unknown, or int8 has no ranges.
        EngineError: a graph is not fit for TensorRT or does not compile.
        MissingExtraError: TensorRT for RTX is not installed.
    """
    api = load_tensorrt("tensorrt-rtx")
    targets = build_targets("tensorrt-rtx", targets, api, None)
    rows = []
    for precision in PRECISIONS:
        options = PrecisionOptions(
            target="tensorrt",
            fp16=precision == "fp16",
            int8=precision == "int8",
            calibration=calibration if precision == "int8" else None,
        )
        typed = typed_bundle(bundle, options)
        with tempfile.TemporaryDirectory(prefix="edge-ser-") as folder:
            if console is not None:
                console.print(f"{precision}: compiling for {', '.join(targets)}", highlight=False)
            cache = EngineCache(Path(folder))
            reports = build_engines(bundle, typed, api, targets, cache=cache, capability=None)
        for report in reports:
            graph = typed.graphs[report.graph]
            rows.append((precision, report, graph.difference.largest, len(graph.warnings)))
    return rows


def markdown(rows: Sequence[Row]) -> str:
    """One row for each graph and precision, with host and versions."""
    targets = list(dict.fromkeys(report.target for _, report, _, _ in rows))
    lines: dict[tuple[str, str], list[str]] = {}
    for precision, report, difference, warnings in rows:
        key = (report.graph, precision)
        line = lines.setdefault(key, [*key, str(warnings), f"{difference:.2g}"])
        line.append(f"{report.seconds:.1f} s, {report.size / 1e6:.1f} MB")
    heads = ["graph", "precision", "lint findings", "largest difference from fp32", *targets]
    slowest = max(report.seconds for _, report, _, _ in rows)
    last = f"Slowest build: {slowest:.1f} s. No GPU; {host(PACKAGES)}."
    return "\n".join([*table(heads, lines.values()), "", last])


def command(
    bundle: Annotated[Path | None, typer.Option(help="A bundle's folder.")] = None,
    calibration: Annotated[
        Path | None, typer.Option(help="A set of clips, where ranges are missing.")
    ] = None,
    target: Annotated[list[str] | None, typer.Option(help="sm86 ...; may be repeated.")] = None,
    write: Annotated[
        Path | None, typer.Option(help="Document whose measured section is replaced.")
    ] = None,
) -> None:
    """Build every engine of the bundle and tell how long it takes and how large it is.

    A complete command: python -m recipes.documents.engine_times --write docs/engines.md
    """
    source = load_bundle(bundle or default_bundle_path())
    rows = build_all(source, target or TARGETS, calibration, Console(stderr=True))
    text = markdown(rows)
    if write is not None:
        write_section(write, SECTION, text)
    typer.echo(text)


if __name__ == "__main__":
    sys.exit(run(command))
