"""Profiles: statistics only, whole or not there, tied to their bundle, and gone when deleted."""

from __future__ import annotations

import json
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fixtures.bundle_factory import make_bundle, with_adaptation

from edge_ser import EdgeRecognizer, Profile, clip_from_arrays, load_bundle, open_clip
from edge_ser.errors import BundleError, ConfigError, MediaError
from edge_ser.media.media import read_clip
from edge_ser.speaker.adaptation import RunningStatistics


@pytest.fixture(scope="module")
def recognizer(tmp_path_factory: pytest.TempPathFactory) -> EdgeRecognizer:
    return EdgeRecognizer(make_bundle(tmp_path_factory.mktemp("bundle"), with_adaptation))


@pytest.fixture(scope="module")
def profile(recognizer: EdgeRecognizer, demo_clip: Path) -> Profile:
    return recognizer.enroll([demo_clip])


def test_enrolling_hears_the_speech_alone(profile: Profile, demo_clip: Path) -> None:
    samples = read_clip(demo_clip, want_video=False).samples
    assert samples is not None
    assert 1.0 < profile.seconds < len(samples) / 16000
    assert profile.tokens >= 1
    assert len(profile.mean) == len(profile.deviation) == len(profile.columns) == 2


def test_silence_around_the_speech_does_not_count(
    recognizer: EdgeRecognizer, profile: Profile, demo_clip: Path
) -> None:
    samples = read_clip(demo_clip, want_video=False).samples
    assert samples is not None
    padded = np.concatenate([np.zeros(80000, np.float32), samples, np.zeros(80000, np.float32)])
    other = recognizer.enroll([(padded, 16000)])
    assert other.seconds == pytest.approx(profile.seconds, abs=0.2)
    np.testing.assert_allclose(other.mean, profile.mean, rtol=0.15)


def test_a_profile_moves_what_is_fused_and_the_decision_says_so(
    recognizer: EdgeRecognizer,
    profile: Profile,
    demo_clip: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fused: list[np.ndarray] = []
    fuse = recognizer.encoders.fusion.fuse

    def noting(tokens: dict[Any, np.ndarray]) -> Any:
        fused.append(tokens["audio"])
        return fuse(tokens)

    monkeypatch.setattr(recognizer.encoders.fusion, "fuse", noting)
    plain = recognizer.recognize(demo_clip)
    adapted = recognizer.recognize(demo_clip, profile=profile)
    moved = profile.speaker_map(recognizer.bundle)(fused[0])
    np.testing.assert_array_equal(fused[1], moved)
    assert not np.allclose(fused[1][:, [1, 4]], fused[0][:, [1, 4]])
    np.testing.assert_array_equal(fused[1][:, [0, 2, 3]], fused[0][:, [0, 2, 3]])
    assert any("profile" in note for note in adapted.modalities["audio"].notes)
    assert not any("profile" in note for note in plain.modalities["audio"].notes)
    timeline = recognizer.timeline(demo_clip, profile=profile)
    assert all(
        any("profile" in note for note in d.modalities["audio"].notes)
        for d in timeline
        if d.modalities["audio"].present
    )


def test_a_profile_of_nothing_changes_nothing(recognizer: EdgeRecognizer, demo_clip: Path) -> None:
    nobody = Profile.made(recognizer.bundle, RunningStatistics(2), 0)
    plain, adapted = (recognizer.recognize(demo_clip, profile=p) for p in (None, nobody))
    assert adapted.probabilities == pytest.approx(dict(plain.probabilities), abs=1e-5)


def test_going_on_from_a_profile_is_hearing_both_clips(
    recognizer: EdgeRecognizer, profile: Profile, demo_clip: Path
) -> None:
    at_once = recognizer.enroll([demo_clip, demo_clip])
    in_turn = recognizer.enroll([demo_clip], profile)
    assert in_turn.samples == at_once.samples == 2 * profile.samples
    np.testing.assert_allclose(in_turn.mean, at_once.mean, rtol=1e-9)
    np.testing.assert_allclose(in_turn.deviation, at_once.deviation, rtol=1e-6, atol=1e-9)


def test_a_clip_that_the_caller_opened_stays_open(
    recognizer: EdgeRecognizer, demo_clip: Path
) -> None:
    with open_clip(demo_clip) as opened:
        recognizer.enroll([opened])
        assert opened.has_audio


def test_nobody_who_speaks_gives_no_profile(recognizer: EdgeRecognizer) -> None:
    with pytest.raises(MediaError, match="nobody speaks"):
        recognizer.enroll([(np.zeros(32000, np.float32), 16000)])
    pictures = clip_from_arrays(
        frames=np.zeros((2, 64, 64, 3), np.uint8), frame_times=np.array([0.0, 0.5])
    )
    with pytest.raises(MediaError, match="nobody speaks"):
        recognizer.enroll([pictures])


def test_saved_and_loaded_it_is_the_same(profile: Profile, tmp_path: Path) -> None:
    path = tmp_path / "anna.json"
    profile.save(path)
    assert Profile.load(path) == profile
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    profile.save(path)
    assert [p.name for p in tmp_path.iterdir()] == ["anna.json"]


def test_the_file_holds_statistics_and_nothing_else(profile: Profile, tmp_path: Path) -> None:
    path = tmp_path / "anna.json"
    profile.save(path)
    document = json.loads(path.read_text())
    assert set(document) == {
        *("kind", "version", "acoustic_sha256", "columns"),
        *("samples", "tokens", "mean", "deviation"),
    }
    numbers = [v for value in document.values() if isinstance(value, list) for v in value]
    assert len(numbers) == 3 * len(profile.columns)


def test_delete(profile: Profile, tmp_path: Path) -> None:
    path = tmp_path / "anna.json"
    profile.save(path)
    Profile.delete(path)
    assert not path.exists()
    with pytest.raises(ConfigError, match="cannot be read"):
        Profile.delete(path)


def test_what_is_no_profile_is_neither_replaced_nor_deleted(
    profile: Profile, tmp_path: Path
) -> None:
    letter = tmp_path / "letter.txt"
    letter.write_text("dear Anna")
    for attempt in (lambda: profile.save(letter), lambda: Profile.delete(letter)):
        with pytest.raises(ConfigError, match="no speaker profile"):
            attempt()
    assert letter.read_text() == "dear Anna"


def test_a_write_that_fails_leaves_the_old_profile(
    profile: Profile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "anna.json"
    profile.save(path)

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(ConfigError, match="No space left"):
        Profile.made(_Bundle.of(profile), RunningStatistics(2), 0).save(path)
    monkeypatch.undo()
    assert Profile.load(path) == profile
    assert [p.name for p in tmp_path.iterdir()] == ["anna.json"]


class _Bundle:
    """Just enough of a bundle for `Profile.made`."""

    @staticmethod
    def of(profile: Profile) -> Any:
        from types import SimpleNamespace

        graphs = {"acoustic": SimpleNamespace(sha256=profile.acoustic_sha256)}
        adaptation = SimpleNamespace(columns=profile.columns)
        return SimpleNamespace(manifest=SimpleNamespace(graphs=graphs, adaptation=adaptation))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda d: d.update(version=2), "version"),
        (lambda d: d.update(kind="diary"), "kind"),
        (lambda d: d.update(mean=[float("nan"), 1.0]), "mean"),
        (lambda d: d.update(deviation=[-1.0, 1.0]), "deviation"),
        (lambda d: d.update(tokens=-5), "tokens"),
        (lambda d: d.update(mean=[1.0]), "differ in length"),
        (lambda d: d.update(sound="UklGRg=="), "sound"),
        (lambda d: d.pop("columns"), "columns"),
    ],
)
def test_a_damaged_profile_is_one_clear_line(
    profile: Profile, tmp_path: Path, change: Callable[[dict[str, Any]], object], said: str
) -> None:
    path = tmp_path / "anna.json"
    profile.save(path)
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document))
    with pytest.raises(ConfigError, match=said):
        Profile.load(path)


@pytest.mark.parametrize("content", [b"", b"{", b"\x00" * 100, b"[1, 2]"])
def test_no_json_is_no_profile(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "anna.json"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match="no speaker profile"):
        Profile.load(path)
    with pytest.raises(ConfigError, match="cannot be read"):
        Profile.load(tmp_path)


def test_a_huge_file_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "anna.json"
    path.write_bytes(b" " * (5 * 1024 * 1024))
    with pytest.raises(ConfigError, match="4 MiB"):
        Profile.load(path)


def test_another_bundle_refuses_the_profile(
    recognizer: EdgeRecognizer, profile: Profile, tmp_path: Path, demo_clip: Path
) -> None:
    def other(manifest: dict[str, Any]) -> None:
        with_adaptation(manifest)
        manifest["adaptation"]["columns"] = [2, 5]

    strange = Profile("f" * 64, *(getattr(profile, f) for f in list(profile.__annotations__)[1:]))
    for use in (
        lambda: recognizer.recognize(demo_clip, profile=strange),
        lambda: recognizer.timeline(demo_clip, profile=strange),
        lambda: recognizer.stream(profile=strange),
        lambda: recognizer.enroll([demo_clip], strange),
    ):
        with pytest.raises(ConfigError, match="another acoustic graph"):
            use()
    with (
        EdgeRecognizer(make_bundle(tmp_path, other)) as differs,
        pytest.raises(ConfigError, match="others: enrol again"),
    ):
        differs.recognize(demo_clip, profile=profile)


def test_a_bundle_without_adaptation_says_that_it_cannot_enrol(
    profile: Profile, tmp_path: Path, demo_clip: Path
) -> None:
    with EdgeRecognizer(make_bundle(tmp_path)) as plain:
        assert plain.bundle.manifest.adaptation is None
        with pytest.raises(ConfigError, match="cannot enrol"):
            plain.enroll([demo_clip])
        with pytest.raises(ConfigError, match="cannot enrol"):
            plain.recognize(demo_clip, profile=profile)
        with plain.stream(consent=True) as stream, pytest.raises(ConfigError, match="cannot enrol"):
            stream.enroll(3)


def test_columns_beyond_the_tokens_are_refused(tmp_path: Path) -> None:
    def beyond(manifest: dict[str, Any]) -> None:
        with_adaptation(manifest)
        manifest["adaptation"]["columns"] = [1, 8]

    with pytest.raises(BundleError, match="beyond the 8"):
        load_bundle(make_bundle(tmp_path, beyond))
