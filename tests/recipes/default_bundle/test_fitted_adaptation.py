"""The section that a bundle gets: chosen on validation people, honest about test people."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pytest
import torch

from edge_ser.bundles.schema import SUBSETS, SubsetCalibration
from edge_ser.constants import EMOTIONS
from edge_ser.errors import ConfigError
from edge_ser.export.data.items import Item
from edge_ser.export.data.splits import PARTS, Part
from edge_ser.export.examples.label_paired import Bank
from edge_ser.export.models.config import FusionConfig
from edge_ser.export.models.fusion import make_fusion
from edge_ser.export.training.adaptation import seen_clips
from edge_ser.speaker.adaptation import RunningStatistics
from recipes.default_bundle import fitted_adaptation
from recipes.default_bundle.adaptation import default_adaptation
from recipes.default_bundle.data import Banks, PartItems
from recipes.default_bundle.fitted_adaptation import PRIOR_COUNTS, People, fit_adaptation
from recipes.default_bundle.fusion import Calibrated

PEOPLE: dict[Part, str] = {"train": "abc", "validation": "fg", "test": "de"}
LABELS = ("neutral", "happy")


def _tokens(item: Item, count: int = 60) -> np.ndarray:
    """Everybody has a voice of the own in the first column; happy clips are 2 higher."""
    random = np.random.default_rng([ord(c) for c in item.name])
    level = 1.5 * (ord(item.speaker or "a") - ord("c")) + 2.0 * (item.label == "happy")
    return random.normal((level, 0.0, 0.0), 0.3, (count, 3)).astype(np.float32)


@pytest.fixture
def people(monkeypatch: pytest.MonkeyPatch) -> People:
    """Enrolling is hearing the tokens of the clips: cutting speech out is tested elsewhere."""

    def enrol(
        items: Sequence[Item], _: Any, columns: Sequence[int], protocol: Any
    ) -> dict[str, RunningStatistics]:
        seen: dict[str, RunningStatistics] = {}
        for index in seen_clips(items, protocol):
            item = items[index]
            own = seen.setdefault(item.speaker or "", RunningStatistics(len(columns)))
            own.add(_tokens(item)[:, np.array(columns)])
        return seen

    monkeypatch.setattr(fitted_adaptation, "enrol_speakers", enrol)
    items = {
        part: [
            Item(f"{who}-{clip:02d}", "audio", (LABELS[clip % 2],), speaker=who)
            for who in names
            for clip in range(20)
        ]
        for part, names in PEOPLE.items()
    }
    return People(items, {part: [_tokens(item) for item in items[part]] for part in PARTS})


def _judge(clips: Sequence[np.ndarray]) -> np.ndarray:
    """A fusion that learned from the training people, whose middle voice is at -1.5."""
    happy = np.array([float(tokens[:, 0].mean()) + 1.5 > 1.0 for tokens in clips])
    return np.stack([~happy, happy], axis=1).astype(np.float64)


def test_people_who_enrol_are_understood(people: People) -> None:
    fitted = fit_adaptation(people, lambda _: None, _judge, LABELS, 1)
    nothing, enrolled, seen = (s.value for s in fitted.scores if s.metric == "accuracy")
    # Six neutral clips of each test person are left, and ten happy ones.
    assert nothing == pytest.approx(20 / 32, abs=1e-4)
    assert enrolled == seen == 1.0
    assert fitted.section.prior_count in PRIOR_COUNTS
    assert fitted.section.people == 3
    assert fitted.section.enrol_with == "neutral"
    assert fitted.section.mean[0] == pytest.approx(-1.5, abs=0.1)
    assert all("d, e" in s.protocol and "32 in all" in s.protocol for s in fitted.scores)


def test_the_choice_never_looks_at_the_test_people(people: People) -> None:
    fitted = fit_adaptation(people, lambda _: None, _judge, LABELS, 1)
    shuffled = [np.roll(tokens, 1, axis=1) for tokens in people.tokens["test"]]
    other = People(people.items, {**people.tokens, "test": shuffled})
    assert fit_adaptation(other, lambda _: None, _judge, LABELS, 1).section == fitted.section


def test_recordings_and_tokens_belong_together(people: People) -> None:
    with pytest.raises(ConfigError, match="could not be encoded"):
        People(people.items, {**people.tokens, "test": people.tokens["test"][1:]})


def test_labels_of_another_bundle_are_refused(people: People) -> None:
    with pytest.raises(ConfigError, match="happy are not the bundle's"):
        fit_adaptation(people, lambda _: None, _judge, ("neutral", "sad"), 1)


@pytest.fixture
def _one_thread() -> Iterator[None]:
    """Many small batches: threads would wait for each other longer than they work."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("_one_thread")
def test_the_default_bundle_gets_a_section_of_its_banks(people: People) -> None:
    banks = Banks(
        {part: {"audio": Bank([(t, t) for t in people.tokens[part]], [])} for part in PARTS},
        {"audio": PartItems({p: tuple(people.items[p]) for p in PARTS}, "")},
        (),
    )
    config = FusionConfig(
        kind="hybrid",
        head="transformer",
        labels=len(EMOTIONS),
        inputs={"audio": 3, "text": 2, "video": 2},
        prosody=1,
        width=16,
    )
    made = Calibrated(make_fusion(config), {s: SubsetCalibration() for s in SUBSETS}, ())

    class Sound:
        def encode(self, samples: np.ndarray) -> np.ndarray:
            raise AssertionError(f"{len(samples)} samples")

    adapted = default_adaptation(banks, Sound(), made, 1)  # type: ignore[arg-type]
    assert adapted.section.columns in ((0, 1), (0, 1, 2))
    assert len(adapted.scores) == 6
