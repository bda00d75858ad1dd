"""Whole files of every kind that is read, small, made on the spot: what a fuzzer mutates."""

from __future__ import annotations

import io
import json
from functools import cache
from typing import Any, Final

import av
import numpy as np

from edge_ser.bundles.loading import default_bundle_path, read_manifest
from edge_ser.frontends.text import TextFrontend
from edge_ser.runtime.engine_cache import EngineCache, EngineKey

ENGINE: Final = EngineKey(
    "face", "ab" * 32, "tensorrt", "10.3", "sm87", {"faces": ((1, 3), (2, 3), (3, 3))}, {"a": "b"}
)
ENGINE_NAME: Final = f"{EngineCache.stem(ENGINE)}.engine"


@cache
def text_frontend() -> TextFrontend:
    """Of the bundle that ships."""
    shipped = read_manifest(default_bundle_path())
    tokenizer = shipped.path(shipped.manifest.tokenizer).read_bytes()
    return TextFrontend(shipped.manifest.frontend.text, tokenizer)


def manifests() -> list[bytes]:
    """That of the bundle that ships, with short lists, with and without adaptation."""
    document = json.loads((default_bundle_path() / "bundle.json").read_text())
    document["splits"] = {name: people[:2] for name, people in document["splits"].items()}
    document["scores"] = document["scores"][:2]
    for calibration in document["calibration"].values():
        calibration["risks"] = calibration.get("risks", [])[:3]
    adaptation = document.get("adaptation")
    if adaptation:
        for name in ("columns", "mean", "deviation"):
            adaptation[name] = adaptation[name][:3]
    return [json.dumps(d).encode() for d in (document, {**document, "adaptation": None})]


def profiles() -> list[bytes]:
    """A speaker's profile."""
    return [
        json.dumps(
            {
                "kind": "edge-ser speaker profile",
                "version": 1,
                "acoustic_sha256": "ab" * 32,
                "columns": [0, 2, 5],
                "samples": 160_000,
                "tokens": 500,
                "mean": [0.5, -1.25, 3.0],
                "deviation": [1.0, 0.5, 0.25],
            }
        ).encode()
    ]


def engines() -> list[bytes]:
    """An entry of the engine cache."""
    import tempfile
    from pathlib import Path

    with tempfile.TemporaryDirectory() as folder:
        return [EngineCache(Path(folder)).store(ENGINE, b"engine", {"a": 1}).path.read_bytes()]


def transcripts() -> list[bytes]:
    """What speech recognisers write, in each of the forms that are known."""
    word = {"word": "so", "start": 0.5, "end": 0.75}
    forms: list[Any] = [
        {"text": "so glad", "language": "en", "segments": [{"start": 0, "end": 1.5, "text": "so"}]},
        {"segments": [{"start": 0, "end": 1.0, "text": "so", "words": [word, {"word": "glad"}]}]},
        [word, {"word": "glad", "start": "00:00:01,000", "end": "1.4s"}],
        {"transcription": [{"offsets": {"from": 0, "to": 900}, "text": "so"}]},
        {"results": {"transcripts": [{"transcript": "so"}], "items": [
            {"start_time": "0.1", "end_time": "0.5", "alternatives": [{"content": "so"}]},
            {"type": "punctuation", "alternatives": [{"content": "."}]}]}},
        {"results": [{"alternatives": [{"transcript": "so", "words": [
            {"startTime": {"seconds": "1", "nanos": 5}, "endTime": "1.5s", "word": "so"}]}],
            "languageCode": "en"}]},
        {"results": {"channels": [{"alternatives": [{"transcript": "so", "words": [word]}]}]}},
        {"recognizedPhrases": [{"offsetInTicks": 1e7, "durationInTicks": 5e6,
                                "nBest": [{"display": "so", "words": [word]}]}]},
        {"result": [{"word": "so", "start": 0.1, "end": 0.2}], "text": "so"},
        {"chunks": [{"timestamp": [0.0, 1.0], "text": "so"}], "text": "so"},
    ]  # fmt: skip
    lines = (
        b'{"text": "so"}\n{"text": "glad", "result": [{"word": "glad", "start": 1, "end": 2}]}\n'
    )
    return [*(json.dumps(form).encode() for form in forms), lines]


def subtitles() -> list[bytes]:
    """SRT and WebVTT."""
    return [
        b"1\n00:00:00,500 --> 00:00:01,500\nANNA: so <i>glad</i>\n\n"
        b"2\n00:00:02,000 --> 00:00:03,000\nso glad\n[laughter] again\n",
        b"WEBVTT - x\n\nNOTE hidden\n\nid\n00:01.000 --> 00:02.000 align:start\n"
        b"<v Anna>so <00:01.500>glad &amp; so\n\n"
        b"00:02.000 --> 00:03.500\n{\\an8}- Bob Ray: (sighs)\n",
        "\ufeff1\r\n00:00:00,000 --> 00:00:01,000\r\n♪ größer ♪\r\n>> آرام‌تر\r\n".encode(),
    ]


def words() -> list[bytes]:
    """Texts of several scripts."""
    return [
        b"I am so glad that you came, unbelievably glad!",
        "Größer, naïve, 喜び 👩‍🚀 \uff46\uff55 \ufb01 e\u0301\u0303 আমি \u202eabc\u0000".encode(),
        b"a" * 300 + b" word" * 300,
    ]


def media() -> list[bytes]:
    """Sound and pictures in the containers and codecs that matter most."""
    kinds = [
        ("wav", "pcm_s16le", None), ("flac", "flac", None), ("ogg", "libvorbis", None),
        ("ogg", "libopus", None), ("mp3", "libmp3lame", None), ("mp4", "aac", "mpeg4"),
        ("matroska", "pcm_s16le", "mjpeg"), ("avi", "pcm_s16le", "mpeg4"),
        ("mpegts", "mp2", "mpeg2video"), ("mpeg", "mp2", "mpeg1video"),
        ("webm", "libopus", "libvpx"),
        ("gif", None, "gif"), ("image2pipe", None, "png"), ("image2pipe", None, "mjpeg"),
        ("aiff", "pcm_s16be", None), ("mp4", None, "libx264"),
    ]  # fmt: skip
    return [seed for kind in kinds if (seed := _recording(*kind))]


def _recording(container: str, sound: str | None, pictures: str | None) -> bytes | None:
    """A tenth of a second; None where this build of FFmpeg lacks the codec."""
    buffer = io.BytesIO()
    rate = 48_000 if sound == "libopus" else 16_000
    try:
        with av.open(buffer, "w", format=container) as out:
            streams: list[Any] = []
            if pictures:
                shown: Any = out.add_stream(pictures, rate=25)
                shown.width, shown.height = 32, 16
                shown.pix_fmt = {"mjpeg": "yuvj420p", "png": "rgb24", "gif": "rgb8"}.get(
                    pictures, "yuv420p"
                )
                image = np.arange(32 * 16 * 3, dtype=np.uint8).reshape(16, 32, 3)
                frames = [av.VideoFrame.from_ndarray(image, format="rgb24") for _ in range(3)]
                streams.append((shown, frames[: 1 if container == "image2pipe" else 3]))
            if sound:
                heard: Any = out.add_stream(sound, rate=rate, layout="mono")
                tone = (np.sin(np.arange(rate // 5) / 9) * 9000).astype(np.int16)
                block = av.AudioFrame.from_ndarray(tone[None], format="s16", layout="mono")
                block.sample_rate, block.pts = rate, 0
                converter = av.AudioResampler(
                    format=heard.codec_context.format,
                    layout="mono",
                    rate=rate,
                    frame_size=heard.codec_context.frame_size,
                )
                streams.append((heard, [*converter.resample(block), *converter.resample(None)]))
            for stream, frames in streams:
                for number, frame in enumerate([*frames, None]):
                    if frame is not None and stream.type == "video":
                        frame.pts = number
                    out.mux(stream.encode(frame))
    except (av.FFmpegError, ValueError):
        return None
    return buffer.getvalue()
