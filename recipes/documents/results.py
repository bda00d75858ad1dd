"""Write docs/results.md: train (or read back) every committed configuration and table the scores.

python -m recipes.documents.results --data DIR --output docs/results.md
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import torch
from rich.console import Console

from edge_ser.errors import EdgeSerError
from edge_ser.export.evaluation.tables import RunScores, markdown, paired_difference, scores
from edge_ser.export.training.config import load_config
from edge_ser.export.training.predictions import RunResult
from edge_ser.export.training.run import train
from edge_ser.files import write_atomically
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


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns the exit code: 2 for what a user can mend."""
    parser = argparse.ArgumentParser(description="Train all configurations, write the tables.")
    parser.add_argument("--data", type=Path, required=True, help="folder with the data sets")
    parser.add_argument("--output", type=Path, required=True, help="Markdown file")
    parser.add_argument("--configs", type=Path, default=CONFIGS, help="folder of configurations")
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="folder of the runs")
    parser.add_argument("--only", nargs="*", help="names of configurations; default: all")
    given = parser.parse_args(arguments)
    console = Console(stderr=True, highlight=False)
    torch.set_num_threads(1)
    results: dict[str, RunResult] = {}
    try:
        for file in sorted(given.configs.glob("*.yaml")):
            config = load_config(file)
            if given.only and config.name not in given.only:
                continue
            results[config.name] = train(
                config,
                given.data,
                given.runs / config.name,
                cache=given.runs / "cache",
                console=console,
            )
        given.output.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(given.output, document(results).encode())
    except EdgeSerError as error:
        console.print(f"error: {error}", style="red", markup=False)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
