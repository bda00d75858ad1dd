"""The main job on the default bundle: any subset of modalities in, an honest decision out."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from fixtures.bundle_factory import make_bundle

from edge_ser import (
    Decision,
    EdgeRecognizer,
    MediaError,
    Transcript,
    Word,
    clip_from_arrays,
    open_clip,
)
from edge_ser.constants import EMOTIONS, MODALITIES
from edge_ser.errors import ConfigError

RATE = 16000


@pytest.fixture(scope="module")
def recognizer() -> EdgeRecognizer:
    return EdgeRecognizer()


def _speechlike(seconds: float, rate: int = RATE) -> np.ndarray:
    t = np.arange(int(seconds * rate)) / rate
    voice = sum(np.sin(2 * np.pi * 130 * k * t) / k for k in range(1, 12))
    return (0.1 * voice * (1 + np.sin(2 * np.pi * 4 * t)) / 2).astype(np.float32)


def _check(decision: Decision) -> None:
    assert set(decision.probabilities) == set(EMOTIONS)
    assert sum(decision.probabilities.values()) == pytest.approx(1, abs=1e-9)
    assert (decision.label is None) == decision.abstained
    assert (decision.abstain_reason is None) == (not decision.abstained)
    for report in decision.modalities.values():
        assert report.present == (report.reason is None)
        assert report.present == (report.contribution is not None)
    assert decision.timing_ms["total"] > 0


def test_the_demo_clip_has_all_three_modalities(
    recognizer: EdgeRecognizer, demo_clip: Path
) -> None:
    decision = recognizer.recognize(demo_clip)
    _check(decision)
    assert decision.present == MODALITIES
    assert decision.modalities["text"].notes[0] == "words from the file astronaut.txt"
    assert {"decode", "audio_features", "acoustic", "text", "face_detection", "face", "fusion"} <= (
        set(decision.timing_ms)
    )


def test_the_same_clip_gives_the_same_decision(recognizer: EdgeRecognizer, demo_clip: Path) -> None:
    first, second = recognizer.recognize(demo_clip), recognizer.recognize(demo_clip)
    assert first.probabilities == second.probabilities
    assert first.modalities == second.modalities


@pytest.mark.parametrize("wanted", ["audio", "text", "video", "audio+text", "audio+video"])
def test_every_subset_of_modalities_decides(
    recognizer: EdgeRecognizer, demo_clip: Path, wanted: str
) -> None:
    with open_clip(demo_clip) as source:
        segments = list(source.segments(10, 5))
    samples = np.concatenate([s.samples for s in segments])
    frames = [f for s in segments for f in s.frames]
    clip = (
        clip_from_arrays(
            samples=samples if "audio" in wanted else None,
            sample_rate=RATE if "audio" in wanted else None,
            frames=np.stack([f.image for f in frames]) if "video" in wanted else None,
            frame_times=np.array([f.time / RATE for f in frames]) if "video" in wanted else None,
        )
        if wanted != "text"
        else clip_from_arrays(samples=np.zeros(RATE, np.float32), sample_rate=RATE)
    )
    decision = recognizer.recognize(clip, "what a lovely day" if "text" in wanted else None)
    _check(decision)
    assert "+".join(decision.present) == wanted


def test_nothing_to_go_by_abstains_and_invents_nothing(recognizer: EdgeRecognizer) -> None:
    decision = recognizer.recognize((np.zeros(RATE, np.float32), RATE))
    _check(decision)
    assert decision.label is None
    assert len(set(decision.probabilities.values())) == 1
    assert decision.modalities["audio"].reason == "digital silence"
    assert "digital silence" in (decision.abstain_reason or "")


def test_ten_milliseconds_of_sound_are_too_little(recognizer: EdgeRecognizer) -> None:
    decision = recognizer.recognize((_speechlike(0.01), RATE), speech_gate=False)
    assert decision.abstained
    assert "10 ms of sound" in (decision.modalities["audio"].reason or "")


def test_one_sample_is_too_little(recognizer: EdgeRecognizer) -> None:
    assert recognizer.recognize((np.ones(1, np.float32), RATE)).abstained


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_samples_that_are_no_numbers_are_refused(recognizer: EdgeRecognizer, value: float) -> None:
    samples = _speechlike(1.0)
    samples[777] = value
    with pytest.raises(MediaError, match="777"):
        recognizer.recognize((samples, RATE))


@pytest.mark.parametrize("rate", [8000, 44100, 192000])
def test_any_rate_will_do(recognizer: EdgeRecognizer, rate: int) -> None:
    decision = recognizer.recognize((_speechlike(1.5, rate), rate), speech_gate=False)
    _check(decision)
    assert decision.modalities["audio"].present
    assert decision.window.end == pytest.approx(1.5 * RATE, abs=2)


def test_the_rate_changes_little(recognizer: EdgeRecognizer) -> None:
    base = recognizer.recognize((_speechlike(2.0), RATE), speech_gate=False).probabilities
    other = recognizer.recognize((_speechlike(2.0, 48000), 48000), speech_gate=False).probabilities
    assert max(abs(base[label] - other[label]) for label in base) < 0.05


def test_six_channels_become_one(recognizer: EdgeRecognizer) -> None:
    mono = _speechlike(1.0)
    six = np.repeat(mono[:, None], 6, axis=1)
    one, many = recognizer.recognize((mono, RATE)), recognizer.recognize((six, RATE))
    assert many.probabilities == pytest.approx(one.probabilities, abs=1e-4)


def test_a_grey_picture_holds_no_face(recognizer: EdgeRecognizer) -> None:
    frames = np.full((5, 240, 320, 3), 128, np.uint8)
    clip = clip_from_arrays(frames=frames, frame_times=np.arange(5) / 5)
    decision = recognizer.recognize(clip)
    assert decision.abstained
    assert "no face" in (decision.modalities["video"].reason or "")


def test_of_five_faces_one_is_followed_and_said(
    recognizer: EdgeRecognizer, demo_clip: Path
) -> None:
    import cv2

    with open_clip(demo_clip) as clip:
        picture = next(iter(clip.segments(1, 5))).frames[0].image
    large, small = cv2.resize(picture, (400, 400)), cv2.resize(picture, (200, 200))
    canvas = np.full((400, 800, 3), 90, np.uint8)
    canvas[:, :400] = large
    for row in range(2):
        for column in range(2):
            top, left = 200 * row, 400 + 200 * column
            canvas[top : top + 200, left : left + 200] = small
    group = clip_from_arrays(frames=canvas[None], frame_times=np.zeros(1))
    report = recognizer.recognize(group).modalities["video"]
    assert report.present
    assert report.notes == ("5 faces in view: the one on the left is followed",)


def test_an_empty_transcript_is_absent_text(recognizer: EdgeRecognizer) -> None:
    report = recognizer.recognize((_speechlike(1.0), RATE), "  \n").modalities["text"]
    assert not report.present
    assert report.reason


def test_a_timeline_is_causal_and_covers_the_clip(
    recognizer: EdgeRecognizer, demo_clip: Path
) -> None:
    decisions = recognizer.timeline(demo_clip, window=1.0, hop=0.5)
    ends = [d.window.end for d in decisions]
    assert ends[:6] == [8000, 16000, 24000, 32000, 40000, 48000]
    assert all(d.window.end - d.window.start <= 16000 for d in decisions)
    for decision in decisions:
        _check(decision)
    with open_clip(demo_clip) as clip:
        whole = np.concatenate([s.samples for s in clip.segments(10)])
    # What comes after a window's end must not change it.
    cut = recognizer.timeline((whole[:24000], RATE), window=1.0, hop=0.5)
    full = recognizer.timeline((whole, RATE), window=1.0, hop=0.5)
    assert [d.probabilities for d in cut] == [d.probabilities for d in full[:3]]


def test_words_with_times_reach_only_their_windows(recognizer: EdgeRecognizer) -> None:
    words = (Word("wonderful", 0, 8000), Word("horrible", 40000, 48000))
    transcript = Transcript("wonderful horrible", words)
    decisions = recognizer.timeline((_speechlike(3.0), RATE), transcript, window=1.0, hop=1.0)
    assert [d.modalities["text"].present for d in decisions] == [True, False, True]


@pytest.mark.parametrize(
    ("window", "hop"), [(0, 0.5), (3, 0), (-1, 0.5), (float("nan"), 1), (1, 2), (1e9, 1)]
)
def test_windows_that_make_no_sense_are_refused(
    recognizer: EdgeRecognizer, demo_clip: Path, window: float, hop: float
) -> None:
    with pytest.raises(ConfigError):
        recognizer.timeline(demo_clip, window=window, hop=hop)


def test_a_clip_longer_than_the_longest_window_is_merged(recognizer: EdgeRecognizer) -> None:
    decision = recognizer.recognize((_speechlike(25.0), RATE), speech_gate=False)
    _check(decision)
    assert decision.window.end == 25 * RATE


def test_threads_share_one_recognizer(recognizer: EdgeRecognizer, demo_clip: Path) -> None:
    expected = recognizer.recognize(demo_clip).probabilities
    answers: list[object] = []

    def work() -> None:
        answers.extend(recognizer.recognize(demo_clip).probabilities for _ in range(3))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [expected] * 12


def test_a_closed_recognizer_says_so(tmp_path: Path, demo_clip: Path) -> None:
    with EdgeRecognizer(make_bundle(tmp_path)) as recognizer:
        _check(recognizer.recognize(demo_clip))
    with pytest.raises(ConfigError, match="closed"):
        recognizer.recognize(demo_clip)


def test_an_unknown_backend_names_the_known_ones() -> None:
    with pytest.raises(ConfigError, match="onnxruntime"):
        EdgeRecognizer(backend="abacus")


def test_there_is_no_torch_in_the_process(demo_clip: Path) -> None:
    program = (
        "import sys\nfrom edge_ser import EdgeRecognizer\n"
        "EdgeRecognizer().recognize(sys.argv[1])\n"
        "heavy = {'torch', 'onnx', 'transformers', 'matplotlib', 'edge_ser.export'}\n"
        "bad = heavy & set(sys.modules)\n"
        "assert not bad, bad"
    )
    subprocess.run([sys.executable, "-c", program, str(demo_clip)], check=True)


@pytest.mark.data
def test_real_clips_show_all_three_modalities(
    recognizer: EdgeRecognizer, data_folder: Path
) -> None:
    clips = sorted(p for p in (data_folder / "clips").iterdir() if p.suffix in (".mp4", ".mpg"))
    assert len(clips) == 5
    for clip in clips:
        decision = recognizer.recognize(clip, asr=True)
        _check(decision)
        assert decision.present == MODALITIES, (clip.name, decision.to_dict()["modalities"])


def test_each_channel_gets_the_decision_it_would_get_alone(
    recognizer: EdgeRecognizer, demo_clip: Path
) -> None:
    from edge_ser.media.media import read_clip

    speech = read_clip(demo_clip, want_video=False).samples
    both = np.stack([speech, np.zeros_like(speech)], axis=1)
    alone = recognizer.recognize((speech, RATE))
    decisions = recognizer.recognize_channels((both, RATE))
    assert list(decisions) == [1, 2]
    assert decisions[1].probabilities == alone.probabilities
    assert decisions[2].abstained
    assert decisions[2].modalities["audio"].reason == "digital silence"
    left = recognizer.timeline((both, RATE), channel="left")
    assert left[-1].probabilities == recognizer.timeline((speech, RATE))[-1].probabilities


def test_channels_that_cancel_are_still_heard(recognizer: EdgeRecognizer, demo_clip: Path) -> None:
    from edge_ser.media.media import read_clip

    speech = read_clip(demo_clip, want_video=False).samples
    decision = recognizer.recognize((np.stack([speech, -speech], axis=1), RATE))
    assert decision.probabilities == recognizer.recognize((speech, RATE)).probabilities
    assert "cancel" in decision.notes[0]


def test_a_channel_is_chosen_before_a_clip_is_open(
    recognizer: EdgeRecognizer, demo_clip: Path
) -> None:
    with open_clip(demo_clip) as clip:
        with pytest.raises(ConfigError, match="give them to open_clip"):
            recognizer.recognize(clip, channel="left")
        with pytest.raises(ConfigError, match="give them to open_clip"):
            recognizer.recognize_channels(clip, audio_track=1)
    with pytest.raises(ConfigError, match="audio_track is for files"):
        recognizer.recognize((np.zeros(RATE, np.float32), RATE), audio_track=1)
