"""The cost of an offset between sound and picture, with and without the aligner."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from edge_ser.calibration.robustness.offset_stream import (
    UTTERANCES,
    AudioMemory,
    Rows,
    Utterance,
    stream_moment,
)
from edge_ser.calibration.robustness.result import OffsetCurve, OffsetOutcome, OffsetPoint
from edge_ser.constants import SAMPLE_RATE
from edge_ser.errors import EdgeSerError
from edge_ser.export.precision.int8.calibration_set import Candidate, choose
from edge_ser.export.progress import Progress
from edge_ser.export.scoring.people_draws import PeopleDraws, draw_people
from edge_ser.export.trials.data import EvaluationData
from edge_ser.export.trials.logits import ItemReader, encode_items, fingerprint
from edge_ser.export.trials.part_store import Arrays, PartStore
from edge_ser.export.trials.sessions import VariantSessions
from edge_ser.frontends.audio import AudioFrontend
from edge_ser.media.clip import Samples

OFFSETS_MS: Final = (-500, -375, -250, -125, 0, 125, 250, 375, 500)
LENGTH: Final = 3 * SAMPLE_RATE // 2
"""Samples of an utterance and of the window that looks at it: 1.5 s."""

TAKES: Final = 2
"""How often each utterance is streamed, each time between others."""

_SUBSET: Final = "audio+video"
_FEWEST: Final = 6

Floats = npt.NDArray[np.float64]


class NoOffsetError(EdgeSerError):
    """The data do not allow this curve; the message says why."""


def measure_offset(
    data: EvaluationData,
    opened: VariantSessions,
    reader: ItemReader,
    store: PartStore,
    moments: int,
    seed: int,
    progress: Progress,
) -> OffsetCurve:
    """Stream utterances with other ones before and behind them, at every offset.

    Raises:
        NoOffsetError: the data have no sound or no pictures, or too few of them.
        EngineError: a graph fails.
    """
    triples = _moments(_utterances(data, opened, reader, moments, seed, progress), moments, seed)
    frontend = AudioFrontend(opened.bundle.manifest.frontend.audio)
    memory = AudioMemory(frontend, opened.sessions["acoustic"])
    base = {
        "part": "offset",
        "variant": opened.key,
        "data": fingerprint(data),
        "moments": moments,
        "seed": seed,
        "length": LENGTH,
        "takes": TAKES,
    }
    seen: dict[tuple[int, bool], Arrays] = {}
    for done, offset in enumerate(OFFSETS_MS):
        progress("robustness: offset of sound and picture", done, len(OFFSETS_MS))
        for aligned in (False, True):

            def compute(offset: int = offset, aligned: bool = aligned) -> Arrays:
                heard = [
                    stream_moment(
                        opened.bundle,
                        memory,
                        opened.sessions["fusion"],
                        triple,
                        offset * SAMPLE_RATE // 1000,
                        aligned=aligned,
                        speech_gate=data.speech_gate,
                    )
                    for triple in triples
                ]
                return {
                    "probabilities": np.stack([h.probabilities for h in heard]),
                    "pictures": np.array([h.pictures for h in heard]),
                    "foreign": np.array([h.foreign for h in heard]),
                }

            key: dict[str, Any] = {**base, "offset": offset, "aligned": aligned}
            seen[offset, aligned] = store.once(key, compute)
    true = np.array([t[1].label for t in triples], np.int64)
    people = [t[1].person for t in triples]
    draws = draw_people(people, seed)
    points = tuple(
        OffsetPoint(
            offset_ms=offset,
            unaligned=_outcome(seen[offset, False], seen[0, False], true, draws),
            aligned=_outcome(seen[offset, True], seen[0, True], true, draws),
        )
        for offset in OFFSETS_MS
    )
    pairing = (
        "sound and pictures of one clip"
        if data.paired
        else "sound and pictures of different people who share the label (label-paired)"
    )
    return OffsetCurve(
        subset=_SUBSET,
        protocol=f"{len(triples) // TAKES} utterances of {LENGTH / SAMPLE_RATE:g} s, each streamed "
        f"{TAKES} times between two others with other labels; {pairing}; the decision's window is "
        "exactly the utterance's sound; words are left out",
        moments=len(triples),
        people=len(set(people)),
        points=points,
        reading=reading(points),
    )


def reading(points: Sequence[OffsetPoint]) -> str:
    """What the curve says, with its figures."""
    worst = min(points, key=lambda p: p.unaligned.cost.value)
    held = worst.aligned
    lost = worst.unaligned
    kept = [p.aligned.cost.value for p in points]
    zero = next(p for p in points if p.offset_ms == 0)
    moved = 100 * (lost.accuracy.value - zero.unaligned.accuracy.value)
    said = (
        f"At {worst.offset_ms:+d} ms, dated by arrival, {lost.foreign_pictures:.0%} of a window's "
        f"pictures belong to another utterance: the true label loses {-lost.cost.value:.3f} nats "
        f"of log-probability (95 %: {-lost.cost.high:.3f} to {-lost.cost.low:.3f}), "
        f"{1 - lost.same_label:.0%} of the decisions change, and accuracy moves by {moved:+.1f} "
        f"points. With the aligner the loss there is {_loss(held.cost.value):.3f} nats, "
        f"{1 - held.same_label:.0%} of the decisions change; over all offsets it is at most "
        f"{_loss(min(kept)):.3f} nats: pictures that have not arrived when the decision is due are "
        "missing, but none is taken for another moment's."
    )
    if lost.cost.high >= 0:
        said += " The interval of the loss without the aligner holds 0: these data do not prove it."
    return said


def _loss(cost: float) -> float:
    return max(0.0, -cost)


def _outcome(
    seen: Arrays, at_zero: Arrays, true: npt.NDArray[np.int64], draws: PeopleDraws
) -> OffsetOutcome:
    after, before = seen["probabilities"], at_zero["probabilities"]
    rows = np.arange(len(true))
    chosen = np.log(np.clip(after[rows, true], 1e-12, 1.0))
    cost = chosen - np.log(np.clip(before[rows, true], 1e-12, 1.0))
    return OffsetOutcome(
        accuracy=draws.mean((after.argmax(1) == true).astype(np.float64)),
        log_probability=draws.mean(chosen),
        cost=draws.mean(cost),
        same_label=float((after.argmax(1) == before.argmax(1)).mean()),
        change=float(np.abs(after - before).mean()),
        foreign_pictures=float(seen["foreign"].sum() / max(int(seen["pictures"].sum()), 1)),
    )


def _utterances(
    data: EvaluationData,
    opened: VariantSessions,
    reader: ItemReader,
    count: int,
    seed: int,
    progress: Progress,
) -> list[Utterance]:
    """The loudest 1.5 s of recordings, with the face tokens that belong to them."""
    with_audio = [i for i, kinds in enumerate(data.kinds) if "audio" in kinds]
    if not with_audio or not any("video" in kinds for kinds in data.kinds):
        raise NoOffsetError("the data have no pictures" if with_audio else "the data have no sound")
    chosen = even_items(data, with_audio, count, seed)
    faces: dict[int, list[Rows]] = defaultdict(list)
    if not data.paired:
        pictures = [i for i, kinds in enumerate(data.kinds) if "video" in kinds]
        some = even_items(data, pictures, count, seed)
        tokens, _ = encode_items(data, opened, reader, some)
        for index in some:
            if "video" in tokens.get(index, {}):
                faces[data.label(index)].append(tokens[index]["video"])
    made = []
    for done, index in enumerate(chosen):
        if done % 10 == 0:
            progress("robustness: reading utterances", done, len(chosen))
        utterance = _utterance(data, opened, reader, index, faces, seed)
        if utterance is not None:
            made.append(utterance)
    if len(made) < _FEWEST:
        raise NoOffsetError(
            f"only {len(made)} recordings hold {LENGTH / SAMPLE_RATE:g} s of sound with faces"
        )
    return made


def even_items(data: EvaluationData, indices: Sequence[int], count: int, seed: int) -> list[int]:
    """So many of these items, even over labels and people."""
    candidates = [Candidate(str(i), data.items[i].label, data.person(i)) for i in indices]
    return sorted(int(c.name) for c in choose(candidates, count, seed))


def _utterance(
    data: EvaluationData,
    opened: VariantSessions,
    reader: ItemReader,
    index: int,
    faces: dict[int, list[Rows]],
    seed: int,
) -> Utterance | None:
    try:
        window = reader.window(index)
    except EdgeSerError:
        return None
    if window.samples is None or len(window.samples) < LENGTH:
        return None
    begin = loudest_span(window.samples, LENGTH)
    samples = np.ascontiguousarray(window.samples[begin : begin + LENGTH])
    label, person = data.label(index), data.person(index)
    if data.paired:
        crops = opened.faces.crops(window.frames).of_one_person()
        inside = [i for i, t in enumerate(crops.times) if begin <= t < begin + LENGTH]
        if not inside:
            return None
        tokens = opened.sessions["face"].run({"faces": crops.tensor[inside]})["video_tokens"]
        times = tuple(crops.times[i] - begin for i in inside)
        return Utterance(samples, times, np.asarray(tokens, np.float32), label, person)
    own = faces.get(label)
    if not own:
        return None
    rate = opened.bundle.manifest.frontend.video.frames_per_second
    times = picture_times(LENGTH, rate)
    digest = hashlib.sha256(f"{seed}|{data.items[index].name}".encode()).digest()
    shown = own[int.from_bytes(digest[:4], "big") % len(own)]
    tokens = np.concatenate([shown[:1]] * len(times))
    return Utterance(samples, times, tokens, label, person)


def picture_times(length: int, rate: float) -> tuple[int, ...]:
    """When a camera takes pictures in so many samples; as far from the start as from the end."""
    period = SAMPLE_RATE / rate
    count = max(int(length / period), 1)
    first = (length - (count - 1) * period) / 2
    return tuple(round(first + n * period) for n in range(count))


def loudest_span(samples: Samples, length: int) -> int:
    """Where the loudest span of so many samples begins, in steps of 10 ms."""
    power = np.concatenate([[0.0], np.cumsum(np.square(samples.astype(np.float64)))])
    starts = np.arange(0, len(samples) - length + 1, SAMPLE_RATE // 100)
    return int(starts[np.argmax(power[starts + length] - power[starts])])


def _moments(utterances: Sequence[Utterance], count: int, seed: int) -> list[tuple[Utterance, ...]]:
    """Each utterance between two others with other labels, of the same person where there are."""
    if len({u.label for u in utterances}) < 2:
        raise NoOffsetError("all recordings have one label: an offset has nothing to mix up")
    rng = np.random.default_rng(seed)
    found: list[tuple[Utterance, ...]] = []
    for middle in [u for u in utterances[:count] for _ in range(TAKES)]:
        others = [u for u in utterances if u.label != middle.label]
        near = [u for u in others if u.person == middle.person]
        pool = near if len(near) >= UTTERANCES - 1 else others
        before, after = (pool[int(i)] for i in rng.integers(len(pool), size=2))
        found.append((before, middle, after))
    return found
