"""Logits of every subset of modalities for all examples: each item is encoded once a variant."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from edge_ser.bundles.schema import BundleManifest
from edge_ser.constants import MODALITIES, Modality
from edge_ser.errors import ConfigError, EdgeSerError
from edge_ser.export.data.clip_set import ClipFeatures, encode, fusion_inputs
from edge_ser.export.data.items import Item, Sex, content_hash
from edge_ser.export.progress import Progress, silent
from edge_ser.export.trials.data import EvaluationData, Example
from edge_ser.export.trials.part_store import Arrays, PartStore
from edge_ser.export.trials.sessions import VariantSessions
from edge_ser.export.trials.windows import ClipWindow, WindowReader
from edge_ser.runtime.session import Session

Tokens = npt.NDArray[np.float32]
ItemTokens = Mapping[Modality, Tokens]
Disturb = Callable[[ClipWindow, Item], ClipWindow]
"""Changes what is heard, said or seen in an item's window."""

_CHUNK: Final = 25


@dataclass(frozen=True)
class SubsetLogits:
    """Answers from one subset of modalities, one row an example.

    Attributes:
        logits: float64 [n, labels], of the fusion.
        true: int64 [n].
        people: who each example is of.
        sexes: of these people.
        folds: int64 [n], of these people.
        named: whether each person is known by name.
        absent: items that could not be used for this subset.
    """

    logits: npt.NDArray[np.float64]
    true: npt.NDArray[np.int64]
    people: tuple[str, ...]
    sexes: tuple[Sex | None, ...]
    folds: npt.NDArray[np.int64]
    named: tuple[bool, ...]
    absent: int


@dataclass(frozen=True)
class Measured:
    """What one variant answered.

    Attributes:
        subsets: by name.
        examples: of each subset, in the order of its logits.
        notes: why subsets or items are missing.
    """

    subsets: Mapping[str, SubsetLogits]
    examples: Mapping[str, Sequence[Example]]
    notes: tuple[str, ...]


class ItemReader:
    """Windows of items; what the sound and the words of an item give is computed once."""

    def __init__(self, data: EvaluationData, reader: WindowReader) -> None:
        self._data = data
        self._reader = reader
        self._kept: dict[int, dict[str, Any]] = {}

    def window(self, index: int) -> ClipWindow:
        """What is heard, said and seen in an item's window.

        Raises:
            MediaError: if the item cannot be read.
        """
        return self._reader.read(self._data.items[index])

    def features(
        self, index: int, opened: VariantSessions, disturb: Disturb | None = None
    ) -> ClipFeatures:
        """Inputs of the encoders for one item; without what its window lacks.

        Raises:
            MediaError: if the item cannot be read.
        """
        item = self._data.items[index]
        if index in self._kept and disturb is None:
            return self._clip(item, self._kept[index])
        window = self.window(index)
        if disturb is not None:
            window = disturb(window, item)
        faces = opened.faces if window.frames else None
        found = self._reader.inputs(window, faces)
        # Faces in pictures are found by the variant's own detector: they are not shared.
        if disturb is None and not window.frames:
            self._kept[index] = found.tensors
        return self._clip(item, found.tensors)

    def _clip(self, item: Item, tensors: Mapping[str, Any]) -> ClipFeatures:
        return ClipFeatures(item.name, item.label, item.speaker or item.name, tensors)


def measure_subsets(
    data: EvaluationData,
    opened: VariantSessions,
    reader: ItemReader,
    store: PartStore,
    progress: Progress = silent,
) -> Measured:
    """Logits of one variant for every subset and example.

    Raises:
        EdgeSerError: if nothing of the data can be encoded, or the variant cannot run here.
    """
    base = {"variant": opened.key, "data": fingerprint(data)}
    key = {**base, "part": "logits"}
    arrays = store.get(key)
    if arrays is None:
        arrays = _compute(data, opened, reader, store, base, progress)
        store.put(key, arrays)
        for chunk in _chunks(data):
            store.forget(_chunk_key(base, chunk))
    usable = {m: set(arrays[f"usable_{m}"].tolist()) for m in MODALITIES}
    examples, notes = data.examples(usable)
    subsets = {}
    for subset, found in examples.items():
        there = [m for m in MODALITIES if m in subset.split("+")]
        could = sum(all(m in kinds for m in there) for kinds in data.kinds)
        subsets[subset] = SubsetLogits(
            arrays[f"logits_{subset}"],
            np.array([x.label for x in found], np.int64),
            tuple(x.person for x in found),
            tuple(x.sex for x in found),
            np.array([x.fold for x in found], np.int64),
            tuple(x.named for x in found),
            max(could - len(found), 0) if data.paired or len(there) == 1 else 0,
        )
    unread = [str(text) for text in arrays["unread"].tolist()]
    return Measured(subsets, examples, (*unread, *notes))


def encode_items(
    data: EvaluationData,
    opened: VariantSessions,
    reader: ItemReader,
    indices: Iterable[int],
    disturb: Disturb | None = None,
) -> tuple[dict[int, dict[Modality, Tokens]], list[str]]:
    """Tokens of items by index, and a sentence for each that could not be read."""
    tokens: dict[int, dict[Modality, Tokens]] = {}
    unread: list[str] = []
    for index in indices:
        try:
            clip = reader.features(index, opened, disturb)
        except EdgeSerError as error:
            unread.append(f"{data.items[index].name}: {error}")
            continue
        tokens[index] = encode(clip, opened.bundle.manifest, opened.sessions)
    return tokens, unread


def fuse_example(
    example: Example,
    tokens: Mapping[int, ItemTokens],
    manifest: BundleManifest,
    fusion: Session,
) -> npt.NDArray[np.float64]:
    """Logits [labels] of one example."""
    parts = {
        m: np.concatenate([tokens[i][m] for i in indices]) for m, indices in example.parts.items()
    }
    return fuse_tokens(parts, manifest, fusion)


def fuse_tokens(
    parts: ItemTokens, manifest: BundleManifest, fusion: Session
) -> npt.NDArray[np.float64]:
    """Logits [labels] from the tokens of the modalities that are there."""
    answer = fusion.run(fusion_inputs(parts, manifest))["logits"]
    return np.asarray(answer[0], np.float64)


def fingerprint(data: EvaluationData) -> str:
    """SHA-256 over everything that decides which examples there are and what is in them."""
    settings = (data.labels, data.triples, data.with_words, data.speech_gate)
    digest = hashlib.sha256(repr(settings).encode())
    digest.update(f"{data.description.pairing}|{data.description.seed}".encode())
    for item, kinds in zip(data.items, data.kinds, strict=True):
        digest.update(repr((item.name, item.labels, item.speaker, item.sex, kinds)).encode())
        digest.update(repr(item.transcript).encode())
        try:
            digest.update(content_hash(item).encode())
        except EdgeSerError as error:
            digest.update(str(error).encode())
    return digest.hexdigest()


def _compute(
    data: EvaluationData,
    opened: VariantSessions,
    reader: ItemReader,
    store: PartStore,
    base: Mapping[str, Any],
    progress: Progress,
) -> Arrays:
    tokens: dict[int, dict[Modality, Tokens]] = {}
    unread: list[str] = []
    label = str(opened.variant)
    for chunk in _chunks(data):
        progress(f"{label}: encoding clips", chunk[0], len(data.items))
        key = _chunk_key(base, chunk)
        part = store.get(key)
        if part is None:
            some, told = encode_items(data, opened, reader, chunk)
            part = {f"{i}_{m}": t for i, of_item in some.items() for m, t in of_item.items()}
            part["unread"] = np.array(told, np.str_)
            store.put(key, part)
        unread += [str(text) for text in part["unread"].tolist()]
        for name, value in part.items():
            if name != "unread":
                index, _, modality = name.partition("_")
                for m in MODALITIES:
                    if m == modality and m in data.kinds[int(index)]:
                        tokens.setdefault(int(index), {})[m] = value
    usable = {m: sorted(i for i, t in tokens.items() if m in t) for m in MODALITIES}
    if not any(usable.values()):
        raise ConfigError(
            f"nothing of {data.description.name} can be used: {'; '.join(unread[:3]) or 'no clip'}"
        )
    examples, _ = data.examples(usable)
    arrays: Arrays = {f"usable_{m}": np.array(found, np.int64) for m, found in usable.items()}
    arrays["unread"] = np.array(unread, np.str_)
    done, total = 0, sum(len(found) for found in examples.values())
    for subset, found in examples.items():
        rows = []
        for example in found:
            if done % 50 == 0:
                progress(f"{label}: fusing {subset}", done, total)
            rows.append(
                fuse_example(example, tokens, opened.bundle.manifest, opened.sessions["fusion"])
            )
            done += 1
        arrays[f"logits_{subset}"] = np.stack(rows)
    return arrays


def _chunks(data: EvaluationData) -> list[range]:
    count = len(data.items)
    return [range(start, min(start + _CHUNK, count)) for start in range(0, count, _CHUNK)]


def _chunk_key(base: Mapping[str, Any], chunk: range) -> dict[str, Any]:
    return {**base, "part": "tokens", "items": [chunk.start, chunk.stop]}
