"""Files that are missing, damaged or not media: one exact sentence each, never a crash."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_ser.bundles.loading import load_bundle
from edge_ser.errors import BundleError, ConfigError, MediaError
from edge_ser.media.media import open_clip, read_clip
from edge_ser.media.transcript import given_transcript
from edge_ser.speaker.profile import Profile

Recording = Callable[..., Path]
Maker = Callable[..., np.ndarray]


@pytest.fixture
def video(recording: Recording, make_tone: Maker) -> Path:
    """Two seconds of mp4 with sound and pictures."""
    noise = np.random.default_rng(1).integers(0, 255, (50, 96, 128, 3), dtype=np.uint8)
    return recording(
        "video.mp4", audio=make_tone(2.0, 48000), rate=48000, sound_codec="aac", pictures=noise
    )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty \\(0 bytes\\)"),
        (b"\0" * 5000, "holds only zeros"),
        (b"Dear diary, today I was not a film.\n" * 200, "it is a text, not a recording"),
        (bytes(range(256)) * 40, "not a media file, or it is damaged"),
    ],
)
def test_what_is_no_recording_is_named(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "clip.mp4"
    path.write_bytes(content)
    with pytest.raises(MediaError, match=message) as error:
        open_clip(path)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


def test_missing_files_and_folders(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match=r"no such file: .*nothing\.wav"):
        open_clip(tmp_path / "nothing.wav")
    with pytest.raises(MediaError, match="is a folder, not a file"):
        open_clip(tmp_path)
    (tmp_path / "link.wav").symlink_to(tmp_path / "gone.wav")
    with pytest.raises(MediaError, match="link to nothing"):
        open_clip(tmp_path / "link.wav")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(MediaError, match="a device or a pipe"):
        open_clip(tmp_path / "pipe")


def test_a_file_that_may_not_be_read(video: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # The tests may run as root, whom no file mode stops.
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(MediaError, match=r"no permission to read .*video\.mp4"):
        open_clip(video)


@pytest.mark.parametrize("name", ["http://example.org/a.mp4", "rtsp://camera/1", "", "a\0b"])
def test_addresses_and_impossible_names(name: str) -> None:
    with pytest.raises(MediaError):
        open_clip(name)


@pytest.mark.parametrize("given", [str, Path])
def test_an_address_is_named_as_such_with_what_to_do(given: Callable[[str], Any]) -> None:
    with pytest.raises(MediaError, match=r"https://h/a\.mp4 is an address.*live --url ADDRESS"):
        open_clip(given("https://me:secret@h/a.mp4"))
    with pytest.raises(MediaError, match="is an address, not a file: download it first"):
        given_transcript(given("https://h/a.srt"))
    with pytest.raises(BundleError, match="is an address, not a file: download it first"):
        load_bundle(given("https://h/bundle"))
    with pytest.raises(ConfigError, match="is an address, not a file: download it first"):
        Profile.load(given("https://h/me.json"))


def test_what_is_no_path() -> None:
    with pytest.raises(MediaError, match="not int"):
        open_clip(3)  # type: ignore[arg-type]


def test_an_mp4_that_lost_its_index(video: Path) -> None:
    data = video.read_bytes()
    assert data.index(b"moov") > len(data) // 2
    video.write_bytes(data[: len(data) // 2])
    with pytest.raises(MediaError, match=r"index \(moov\) is missing, because it was cut short"):
        open_clip(video)


def test_an_mp4_cut_short_behind_its_index_gives_what_is_left_and_says_so(
    recording: Recording, make_tone: Maker
) -> None:
    noise = np.random.default_rng(1).integers(0, 255, (50, 96, 128, 3), dtype=np.uint8)
    path = recording(
        "c.mp4",
        audio=make_tone(2.0, 48000),
        rate=48000,
        sound_codec="aac",
        pictures=noise,
        options={"movflags": "faststart"},
    )
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    clip = read_clip(path)
    assert 8000 < clip.duration < 24000
    assert any("it was cut short" in w for w in clip.warnings)


def test_damaged_packets_are_left_out_and_counted(video: Path) -> None:
    data = bytearray(video.read_bytes())
    random = np.random.default_rng(2)
    # The media lie between the first box and the index at the end.
    for at in random.integers(100, data.index(b"moov") - 100, 200):
        data[at] = random.integers(256)
    video.write_bytes(data)
    clip = read_clip(video)
    assert clip.has_audio
    assert np.isfinite(clip.samples).all()
    assert any("damaged: left out" in w for w in clip.warnings)


@pytest.mark.parametrize("seed", range(20))
def test_random_damage_gives_a_clip_or_a_media_error(
    video: Path, seed: int, capfd: pytest.CaptureFixture[str]
) -> None:
    data = bytearray(video.read_bytes())
    random = np.random.default_rng(seed)
    for at in random.integers(0, len(data), 1 + len(data) // 500):
        data[at] = random.integers(256)
    video.write_bytes(data[: random.integers(len(data) // 4, len(data))])
    refused = None
    try:
        clip = read_clip(video)
    except MediaError as error:
        refused = str(error)
    assert str(video) in refused if refused else (clip.has_audio or clip.has_video)
    assert capfd.readouterr() == ("", "")


def test_a_codec_that_no_decoder_is_installed_for(
    recording: Recording, make_tone: Maker, make_pictures: Maker
) -> None:
    path = recording(
        "c.mkv", audio=make_tone(0.5), pictures=make_pictures(5), picture_codec="libx264"
    )
    data = path.read_bytes()
    assert data.count(b"V_MPEG4/ISO/AVC") == 1
    path.write_bytes(data.replace(b"V_MPEG4/ISO/AVC", b"V_MPEG4/XYZ/AVC"))
    clip = read_clip(path)
    assert clip.has_audio
    assert clip.absent == {"video": "its pictures are in a form that no decoder is installed for"}


def test_a_playlist_cannot_lead_to_other_files(video: Path, tmp_path: Path) -> None:
    playlist = tmp_path / "clip.mp4"
    playlist.write_text(f"#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\n{video}\n#EXT-X-ENDLIST\n")
    with pytest.raises(MediaError, match=r"clip\.mp4 cannot be opened"):
        open_clip(playlist)
    listing = tmp_path / "clip.ffconcat"
    listing.write_text(f"ffconcat version 1.0\nfile '{video.name}'\n")
    with pytest.raises(MediaError, match=r"clip\.ffconcat cannot be opened"):
        open_clip(listing)


def test_samples_that_are_not_numbers_are_silence_and_told(
    recording: Recording, make_tone: Maker
) -> None:
    audio = make_tone(0.5)
    audio[[100, 200]] = np.nan, np.inf
    path = recording("c.wav", audio=audio, sound_codec="pcm_f32le")
    clip = read_clip(path)
    assert clip.samples[100] == 0.0
    assert clip.samples[200] == 0.0
    assert clip.warnings == ("2 samples of the sound are not numbers: taken as silence",)


def test_a_wav_without_samples(tmp_path: Path, recording: Recording, make_tone: Maker) -> None:
    path = recording("c.wav", audio=make_tone(0.5))
    path.write_bytes(path.read_bytes()[:44])
    with pytest.raises(MediaError, match=r"c\.wav"):
        read_clip(path)
    assert tmp_path.exists()
