"""The texts that train the encoder, and those that test it: GoEmotions, XED, MELD's small talk.

GoEmotions is what people write (Reddit), XED what is said in films. Of MELD only the neutral lines
are taken: what friends say when nothing happens must stay neutral.
"""

from __future__ import annotations

from collections.abc import Mapping
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

    train: Mapping[str, LabelledTexts]
    test: Mapping[str, LabelledTexts]


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
    train = {GOEMOTIONS: labelled_texts(read_goemotions(goemotions / "train.tsv", labels).items)}
    test = {GOEMOTIONS: labelled_texts(read_goemotions(goemotions / "dev.tsv", labels).items)}
    if xed is not None:
        everything = labelled_texts(read_xed(xed).items)
        train[XED], test[XED] = split_held_out(everything, _XED_TEST_SHARE, _XED_TEST_SEED)
    if meld is not None:
        train[SMALL_TALK] = _neutral(meld / "train_sent_emo.csv")
        test[SMALL_TALK] = _neutral(meld / "dev_sent_emo.csv")
    for tested in test.values():
        train = {name: drop_texts(data, tested) for name, data in train.items()}
    return TextCorpora(train, test)


def _neutral(table: Path) -> LabelledTexts:
    return labelled_texts([i for i in read_meld(table).items if i.label == "neutral"])
