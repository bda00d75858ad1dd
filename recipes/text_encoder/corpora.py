"""The texts that train the encoder, and those that test it: GoEmotions, XED, MELD's small talk.

GoEmotions is what people write (Reddit), XED what is said in films. Of MELD only the neutral lines
are taken: what friends say when nothing happens must stay neutral.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from edge_ser.export.data.text_tables import read_goemotions, read_meld, read_xed
from recipes.text_encoder.data import LabelledTexts, drop_texts, labelled_texts, split_held_out

GOEMOTIONS: Final = "GoEmotions"
XED: Final = "XED"
SMALL_TALK: Final = "MELD, neutral"
_XED_TEST_SHARE: Final = 0.1
_XED_TEST_SEED: Final = 0


@dataclass(frozen=True)
class TextCorpora:
    """Texts by corpus; none of a test part trains, in whatever corpus it stands."""

    train: dict[str, LabelledTexts]
    test: dict[str, LabelledTexts]


def read_text_corpora(
    goemotions: Path, xed: Path | None = None, meld: Path | None = None
) -> TextCorpora:
    """Read the corpora that are given.

    Args:
        goemotions: folder with ``train.tsv``, ``dev.tsv`` (it tests) and ``labels.txt``.
        xed: folder with ``en.tsv`` and ``labels.txt``; a tenth of the distinct texts tests.
        meld: folder with ``train_sent_emo.csv`` and ``dev_sent_emo.csv`` (it tests).

    Raises:
        ConfigError: if a file is missing or holds nothing usable.
    """
    labels = goemotions / "labels.txt"
    train = labelled_texts(read_goemotions(goemotions / "train.tsv", labels).items)
    test = labelled_texts(read_goemotions(goemotions / "dev.tsv", labels).items)
    parts = {GOEMOTIONS: (train, test)}
    if xed is not None:
        everything = labelled_texts(read_xed(xed).items)
        parts[XED] = split_held_out(everything, _XED_TEST_SHARE, _XED_TEST_SEED)
    if meld is not None:
        tables = (meld / f"{part}_sent_emo.csv" for part in ("train", "dev"))
        train, test = (_neutral(table) for table in tables)
        parts[SMALL_TALK] = train, test
    found = TextCorpora({}, {})
    for name, (train, test) in parts.items():
        # GoEmotions' training part stays what it is without the others: what the fine-tuning holds
        # out of it, which trains the fusion, must not depend on them.
        for other in found.train.values():
            test = drop_texts(test, other)
        for other in (test, *found.test.values()):
            train = drop_texts(train, other)
        found.train[name], found.test[name] = train, test
    return found


def _neutral(table: Path) -> LabelledTexts:
    return labelled_texts([i for i in read_meld(table).items if i.label == "neutral"])
