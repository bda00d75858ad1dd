"""Speech to text on the device: Moonshine tiny (English), from the extra ``asr``.

N. Jeffries et al., "Moonshine: Speech Recognition for Live Transcription and Voice Commands",
2024. The weights come with the package moonshine-voice (MIT); its own library is not used, so
nothing but ONNX Runtime is loaded, on any processor.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from edge_ser.constants import SAMPLE_RATE
from edge_ser.errors import ConfigError, MediaError, MissingExtraError
from edge_ser.media.arrays import checked_samples
from edge_ser.media.clip import Clip, Samples
from edge_ser.media.samples import full_scale
from edge_ser.media.transcript import Transcript, Word
from edge_ser.runtime.onnxruntime_sessions import open_graph
from edge_ser.speech.voice_activity import FRAME, SpeechSegmenter, SpeechSpan

LANGUAGE: Final = "en"

_ENCODER, _DECODER, _VOCABULARY = "encoder_model.ort", "decoder_model_merged.ort", "tokenizer.bin"
_BEGIN, _END = 1, 2

# The paper's limit: more tokens a second are a loop of the decoder, not speech.
_TOKENS_A_SECOND = 6.5

# The encoder's convolutions need this much sound.
_SHORTEST = SAMPLE_RATE // 10

# How much of a clip is listened to at a time.
_PIECE_SECONDS = 10.0


class SpeechToText:
    """Transcribes English speech.

    Thread contract: immutable after construction; every method may be called from any thread,
    also at once.
    """

    def __init__(self, weights: Path | None = None, *, threads: int = 1) -> None:
        """Load the weights.

        Args:
            weights: folder with `encoder_model.ort`, `decoder_model_merged.ort` and
                `tokenizer.bin`; None takes those of the extra ``asr``.
            threads: processor threads that the recogniser may use.

        Raises:
            MissingExtraError: if `weights` is None and the extra is not installed.
            ConfigError: if a file of the weights is missing.
            EngineError: if a graph cannot be run.
        """
        folder = weights if weights is not None else installed_weights()
        for name in (_ENCODER, _DECODER, _VOCABULARY):
            if not (folder / name).is_file():
                raise ConfigError(
                    f"the weights of speech to text lack {folder / name}; run: "
                    'pip install "edge-ser[asr]", or name another folder'
                )
        self._pieces = _vocabulary(folder / _VOCABULARY)
        self._encoder = open_graph(folder / _ENCODER, threads=threads)
        self._decoder = open_graph(folder / _DECODER, threads=threads)
        self._caches = [
            i.name for i in self._decoder.inputs if i.name.startswith("past_key_values")
        ]
        self._presents = [name.replace("past_key_values", "present") for name in self._caches]
        first = next(i for i in self._decoder.inputs if i.name == self._caches[0])
        self._empty_cache = np.zeros((1, first.shape[1], 0, first.shape[3]), dtype=np.float32)

    def transcribe(self, samples: npt.ArrayLike) -> Transcript:
        """Transcribe sound of any length; silence gives an empty transcript.

        Args:
            samples: float32, float64 (full scale 1) or int16, shape [n], 16 kHz mono.

        Raises:
            MediaError: if the samples are not sound.
        """
        audio = full_scale(checked_samples(samples))
        if audio.ndim != 1:
            raise MediaError(f"speech to text takes mono sound, not the shape {audio.shape}")
        return self._transcript(iter([audio]))

    def transcribe_clip(self, clip: Clip) -> Transcript:
        """Transcribe the sound of a clip, a piece in memory at a time.

        Raises:
            MediaError: if nothing of the clip can be decoded.
        """
        segments = clip.segments(_PIECE_SECONDS, frames_per_second=None)
        return self._transcript(s.samples for s in segments)

    def words(self, span: SpeechSpan) -> tuple[Word, ...]:
        """Transcribe one span of speech; the words' times follow from where speech is likely."""
        text = self._text(span.samples)
        return _timed(text.split(), span)

    def _transcript(self, audio: Iterator[Samples]) -> Transcript:
        segmenter = SpeechSegmenter()
        words: list[Word] = []
        for samples in audio:
            for span in segmenter.accept(samples):
                words += self.words(span)
        for span in segmenter.finish():
            words += self.words(span)
        return Transcript(" ".join(w.text for w in words), tuple(words), LANGUAGE)

    def _text(self, samples: Samples) -> str:
        if len(samples) < _SHORTEST:
            samples = np.pad(samples, (0, _SHORTEST - len(samples)))
        (states,) = self._encoder.run(
            ["last_hidden_state"],
            {
                "input_values": samples[None],
                "attention_mask": np.ones((1, len(samples)), dtype=np.int64),
            },
        )
        feeds: dict[str, Any] = dict.fromkeys(self._caches, self._empty_cache)
        feeds["encoder_hidden_states"] = states
        feeds["encoder_attention_mask"] = np.ones(states.shape[:2], dtype=np.int64)
        feeds["use_cache_branch"] = np.array([False])
        token, tokens = _BEGIN, []
        for _ in range(4 + int(len(samples) / SAMPLE_RATE * _TOKENS_A_SECOND)):
            feeds["input_ids"] = np.array([[token]], dtype=np.int64)
            logits, *presents = self._decoder.run(["logits", *self._presents], feeds)
            token = int(np.argmax(logits[0, -1]))
            if token == _END:
                break
            tokens.append(token)
            # What the decoder knows of the sound does not change after the first step.
            for name, present in zip(self._caches, presents, strict=True):
                if ".decoder." in name or not feeds["use_cache_branch"][0]:
                    feeds[name] = present
            feeds["use_cache_branch"] = np.array([True])
        return self._joined(tokens)

    def _joined(self, tokens: list[int]) -> str:
        """Spell tokens out, as SentencePiece with single bytes does."""
        data = b"".join(self._pieces[t] for t in tokens)
        return data.decode("utf-8", errors="replace").replace("\u2581", " ").strip()


def installed_weights() -> Path:
    """Folder with the weights of the extra ``asr``; the package itself is not imported.

    Raises:
        MissingExtraError: if the extra is not installed.
        ConfigError: if a release without weights is installed.
    """
    found = importlib.util.find_spec("moonshine_voice")
    if found is None or not found.submodule_search_locations:
        raise MissingExtraError("speech to text", "asr")
    folder = Path(found.submodule_search_locations[0]) / "assets" / "tiny-en"
    if not folder.is_dir():
        raise ConfigError(
            "the installed moonshine-voice carries no weights; "
            "run: pip install moonshine-voice==0.0.49"
        )
    return folder


def _vocabulary(path: Path) -> list[bytes]:
    """Read the pieces of the vocabulary; special ones are empty.

    Each piece is its length, in one byte, or from 128 on in two, and its bytes.
    """
    data = path.read_bytes()
    pieces, at = [], 0
    while at < len(data):
        length = data[at]
        at += 1
        if length >= 128:
            length += 128 * (data[at] - 1)
            at += 1
        piece = data[at : at + length]
        at += length
        special = piece.startswith(b"<<") or piece in (b"<unk>", b"<s>", b"</s>")
        pieces.append(b"" if special else piece)
    return pieces


def _timed(words: list[str], span: SpeechSpan) -> tuple[Word, ...]:
    """Spread words over a span by their lengths; the clock only runs while there is speech."""
    if not words:
        return ()
    heard = np.concatenate([[0.0], np.cumsum(span.probabilities + 1e-3)])
    borders = (
        np.cumsum([0, *(len(w) + 1 for w in words)]) * heard[-1] / sum(len(w) + 1 for w in words)
    )
    frames = np.interp(borders, heard, np.arange(len(heard)))
    times = span.start + np.round(frames * FRAME).astype(np.int64)
    times = np.minimum(times, span.stop)
    return tuple(
        Word(w, int(a), int(b)) for w, a, b in zip(words, times[:-1], times[1:], strict=True)
    )
