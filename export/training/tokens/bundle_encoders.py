"""Media, words and pictures to cached tokens, through the runtime's own front-ends and encoders.

What the fusion is trained on is what it will get on a device: the same decoders, the same front-end
kernels, the same graphs. A modality that the runtime would call absent (silence, no face, no words)
is a sequence of no tokens here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from rich.console import Console
from torch import nn

from edge_ser.bundles.loading import Bundle
from edge_ser.bundles.schema import GraphName
from edge_ser.errors import ConfigError
from edge_ser.export.data.cache import FeatureCache, Features
from edge_ser.export.data.items import Item
from edge_ser.export.data.spans import read_spans
from edge_ser.export.examples.audio_augmentation import AudioAugmentation, augment_audio
from edge_ser.export.examples.face_picture import face_picture, item_generator
from edge_ser.export.examples.picture_augmentation import PictureAugmentation, augment_picture
from edge_ser.export.training.tokens.torch_encoders import audio_fingerprint, fingerprint, half
from edge_ser.frontends.audio import AudioFrontend
from edge_ser.pipeline.encoders import Encoders
from edge_ser.pipeline.timing import StageTimer
from edge_ser.runtime.onnxruntime import OnnxRuntimeSession

Tokens = npt.NDArray[Any]
Faces = npt.NDArray[np.float32]

_BATCH = 16


class BundleTokens:
    """Items to tokens with the encoders of a bundle.

    Args:
        bundle: whose front-ends and graphs are used.
        cache: folder of the cache.
        face: a face encoder instead of the bundle's: from float32 [N, 3, 112, 112], RGB in 0..255,
            to tokens float32 [N, width].
    """

    def __init__(self, bundle: Bundle, cache: Path, *, face: nn.Module | None = None) -> None:
        self.bundle = bundle
        self._encoders = Encoders(bundle, "onnxruntime")
        self._cache = cache
        self._face_module = None if face is None else face.eval()
        self._face_session: OnnxRuntimeSession | None = None

    @property
    def maximum_seconds(self) -> float:
        """Longest piece of sound that is encoded at once."""
        return self.bundle.manifest.frontend.audio.maximum_seconds

    def close(self) -> None:
        """Free the graphs."""
        self._encoders.close()
        if self._face_session is not None:
            self._face_session.close()

    def audio(
        self,
        items: Sequence[Item],
        options: AudioAugmentation | None = None,
        *,
        number: int = 0,
        console: Console | None = None,
    ) -> Features:
        """Tokens [Na, Da] of every recording: unchanged, or the augmented copy `number`."""
        frontend = self.bundle.manifest.frontend.audio

        def one(item: Item, samples: npt.NDArray[np.float32]) -> Tokens:
            if options is not None:
                samples = augment_audio(samples, options, item_generator(item.name, number))
                samples = samples[: self._encoders.maximum_samples]
            encoded = self._encoders.audio(samples, StageTimer())
            return self._tokens(encoded.tokens, "acoustic", "audio_tokens")

        def compute(some: Sequence[Item]) -> list[Tokens]:
            empty = self._tokens(None, "acoustic", "audio_tokens")
            return [
                empty if span.samples is None or not len(span.samples) else one(item, span.samples)
                for item, span in _spans(some, None)
            ]

        settings = self._settings("acoustic", frontend.model_dump(), options, number)
        settings["kernels"] = audio_fingerprint(AudioFrontend(frontend))
        return self._features("audio", settings, items, compute, "sound", console)

    def words(self, items: Sequence[Item], *, console: Console | None = None) -> Features:
        """Tokens [L, Dt] of every item's text or transcript; none where nothing is said."""

        def compute(some: Sequence[Item]) -> list[Tokens]:
            return [
                self._tokens(
                    self._encoders.text(item.text or "", StageTimer()).tokens,
                    "text",
                    "text_tokens",
                )
                for item in some
            ]

        bundle = self.bundle
        tokenizer = bundle.manifest.tokenizer.sha256
        settings = self._settings("text", bundle.manifest.frontend.text.model_dump(), None, 0)
        settings["tokenizer"] = tokenizer
        return words_of(
            items, lambda x: self._features("text", settings, x, compute, "words", console)
        )

    def faces(
        self,
        items: Sequence[Item],
        options: PictureAugmentation | None = None,
        *,
        number: int = 0,
        console: Console | None = None,
    ) -> Features:
        """Tokens [faces, Dv] of one person's face in every sampled picture of a recording.

        An item that is a picture of a face is taken as it is; pictures are looked for faces.
        """
        frontend = self.bundle.manifest.frontend.video

        def pictures(some: Sequence[Item]) -> list[Tokens]:
            faces = np.stack([face_picture(item, options, number) for item in some])
            return [half(row[None]) for row in self._encode(faces)]

        def media(some: Sequence[Item]) -> list[Tokens]:
            made = []
            for item, span in _spans(some, frontend.frames_per_second):
                crops = self._encoders.face_frontend.crops(span.frames).of_one_person().tensor
                if options is not None and len(crops):
                    crops = _augmented(crops, options, item_generator(item.name, number))
                tokens = self._encode(crops) if len(crops) else None
                made.append(self._tokens(tokens, "face", "video_tokens"))
            return made

        settings = self._settings("face", frontend.model_dump(), options, number)
        if self._face_module is not None:
            settings["graph"] = fingerprint(self._face_module)
        kinds = {item.kind for item in items}
        if "picture" in kinds and len(kinds) > 1:
            raise ConfigError("pictures and recordings cannot be mixed in one data set")
        kind = pictures if "picture" in kinds else media
        return self._features("face", settings, items, kind, "faces", console)

    def _encode(self, faces: Faces) -> npt.NDArray[np.float32]:
        if self._face_module is not None:
            with torch.inference_mode():
                return np.asarray(self._face_module(torch.from_numpy(faces)).numpy(), np.float32)
        if self._face_session is None:
            self._face_session = OnnxRuntimeSession(self.bundle.graph("face"))
        return np.asarray(self._face_session.run({"faces": faces})["video_tokens"], np.float32)

    def _tokens(self, tokens: Tokens | None, graph: GraphName, output: str) -> Tokens:
        if tokens is not None:
            return half(tokens)
        if graph == "face" and self._face_module is not None:
            blank = np.zeros((1, 3, 112, 112), np.float32)
            return np.zeros((0, self._encode(blank).shape[1]), np.float16)
        width = self.bundle.manifest.graphs[graph].outputs[output].shape[-1]
        return np.zeros((0, int(width)), np.float16)

    def _settings(
        self,
        graph: GraphName,
        frontend: Mapping[str, Any],
        options: AudioAugmentation | PictureAugmentation | None,
        number: int,
    ) -> dict[str, Any]:
        detector = self.bundle.manifest.graphs["detector"].sha256 if graph == "face" else None
        return {
            "graph": self.bundle.manifest.graphs[graph].sha256,
            "detector": detector,
            "frontend": dict(frontend),
            "augmentation": options.model_dump() if options else None,
            "number": number if options else 0,
        }

    def _features(
        self,
        name: str,
        settings: Mapping[str, Any],
        items: Sequence[Item],
        compute: Callable[[Sequence[Item]], Sequence[Tokens]],
        description: str,
        console: Console | None,
    ) -> Features:
        cache = FeatureCache(self._cache / f"bundle-{name}", settings)
        return cache.features(
            items, compute, batch=_BATCH, description=description, console=console
        )


def words_of(items: Sequence[Item], encode: Callable[[Sequence[Item]], Features]) -> Features:
    """Encode the items' words, keyed by the words themselves: a clip may get other ones later."""
    said = [
        Item(item.name, "text", item.labels, text=item.text or item.transcript or "")
        for item in items
    ]
    found = encode(said)
    by_name = {item.name: item for item in items}
    return replace(found, items=tuple(by_name[item.name] for item in found.items))


def _spans(items: Sequence[Item], frames_per_second: float | None) -> list[tuple[Item, Any]]:
    made: list[tuple[Item, Any]] = []
    for _, group in groupby(items, key=lambda item: item.path):
        some = list(group)
        made += zip(some, read_spans(some, frames_per_second), strict=True)
    return made


def _augmented(crops: Faces, options: PictureAugmentation, generator: np.random.Generator) -> Faces:
    """All faces of a clip are changed alike: they are of one person under one light."""
    seed = int(generator.integers(2**63))
    changed = [
        augment_picture(
            np.ascontiguousarray(crop.transpose(1, 2, 0)), options, np.random.default_rng(seed)
        )
        for crop in crops
    ]
    return np.ascontiguousarray(np.stack(changed).transpose(0, 3, 1, 2))
