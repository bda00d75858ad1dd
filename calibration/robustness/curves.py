"""What noise, bad light, lost pictures, wrong words and delay cost, on a subset of the clips."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from edge_ser.bundles.loading import Bundle
from edge_ser.bundles.schema import subset_name
from edge_ser.calibration.robustness.disturbances import KINDS, Disturber, Kind, vocabulary_of
from edge_ser.calibration.robustness.offset_curve import NoOffsetError, even_items, measure_offset
from edge_ser.calibration.robustness.result import (
    Disturbance,
    RobustnessCurve,
    RobustnessPoint,
    RobustnessSection,
)
from edge_ser.constants import MODALITIES, Modality
from edge_ser.errors import ConfigError
from edge_ser.export.precision.int8.calibration_set import Candidate, choose
from edge_ser.export.progress import Progress, silent
from edge_ser.export.scoring.metrics import calibration_error
from edge_ser.export.scoring.people_draws import PeopleDraws, draw_people
from edge_ser.export.trials.data import EvaluationData, Example, modalities_of
from edge_ser.export.trials.logits import (
    ItemReader,
    Tokens,
    encode_items,
    fingerprint,
    fuse_tokens,
)
from edge_ser.export.trials.part_store import Arrays, PartStore
from edge_ser.export.trials.sessions import VariantSessions
from edge_ser.export.trials.windows import WindowReader
from edge_ser.export.variants.variant import Variant
from edge_ser.pipeline.fusion import calibrated

DEFAULT_CLIPS: Final = 60

ItemTokens = dict[int, dict[Modality, Tokens]]
Floats = npt.NDArray[np.float64]


def measure_robustness(
    bundle: Bundle,
    data: EvaluationData,
    *,
    precision: str = "bundle",
    backend: str = "onnxruntime",
    clips: int = DEFAULT_CLIPS,
    int8_clips: Path | None = None,
    written: Bundle | None = None,
    progress: Progress | None = None,
    resume_folder: Path | None = None,
    seed: int = 0,
) -> RobustnessSection:
    """Measure every curve that the data allow.

    Each disturbance is seen through the disturbed modality alone and through all modalities
    together, on the same clips at every strength.

    Args:
        bundle: a verified bundle.
        data: see `open_evaluation_data`.
        precision: one of `edge_ser.export.variants.variant.PRECISIONS`.
        backend: one of `edge_ser.runtime.backend.BACKENDS`.
        clips: examples that each curve rests on, even over labels and people.
        int8_clips: clips to calibrate int8 on, where the bundle carries no ranges.
        written: the bundle in that precision, if it was written already.
        progress: told of every step.
        resume_folder: where parts are kept; None keeps them in memory.
        seed: of everything that is drawn.

    Raises:
        ConfigError: nothing of the data can be used, or a name is unknown.
        EngineError: the variant cannot run here.
    """
    if clips < 1:
        raise ConfigError(f"robustness needs at least one clip, not {clips}")
    tell = progress or silent
    store = PartStore(resume_folder)
    reader = ItemReader(data, WindowReader(bundle, data))
    with VariantSessions(bundle, Variant(backend, precision), int8_clips, written) as opened:
        bench = _Bench(data, opened, reader, store, seed)
        bench.prepare(clips, tell)
        curves = [
            bench.curve(disturbance, subset, tell)
            for disturbance, kind in KINDS.items()
            for subset in bench.subsets_for(disturbance, kind)
        ]
        try:
            offset, no_offset = (
                measure_offset(data, opened, reader, store, clips, seed, tell),
                None,
            )
        except NoOffsetError as error:
            offset, no_offset = None, str(error)
    return RobustnessSection(
        precision=precision,
        backend=backend,
        clips=clips,
        pairing=data.description.pairing,
        curves=tuple(curves),
        offset=offset,
        no_offset=no_offset,
        seed=seed,
    )


@dataclass(frozen=True)
class _Seen:
    """Probabilities [n, labels] of examples, and in how many the disturbed modality was there."""

    probabilities: Floats
    present: Floats


class _Bench:
    """The chosen examples with their undisturbed tokens."""

    def __init__(
        self,
        data: EvaluationData,
        opened: VariantSessions,
        reader: ItemReader,
        store: PartStore,
        seed: int,
    ) -> None:
        self._data = data
        self._opened = opened
        self._reader = reader
        self._store = store
        self._seed = seed
        self._examples: dict[str, list[Example]] = {}
        self._tokens: ItemTokens = {}
        texts = [item.text or item.transcript or "" for item in data.items]
        config = opened.bundle.manifest.frontend.video
        self._disturber = Disturber(config, vocabulary_of(texts), seed)
        self._base: dict[str, Any] = {
            "variant": opened.key,
            "data": fingerprint(data),
            "seed": seed,
        }

    def prepare(self, clips: int, tell: Progress) -> None:
        """Encode a part of the items, choose the examples and encode what they need."""
        # Which items can be used is known only once they were encoded; label-paired draws need all
        # of them, so the draw is made from a few items of each label and person.
        pool = self._pool(clips)
        self._base["clips"] = clips
        for done, index in enumerate(pool):
            if done % 20 == 0:
                tell("robustness: encoding undisturbed clips", done, len(pool))
            self._tokens |= self._encoded([index], None, "undisturbed", 0.0)
        usable = {m: [i for i, t in self._tokens.items() if m in t] for m in MODALITIES}
        examples, _ = self._data.examples(usable)
        for subset, found in examples.items():
            self._examples[subset] = _even(found, clips, self._data.labels, self._seed)
        if not self._examples:
            raise ConfigError(f"nothing of {self._data.description.name} can be used")

    def _pool(self, clips: int) -> list[int]:
        """Items to draw from: of each modality `clips`, even over labels and people."""
        chosen: set[int] = set()
        for modality in MODALITIES:
            own = [i for i, kinds in enumerate(self._data.kinds) if modality in kinds]
            if own:
                chosen.update(even_items(self._data, own, clips, self._seed))
        return sorted(chosen)

    def subsets_for(self, disturbance: Disturbance, kind: Kind) -> list[str]:
        """The modality alone and all modalities together, as far as there are examples."""
        with_it = [s for s in self._examples if kind.modality in modalities_of(s)]
        alone = [s for s in with_it if s == kind.modality]
        single_pictures = disturbance == "dropped frames" and not self._data.paired
        if single_pictures:
            # A single picture that is lost leaves nothing: there is no curve in it.
            alone = []
        together = [s for s in with_it if "+" in s][-1:]
        return [*alone, *together]

    def curve(self, disturbance: Disturbance, subset: str, tell: Progress) -> RobustnessCurve:
        """One disturbance at all its strengths."""
        kind = KINDS[disturbance]
        examples = self._examples[subset]
        clean = self._seen(subset, disturbance, None)
        draws = draw_people([x.person for x in examples], self._seed)
        points = [self._point(kind, None, examples, clean, clean, draws)]
        for done, strength in enumerate(kind.strengths):
            tell(f"robustness: {disturbance}, {subset}", done, len(kind.strengths))
            seen = self._seen(subset, disturbance, strength)
            points.append(self._point(kind, strength, examples, seen, clean, draws))
        return RobustnessCurve(
            disturbance=disturbance,
            subset=subset,
            unit=kind.unit,
            protocol=f"{len(examples)} examples, even over labels and people: {kind.how}; "
            + self._data.protocol_of(subset),
            points=tuple(points),
        )

    def _seen(self, subset: str, disturbance: Disturbance, strength: float | None) -> _Seen:
        key = {**self._base, "part": "robustness", "subset": subset, "strength": strength}
        if strength is not None:
            key["disturbance"] = disturbance
        else:
            key["modality"] = KINDS[disturbance].modality
        found = self._store.once(key, lambda: self._fused(subset, disturbance, strength))
        return _Seen(found["probabilities"], found["present"])

    def _fused(self, subset: str, disturbance: Disturbance, strength: float | None) -> Arrays:
        modality = KINDS[disturbance].modality
        examples = self._examples[subset]
        changed: ItemTokens = self._tokens
        if strength is not None and disturbance != "dropped frames":
            needed = sorted({i for x in examples for i in x.parts[modality]})
            window = self._disturber.window(disturbance, strength)
            changed = self._encoded(needed, window, disturbance, strength)
        rows, present = [], []
        for number, example in enumerate(examples):
            parts: dict[Modality, Tokens] = {}
            for m, indices in example.parts.items():
                source = changed if m == modality else self._tokens
                there = [source[i][m] for i in indices if m in source.get(i, {})]
                if there:
                    parts[m] = np.concatenate(there)
            if strength is not None and disturbance == "dropped frames" and modality in parts:
                count = len(parts[modality])
                kept = self._disturber.kept_pictures(f"{subset} {number}", count, strength)
                if kept:
                    parts[modality] = parts[modality][kept]
                else:
                    del parts[modality]
            present.append(float(modality in parts))
            rows.append(self._probabilities(parts))
        return {"probabilities": np.stack(rows), "present": np.array(present)}

    def _probabilities(self, parts: Mapping[Modality, Tokens]) -> Floats:
        manifest = self._opened.bundle.manifest
        if not parts:
            return np.full(len(manifest.labels), 1.0 / len(manifest.labels))
        logits = fuse_tokens(parts, manifest, self._opened.sessions["fusion"])
        subset = subset_name(set(parts))
        return calibrated(logits, manifest.calibration[subset])

    def _encoded(
        self, indices: Sequence[int], disturb: Any, name: str, strength: float
    ) -> ItemTokens:
        tokens: ItemTokens = {}
        for index in indices:
            key = {
                **self._base,
                "part": "disturbed",
                "item": index,
                "disturbance": name,
                "strength": strength,
            }

            def compute(index: int = index) -> Arrays:
                found, _ = encode_items(self._data, self._opened, self._reader, [index], disturb)
                return {str(m): t for m, t in found.get(index, {}).items()}

            part = self._store.once(key, compute)
            tokens[index] = {m: part[m] for m in MODALITIES if m in part}
        return tokens

    def _point(
        self,
        kind: Kind,
        strength: float | None,
        examples: Sequence[Example],
        seen: _Seen,
        clean: _Seen,
        draws: PeopleDraws,
    ) -> RobustnessPoint:
        true = np.array([x.label for x in examples], np.int64)
        hit, before = _hits(seen, true), _hits(clean, true)
        chosen = seen.probabilities[np.arange(len(true)), true]
        return RobustnessPoint(
            strength=strength,
            condition="undisturbed" if strength is None else kind.words(strength),
            clips=len(true),
            present=float(seen.present.mean()),
            accuracy=draws.mean(hit),
            difference=draws.mean(hit - before),
            log_probability=float(np.log(np.clip(chosen, 1e-12, 1.0)).mean()),
            confidence=float(seen.probabilities.max(1).mean()),
            calibration_error=calibration_error(seen.probabilities, true),
            same_label=float(
                (seen.probabilities.argmax(1) == clean.probabilities.argmax(1)).mean()
            ),
        )


def _hits(seen: _Seen, true: npt.NDArray[np.int64]) -> Floats:
    # Equal probabilities are no answer, whatever label happens to stand first.
    answered = np.ptp(seen.probabilities, axis=1) > 0
    return np.asarray((seen.probabilities.argmax(1) == true) & answered, np.float64)


def _even(
    examples: Sequence[Example], count: int, labels: Sequence[str], seed: int
) -> list[Example]:
    candidates = [Candidate(str(i), labels[x.label], x.person) for i, x in enumerate(examples)]
    chosen = sorted(int(c.name) for c in choose(candidates, count, seed))
    return [examples[i] for i in chosen]
