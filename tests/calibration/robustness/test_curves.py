"""Disturbances do what they say, and the aligner takes an offset away that arrival times show."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from fixtures.bundle_factory import WIDTHS, make_bundle
from fixtures.labelled_clips import write_labelled_folder

from edge_ser.bundles.loading import Bundle, load_bundle
from edge_ser.calibration.robustness.curves import measure_robustness
from edge_ser.calibration.robustness.disturbances import (
    Disturber,
    dimmed,
    vocabulary_of,
    wrong_words,
)
from edge_ser.calibration.robustness.offset_curve import LENGTH, loudest_span, picture_times
from edge_ser.calibration.robustness.offset_stream import AudioMemory, Utterance, stream_moment
from edge_ser.calibration.robustness.result import RobustnessSection
from edge_ser.constants import SAMPLE_RATE
from edge_ser.export.data.items import Item
from edge_ser.export.trials.data import open_evaluation_data
from edge_ser.frontends.audio import AudioFrontend
from edge_ser.frontends.audio_stream import AudioFeatureStream
from edge_ser.pipeline.encoders import Encoders
from edge_ser.pipeline.timing import StageTimer
from edge_ser.runtime.backend import open_session


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return load_bundle(make_bundle(tmp_path_factory.mktemp("tiny")))


def test_noise_is_as_far_below_the_sound_as_it_says(bundle: Bundle) -> None:
    from edge_ser.export.trials.windows import ClipWindow

    audio = (0.1 * np.sin(np.arange(32000) * 0.1)).astype(np.float32)
    disturber = Disturber(bundle.manifest.frontend.video, (), 0)
    item = Item("clip", "audio", ("happy",))
    for wanted in (20.0, 10.0, 0.0):
        change = disturber.window("noise", wanted)
        noisy = change(ClipWindow(samples=audio), item).samples
        again = change(ClipWindow(samples=audio), item).samples
        assert noisy is not None
        np.testing.assert_array_equal(noisy, again)
        noise = noisy.astype(np.float64) - audio
        measured = 10 * np.log10(np.square(audio.astype(np.float64)).mean() / (noise**2).mean())
        assert measured == pytest.approx(wanted, abs=0.1)


def test_dim_light_is_darker_and_noisier() -> None:
    picture = np.full((64, 64, 3), 180, np.uint8)
    levels = [dimmed(picture, share, np.random.default_rng(0)) for share in (0.25, 0.1, 0.03)]
    means = [level.mean() for level in levels]
    assert 180 > means[0] > means[1] > means[2] > 0
    # A quarter of the light is about half of the coded level: sRGB.
    assert means[0] == pytest.approx(95, abs=4)
    assert levels[0].std() > 2


def test_the_share_of_wrong_words_is_kept() -> None:
    words = " ".join(f"word{i}" for i in range(2000))
    vocabulary = vocabulary_of(["other things were said"])
    heard = wrong_words(words, 0.2, vocabulary, np.random.default_rng(0)).split()
    kept = sum(word.startswith("word") for word in heard)
    assert kept / 2000 == pytest.approx(1 - 0.2 * 0.9, abs=0.02)
    assert set(heard) - set(words.split()) <= set(vocabulary)
    assert wrong_words(words, 0.0, vocabulary, np.random.default_rng(0)) == words


def test_pictures_that_are_lost_at_one_share_are_lost_at_all_larger_ones(bundle: Bundle) -> None:
    disturber = Disturber(bundle.manifest.frontend.video, (), 0)
    kept = [set(disturber.kept_pictures("x", 400, share)) for share in (0.25, 0.5, 0.95)]
    assert kept[0] > kept[1] > kept[2]
    assert len(kept[1]) == pytest.approx(200, abs=40)


def test_curves_of_a_labelled_folder_are_the_same_at_every_run(
    bundle: Bundle, tmp_path: Path
) -> None:
    folder = write_labelled_folder(tmp_path / "clips", people=3, clips=1)
    data = open_evaluation_data(bundle, folder, speech_gate=False)
    first = measure_robustness(bundle, data, clips=6, resume_folder=tmp_path / "parts")
    again = measure_robustness(bundle, data, clips=6, resume_folder=tmp_path / "parts")
    assert first == again == measure_robustness(bundle, data, clips=6)
    assert RobustnessSection.model_validate_json(first.model_dump_json()) == first
    found = {(c.disturbance, c.subset) for c in first.curves}
    assert found == {
        (kind, subset)
        for kind, alone in (("noise", "audio"), ("wrong words", "text"))
        for subset in (alone, "audio+text")
    }
    for curve in first.curves:
        assert curve.points[0].strength is None
        assert curve.points[0].same_label == 1.0
        assert curve.points[0].difference.value == 0.0
    assert first.offset is None
    assert first.no_offset is not None


def _utterances(seed: int = 0) -> list[Utterance]:
    rng = np.random.default_rng(seed)
    return [
        Utterance(
            rng.normal(0, 0.1, LENGTH).astype(np.float32),
            picture_times(LENGTH, 5.0),
            np.full((7, WIDTHS["video"]), 0.1 * place - 0.1, np.float32),
            place,
            "p",
        )
        for place in range(3)
    ]


@pytest.mark.parametrize("offset_ms", [-500, -250, 0, 250, 500])
def test_the_aligner_keeps_foreign_pictures_out_of_a_window(bundle: Bundle, offset_ms: int) -> None:
    manifest = bundle.manifest
    acoustic, fusion = (
        open_session(
            bundle.graph_path(name), manifest.graphs[name].inputs, manifest.graphs[name].outputs
        )
        for name in ("acoustic", "fusion")
    )
    memory = AudioMemory(AudioFrontend(manifest.frontend.audio), acoustic)
    utterances = _utterances()
    offset = offset_ms * SAMPLE_RATE // 1000
    unaligned = stream_moment(bundle, memory, fusion, utterances, offset, aligned=False)
    aligned = stream_moment(bundle, memory, fusion, utterances, offset, aligned=True)
    assert aligned.foreign == 0
    assert (unaligned.foreign > 0) == (abs(offset_ms) >= 250)
    # A picture that has not arrived when the decision is due, or that the stream puts off because
    # a decision is about to be made, is missing; nothing else is.
    assert aligned.pictures >= 5
    if offset_ms == 0:
        assert aligned.pictures == 7
        np.testing.assert_array_equal(aligned.probabilities, unaligned.probabilities)


def test_remembered_sound_is_what_the_front_end_gives(bundle: Bundle) -> None:
    manifest = bundle.manifest
    entry = manifest.graphs["acoustic"]
    session = open_session(bundle.graph_path("acoustic"), entry.inputs, entry.outputs)
    frontend = AudioFrontend(manifest.frontend.audio)
    memory = AudioMemory(frontend, session)
    audio = _utterances(3)[0].samples
    pieces = [audio[i : i + 1600] for i in range(0, len(audio), 1600)]
    rows = []
    for _ in range(2):
        features, plain = memory.features(), AudioFeatureStream(frontend)
        got = [features.accept(piece) for piece in pieces]
        expected = [plain.accept(piece) for piece in pieces]
        rows.append(np.concatenate([*got, features.preview(len(audio))]))
        np.testing.assert_array_equal(
            rows[-1], np.concatenate([*expected, plain.preview(len(audio))])
        )
        assert features.emitted == plain.emitted
    encoders = Encoders(bundle, "onnxruntime")
    direct = encoders.acoustic(rows[0], StageTimer()).tokens
    np.testing.assert_array_equal(memory.tokens(rows[0]), direct)


def test_the_loudest_span_is_found() -> None:
    samples = np.zeros(4 * SAMPLE_RATE, np.float32)
    samples[2 * SAMPLE_RATE : 3 * SAMPLE_RATE] = 0.5
    begin = loudest_span(samples, SAMPLE_RATE)
    assert begin == pytest.approx(2 * SAMPLE_RATE, abs=SAMPLE_RATE // 100)
