"""Fit the pitch kernel's scorer on synthetic speech and write its weights.

Run: python -m recipes.pitch_scorer.fit_scorer --corpus build/pitch-corpus \
         --output csrc/pitch/weights.inc

The corpus is made first (a quarter of a minute a shard) and kept in its folder. The same numbers
of shards and steps give the same weights on the same machine; the defaults are those of the weights
that ship. Afterwards build the kernels and judge them with `python -m recipes.pitch_scorer.judge`.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer
from numpy.typing import NDArray

from edge_ser.files import write_atomically
from recipes.command_line import run
from recipes.pitch_scorer.corpus import FITTING, HELD_OUT, Frames, load_corpus
from recipes.pitch_scorer.scorer_network import BANDS, DELAY, PAST, ScorerNetwork, as_text, losses

PIECE = 200
BATCH = 12
PITCH_WEIGHT = 0.5


class Pieces:
    """Random pieces of a corpus with the context that the network needs."""

    def __init__(self, frames: Frames) -> None:
        self.frames = frames
        ends = np.cumsum(frames.lengths)
        self.starts = np.repeat(ends - frames.lengths, frames.lengths)
        self.ends = np.repeat(ends, frames.lengths)

    def __len__(self) -> int:
        return len(self.frames.f0_hz)

    def losses_at(
        self, network: ScorerNetwork, firsts: NDArray[np.int64], drop: bool
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Losses over the pieces that begin at frames `firsts`."""
        index = firsts[:, None] + np.arange(-PAST, PIECE + DELAY)
        start, end = self.starts[firsts][:, None], self.ends[firsts][:, None]
        present = (index >= start) & (index < end)
        index = np.clip(index, start, end - 1)
        features = torch.from_numpy(self.frames.features[index].astype(np.float32))
        if drop:
            # A channel may lack a band altogether: no decision may hang on one of them.
            for first, last in BANDS:
                keep = (torch.rand(len(firsts), 1, 1) >= 0.05).float()
                features[..., first:last] *= keep
        scores = network(features, torch.from_numpy(present.astype(np.float32)))
        middle = slice(PAST, PAST + PIECE)
        counted = torch.from_numpy(present[:, middle].astype(np.float32))
        return losses(scores, self.frames.f0_hz[index[:, middle]], counted)


def fit(
    corpus: Frames,
    steps: int,
    seed: int = 0,
    report: Callable[[int, float, float, ScorerNetwork], None] | None = None,
    stop: int | None = None,
) -> ScorerNetwork:
    """Adam with a cosine-shaped learning rate; `report` hears of the losses every 200 steps.

    `stop` ends it early, on the learning rates of `steps` steps.
    """
    torch.manual_seed(seed)
    random = np.random.default_rng(seed)
    pieces = Pieces(corpus)
    network = ScorerNetwork()
    sums = np.zeros(2)
    optimiser = torch.optim.AdamW(network.parameters(), weight_decay=1e-4)
    for step in range(steps if stop is None else min(stop, steps)):
        rate = 3e-3 * (0.5 + 0.5 * np.cos(np.pi * step / steps)) * min(1.0, (step + 1) / 50)
        for group in optimiser.param_groups:
            group["lr"] = rate + 1e-5
        voicing, pitch = pieces.losses_at(network, random.integers(0, len(pieces), BATCH), True)
        optimiser.zero_grad()
        torch.autograd.backward(voicing + PITCH_WEIGHT * pitch)
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        sums += [float(voicing.detach()), float(pitch.detach())]
        if report is not None and step % 200 == 199:
            report(step + 1, sums[0] / 200, sums[1] / 200, network)
            sums[:] = 0
    return network


def held_out_losses(network: ScorerNetwork, corpus: Frames) -> dict[str, float]:
    """Cross-entropies in nats over a held-out corpus."""
    pieces = Pieces(corpus)
    network.eval()
    with torch.inference_mode():
        parts = [
            pieces.losses_at(network, firsts, False)
            for firsts in np.array_split(np.arange(0, len(pieces), PIECE), 20)
        ]
    voicing, pitch = np.mean([[float(v), float(p)] for v, p in parts], axis=0)
    return {"voicing": float(voicing), "pitch": float(pitch)}


def command(
    corpus: Annotated[Path, typer.Option(help="Folder the corpus is kept in.")],
    output: Annotated[Path, typer.Option(help="csrc/pitch/weights.inc.")],
    shards: Annotated[int, typer.Option(min=1, help="Of the corpus.")] = 18,
    steps: Annotated[int, typer.Option(min=1, help="Of the schedule.")] = 3000,
    stop: Annotated[int, typer.Option(min=1, help="Leave the schedule after so many.")] = 2000,
) -> None:
    """Fit the pitch kernel's scorer, write its weights, print the held-out losses as JSON.

    A complete command: python -m recipes.pitch_scorer.fit_scorer --corpus build/pitch-corpus
    --output csrc/pitch/weights.inc
    """
    torch.set_num_threads(1)

    def report(step: int, voicing: float, pitch: float, network: ScorerNetwork) -> None:
        # Written as it goes, so that a fit that is interrupted leaves weights behind.
        write_atomically(output, as_text(network).encode())
        typer.echo(f"{step} steps: voicing {voicing:.4f}, pitch {pitch:.4f}")

    network = fit(load_corpus(corpus, FITTING, shards), steps, report=report, stop=stop)
    write_atomically(output, as_text(network).encode())
    typer.echo(json.dumps(held_out_losses(network, load_corpus(corpus, HELD_OUT, 1))))


if __name__ == "__main__":
    sys.exit(run(command))
