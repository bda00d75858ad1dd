"""Items to cached tokens of the three encoders, with augmented variants where wanted."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from rich.console import Console
from torch import nn

from edge_ser.bundles.schema import AudioFrontendConfig, TextFrontendConfig
from edge_ser.constants import SAMPLE_RATE
from edge_ser.errors import EdgeSerError, MediaError
from edge_ser.export.data.audio import read_audio
from edge_ser.export.data.cache import FeatureCache, Features
from edge_ser.export.data.items import Item
from edge_ser.export.examples.audio_augmentation import AudioAugmentation, augment_audio
from edge_ser.export.examples.face_picture import (
    face_picture,
    item_generator,
)
from edge_ser.export.examples.picture_augmentation import PictureAugmentation
from edge_ser.export.models.acoustic import AcousticEncoder
from edge_ser.frontends.audio import AudioFrontend
from edge_ser.frontends.text import TextFrontend

Tokens = npt.NDArray[np.float16]


def fingerprint(module: nn.Module) -> str:
    """SHA-256 over names and values of all weights: part of a feature's key."""
    digest = hashlib.sha256()
    for name, tensor in sorted(module.state_dict().items()):
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def audio_fingerprint(frontend: AudioFrontend) -> str:
    """SHA-256 of the features of a fixed sound: part of a feature's key.

    Options say what a kernel was asked for, not how it answers: features of a kernel that has been
    changed since must not be mixed with new ones. Rounded, so that processors agree as a rule.
    """
    seconds = np.arange(SAMPLE_RATE) / SAMPLE_RATE
    phase = 2 * np.pi * (120.0 * seconds + 40.0 * seconds**2)
    tone = sum(np.sin(k * phase) / k for k in range(1, 9)) * (seconds < 0.7)
    noise = np.random.default_rng(0).standard_normal(SAMPLE_RATE)
    rows = frontend.rows((0.1 * tone + 0.003 * noise).astype(np.float32))
    return hashlib.sha256(np.round(rows, 2).tobytes()).hexdigest()


class AudioTokens:
    """Sound through the front-end and the acoustic encoder.

    Args:
        acoustic: from log-mel [1, 80, T] and prosody [1, T, P] to tokens [1, Na, Da].
        config: of the front-end.
        cache: folder of the cache.
    """

    def __init__(self, acoustic: AcousticEncoder, config: AudioFrontendConfig, cache: Path) -> None:
        self._acoustic = acoustic.eval()
        self._frontend = AudioFrontend(config)
        self._cache = cache
        self._settings = {
            "acoustic": fingerprint(acoustic),
            # Which layers answer is not to be seen from the weights.
            "speech": repr(getattr(acoustic.speech, "config", None)),
            "samples_per_token": acoustic.samples_per_token,
            "frontend": config.model_dump(),
            "kernels": audio_fingerprint(self._frontend),
        }

    def encode(self, samples: npt.NDArray[np.float32]) -> Tokens:
        """Tokens float16 [Na, Da] of float32 [n] samples at 16 kHz."""
        tensors = self._frontend(samples).tensors()
        with torch.inference_mode():
            tokens = self._acoustic(
                torch.from_numpy(tensors["log_mel"]), torch.from_numpy(tensors["prosody"])
            )[0]
        return half(tokens.numpy())

    def variants(
        self,
        items: Sequence[Item],
        options: AudioAugmentation | None = None,
        *,
        number: int = 0,
        console: Console | None = None,
    ) -> Features:
        """Tokens of every item: unchanged, or the augmented copy `number`.

        What a copy draws depends on the item's name, the options and `number` alone.
        """

        def compute(some: Sequence[Item]) -> list[Tokens]:
            return [self._one(item, options, number) for item in some]

        settings: dict[str, Any] = {**self._settings, "number": number if options else 0}
        settings["augmentation"] = options.model_dump() if options else None
        return FeatureCache(self._cache / "audio", settings).features(
            items, compute, description="sound", console=console
        )

    def _one(self, item: Item, options: AudioAugmentation | None, number: int) -> Tokens:
        samples = read_audio(item)
        if options is not None:
            samples = augment_audio(samples, options, item_generator(item.name, number))
        return self.encode(samples)


class TextTokens:
    """Words through the tokenizer and the text encoder."""

    def __init__(
        self, text: nn.Module, config: TextFrontendConfig, tokenizer: Path, cache: Path
    ) -> None:
        self._text = text.eval()
        content = tokenizer.read_bytes()
        self._frontend = TextFrontend(config, content)
        self._cache = FeatureCache(
            cache / "text",
            {
                "text": fingerprint(text),
                "frontend": config.model_dump(),
                "tokenizer": hashlib.sha256(content).hexdigest(),
            },
        )

    def encode(self, words: str) -> Tokens:
        """Tokens float16 [L, Dt].

        Raises:
            MediaError: if nothing of the text can be used.
        """
        tokens = self._frontend(words)
        tensors = tokens.tensors()
        if tensors is None:
            raise MediaError(f"{words!r} cannot be used: {tokens.reason}")
        with torch.inference_mode():
            encoded = self._text(
                torch.from_numpy(tensors["input_ids"]), torch.from_numpy(tensors["attention_mask"])
            )[0]
        return half(encoded.numpy())

    def of(self, items: Sequence[Item], *, console: Console | None = None) -> Features:
        """Tokens of every item's text."""

        def compute(some: Sequence[Item]) -> list[Tokens]:
            return [self.encode(item.text or item.transcript or "") for item in some]

        return self._cache.features(items, compute, description="text", console=console)


class FaceTokens:
    """Pictures of faces, upscaled as the runtime scales its crops, through the face encoder."""

    def __init__(self, face: nn.Module, cache: Path) -> None:
        self._face = face.eval()
        self._settings = {"face": fingerprint(face)}
        self._cache = cache

    def variants(
        self,
        items: Sequence[Item],
        options: PictureAugmentation | None = None,
        *,
        number: int = 0,
        console: Console | None = None,
    ) -> Features:
        """Tokens float16 [1, Dv] of every picture: unchanged, or the augmented copy `number`."""

        def compute(some: Sequence[Item]) -> list[Tokens]:
            faces = np.stack([face_picture(item, options, number) for item in some])
            with torch.inference_mode():
                tokens = self._face(torch.from_numpy(faces)).numpy()
            return [half(row[None]) for row in tokens]

        settings: dict[str, Any] = {**self._settings, "number": number if options else 0}
        settings["augmentation"] = options.model_dump() if options else None
        return FeatureCache(self._cache / "face", settings).features(
            items, compute, batch=32, description="faces", console=console
        )


def gather(
    first: Features, *others: Features
) -> tuple[tuple[Item, ...], tuple[tuple[npt.NDArray[Any], ...], ...]]:
    """The items that every extraction could encode, and for each of them its variants in order."""
    tables: list[Mapping[str, npt.NDArray[Any]]] = [
        {item.name: array for item, array in zip(x.items, x.arrays, strict=True)}
        for x in (first, *others)
    ]
    items = tuple(i for i in first.items if all(i.name in table for table in tables))
    return items, tuple(tuple(table[i.name] for table in tables) for i in items)


def half(tokens: npt.NDArray[Any]) -> Tokens:
    """Tokens as they are cached, float16.

    Raises:
        EdgeSerError: if a value is not finite.
    """
    if not np.isfinite(tokens).all():
        raise EdgeSerError("an encoder answered a value that is not finite")
    return np.asarray(np.clip(tokens, -65000, 65000), np.float16)
