"""Write docs/results.md: train (or read back) every committed configuration and table the scores.

python -m recipes.documents.results --data DIR --output docs/results.md
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Final

import torch
import typer
from rich.console import Console

from edge_ser.export.evaluation.tables import RunScores, markdown, paired_difference, scores
from edge_ser.export.training.config import load_config
from edge_ser.export.training.predictions import RunResult
from edge_ser.export.training.run import train
from edge_ser.files import write_atomically
from recipes.command_line import run
from recipes.documents.measured_section import host

CONFIGS: Final = Path(__file__).parents[2] / "export" / "configs"
COMMAND: Final = "python -m recipes.documents.results --data DIR --output docs/results.md"
PACKAGES: Final = ("edge-ser", "torch", "lightning")
PAIRS: Final = (
    ("ravdess-audio-units-hybrid", "ravdess-audio-units-early"),
    ("ravdess-audio-units-hybrid", "ravdess-audio-units-late"),
    ("ravdess-audio-units-hybrid", "ravdess-audio"),
    ("ravdess-audio-units-hybrid", "ravdess-units"),
    ("ravdess-audio", "ravdess-prosody"),
)


def document(results: Mapping[str, RunResult], pairs: Sequence[tuple[str, str]] = PAIRS) -> str:
    """All tables as one Markdown document."""
    scored = {name: scores(result) for name, result in results.items()}
    lines = [
        "# Results",
        "",
        f"Written by `{COMMAND}`. Every score is on people (speakers) whose recordings the model",
        "never saw while it was trained or selected. ± is the standard deviation over folds; the",
        "interval in brackets is a 95 % bootstrap that draws people, not clips.",
        "",
        "| run | accuracy | unweighted average recall | chance | parameters |",
        "|---|---|---|---|---|",
        *(_row(s) for s in scored.values()),
        "",
        "## Differences on the same clips",
        "",
        "| | points of accuracy, mean ± deviation over folds [95 % over people] |",
        "|---|---|",
    ]
    for first, second in pairs:
        if first in results and second in results:
            gain = paired_difference(results[first], results[second])
            lines.append(f"| {first} less {second} | {gain.points()} |")
    lines += ["", "## Every run", "", *(markdown(s) for s in scored.values())]
    lines += [f"Training takes wall-clock time on {host(PACKAGES)}."]
    return "\n".join(lines) + "\n"


def _row(scored: RunScores) -> str:
    leak = " (LEAKY)" if scored.warning.startswith("LEAKY") else ""
    return (
        f"| {scored.name}{leak} | {scored.accuracy} | {scored.recall} | "
        f"{scored.chance_accuracy:.3f} / {scored.chance_recall:.3f} | "
        f"{scored.parameters / 1e6:.2f} M |"
    )


def command(
    data: Annotated[Path, typer.Option(help="Folder with the data sets.")],
    output: Annotated[Path, typer.Option(help="Markdown file.")],
    configs: Annotated[Path, typer.Option(help="Folder of configurations.")] = CONFIGS,
    runs: Annotated[Path, typer.Option(help="Folder of the runs.")] = Path("runs"),
    only: Annotated[
        list[str] | None, typer.Option(help="Name of a configuration; may be repeated.")
    ] = None,
) -> None:
    """Train, or read back, every committed configuration, and write the tables.

    A complete command: python -m recipes.documents.results --data data --output docs/results.md
    """
    torch.set_num_threads(1)
    results: dict[str, RunResult] = {}
    for file in sorted(configs.glob("*.yaml")):
        config = load_config(file)
        if only and config.name not in only:
            continue
        results[config.name] = train(
            config,
            data,
            runs / config.name,
            cache=runs / "cache",
            console=Console(stderr=True, highlight=False),
        )
    write_atomically(output, document(results).encode(), parents=True)


if __name__ == "__main__":
    sys.exit(run(command))
