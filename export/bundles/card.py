"""The card of a bundle: what it is, what it was trained on, how good it is, where it must not go.

Mitchell et al., "Model Cards for Model Reporting", 2019. Every figure comes from the manifest.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from edge_ser.bundles.schema import BundleManifest, Score
from edge_ser.frontends.language import language_names

GRAPHS_HEAD: Final = "## Graphs"

_RENEWED: Final = (GRAPHS_HEAD, "## Scores", "## Calibration")
"""Sections that tell what a manifest holds now; the others are words that somebody wrote."""


def model_card(
    manifest: BundleManifest, sizes: Mapping[str, int], notes: Sequence[str] = ()
) -> str:
    """The card in Markdown.

    Args:
        manifest: of the bundle.
        sizes: bytes of each listed file, by its name.
        notes: paragraphs under "What to know".
    """
    training = manifest.training
    lines = [
        f"# {manifest.name} {manifest.version}",
        "",
        "Emotion from sound, words and face: probabilities of "
        + ", ".join(manifest.labels)
        + ". Any non-empty subset of the three modalities is enough.",
        "",
        "## Intended use",
        "",
        manifest.intended_use,
        "",
        "## Where it must not be used",
        "",
        manifest.not_for,
        "",
        *_graphs_section(manifest, sizes),
        "",
        "## Training",
        "",
        *(f"- Data: {data}" for data in training.data),
        f"- Pairing of the modalities: {training.pairing}. {_PAIRING[training.pairing]}",
        f"- Held out: {training.held_out}",
        f"- Command: `{training.command}`, seed {training.seed}",
        "",
        "## Scores",
        "",
        *_scores(manifest.scores),
        "",
        "## Calibration",
        "",
        "Logits are divided by the temperature of the modalities that are present, and the bias of "
        "each label is added; below the least confidence a decision abstains.",
        "",
        *_table(
            ("modalities", "temperature", "least confidence", "bias"),
            (
                (
                    subset,
                    f"{value.temperature:.3f}",
                    f"{value.minimum_confidence:.2f}",
                    ", ".join(
                        f"{label} {bias:+.2f}"
                        for label, bias in zip(manifest.labels, value.bias, strict=False)
                    )
                    or "-",
                )
                for subset, value in manifest.calibration.items()
            ),
        ),
    ]
    if notes:
        lines += ["", "## What to know"]
        for note in notes:
            lines += ["", note]
    return "\n".join(lines) + "\n"


def renewed_card(card: str, manifest: BundleManifest, sizes: Mapping[str, int]) -> str:
    """The card with title, graphs, scores and calibration of now; whatever else it says stays.

    Args:
        card: as it was.
        manifest: as it is now.
        sizes: bytes of each listed file, by its name; the card itself is counted out, as where it
            was first written.
    """
    own = manifest.documents["card"].file
    page = model_card(manifest, {f: n for f, n in sizes.items() if f != own})
    new = {_head(part): part.rstrip("\n") + "\n\n" for part in _sections(page)}
    first, *parts = _sections(card)
    title = f"# {manifest.name} {manifest.version}"
    renewed = [re.sub(r"\A# .*", lambda _: title, first)]
    renewed += [new[_head(part)] if _head(part) in _RENEWED else part for part in parts]
    return "".join(renewed).rstrip("\n") + "\n"


def _sections(text: str) -> list[str]:
    """A Markdown text, cut before every second-level heading."""
    return re.split(r"(?m)^(?=## )", text)


def _head(section: str) -> str:
    return section.split("\n", 1)[0]


def _graphs_section(manifest: BundleManifest, sizes: Mapping[str, int]) -> list[str]:
    """The lines about graphs, which change when another precision is written into them."""
    return [
        GRAPHS_HEAD,
        "",
        *_table(
            ("graph", "made from", "licence of the weights", "arithmetic", "size"),
            (
                (
                    name,
                    entry.source or "-",
                    entry.licence,
                    entry.precision,
                    _size(sizes[entry.file]),
                )
                for name, entry in manifest.graphs.items()
            ),
        ),
        "",
        _languages(manifest.frontend.text.languages),
        "",
        f"Whole bundle: {_size(sum(sizes.values()))}. Licence of the bundle: {manifest.licence}",
        "The full texts of the licences lie in `LICENSES`.",
    ]


def _languages(known: Sequence[str]) -> str:
    if not known:
        return "The languages of the text encoder are not stated: words of any language are taken."
    return (
        f"The text encoder knows {language_names(known)}: words that are told to be in another "
        "language are left out, with the reason."
    )


_PAIRING = {
    "paired": "Sound, words and face of an example come from one clip of one person.",
    "label-paired": "Sound, words and face of a training example come from different people and "
    "share only the label: what one modality says about another within a person was not learnt, "
    "and these scores do not compare with scores on truly paired clips.",
    "none": "The modalities were trained apart.",
}


def _scores(scores: Iterable[Score]) -> list[str]:
    rows = [
        (
            score.task,
            score.metric,
            f"{score.value:.3f}" + ("" if score.spread is None else f" ± {score.spread:.3f}"),
            f"{score.chance:.3f}",
            score.precision,
            score.protocol,
        )
        for score in scores
    ]
    if not rows:
        return ["None were measured."]
    return _table(("task", "metric", "value", "chance", "arithmetic", "protocol"), rows)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    def line(cells: Sequence[str]) -> str:
        return (
            "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"
        )

    return [line(head), "|" + " --- |" * len(head), *(line(row) for row in rows)]


def _size(count: int) -> str:
    return f"{count / 1e6:.1f} MB" if count >= 100_000 else f"{count / 1e3:.1f} kB"
