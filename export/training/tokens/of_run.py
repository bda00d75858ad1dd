"""Items of a run's data set to tokens of the modalities that the run uses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
from rich.console import Console

from edge_ser.bundles.loading import load_bundle
from edge_ser.bundles.schema import BundleManifest
from edge_ser.constants import MODALITIES, Modality
from edge_ser.errors import ConfigError
from edge_ser.export.data.cache import Features
from edge_ser.export.data.items import Item, Problem
from edge_ser.export.data.ravdess import read_action_units
from edge_ser.export.data.spans import cut_to_windows
from edge_ser.export.encoders.face_backbone import FaceBackbone, load_face_backbone
from edge_ser.export.encoders.speech import SpeechEncoderConfig, load_speech_encoder
from edge_ser.export.encoders.text import PooledTextEncoder, load_text_encoder
from edge_ser.export.examples.audio_augmentation import AudioAugmentation
from edge_ser.export.examples.picture_augmentation import PictureAugmentation
from edge_ser.export.models.acoustic import AcousticEncoder
from edge_ser.export.training.config import (
    EmoDbData,
    EncoderSources,
    ManifestData,
    RavdessData,
    RunDataConfig,
    SentenceData,
    speech_layers_of,
)
from edge_ser.export.training.tokens.bundle_encoders import BundleTokens, words_of
from edge_ser.export.training.tokens.torch_encoders import AudioTokens, TextTokens
from edge_ser.frontends.audio import default_audio_config

Tokens = npt.NDArray[np.floating]
Variants = tuple[tuple[Tokens, ...], ...]

GENTLE = AudioAugmentation(
    gain_db=(-3.0, 3.0),
    noise_share=0.3,
    noise_snr_db=(15.0, 35.0),
    room_share=0.2,
    speed_share=0.7,
    speed=(0.88, 1.14),
)
"""Augmentation of studio recordings that are tested in the same studio."""


@dataclass
class EncodedItems:
    """Items that can be used, with their tokens."""

    items: tuple[Item, ...]
    variants: dict[Modality, Variants] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    prosody: int = 0
    encoder_parameters: int = 0


def sources_of(of: RunDataConfig) -> EncoderSources:
    """Where the encoders of words and faces come from."""
    return EncoderSources() if isinstance(of, EmoDbData) else of.encoders


def face_module(sources: EncoderSources) -> FaceBackbone | None:
    """The user's own face encoder; None where the bundle's graph is used.

    Raises:
        ConfigError: if its weights cannot be read.
    """
    if sources.face is None:
        return None
    own = sources.face
    return load_face_backbone(Path(own.weights), mean=own.mean, deviation=own.deviation)


def encode_items(
    of: RunDataConfig,
    items: Sequence[Item],
    data: Path,
    cache: Path,
    *,
    augment: bool = True,
    speech: Path | None = None,
    console: Console | None = None,
) -> EncodedItems:
    """Encode items for every modality of a configuration.

    Args:
        of: the data section of the configuration.
        items: what to encode; not necessarily of the very data set that the section names.
        data: folder with the data sets, for the action-unit table.
        cache: folder for encoded tokens.
        augment: whether the augmented copies are made, too.
        speech: Whisper weights; None takes the installed package.
        console: for progress bars.

    Raises:
        ConfigError: if no item has one of the modalities.
    """
    copies = 0 if not augment or isinstance(of, SentenceData) else of.augmented
    encoded = EncodedItems(tuple(items))
    made: dict[Modality, list[Features]] = {}
    bundle: BundleTokens | None = None
    if needs_bundle(of):
        sources = sources_of(of)
        bundle = BundleTokens(load_bundle(sources.bundle), cache, face=face_module(sources))
        with closing(bundle):
            if isinstance(of, ManifestData):
                cut, problems = cut_to_windows(encoded.items, bundle.maximum_seconds)
                encoded.items, encoded.problems = cut, [*problems]
            made = _through_bundle(of, bundle, encoded.items, copies, cache, console)
            if "audio" in made:
                encoded.prosody = 3 * (
                    int(bundle.bundle.manifest.frontend.audio.mfcc["num_ceps"]) + 4
                )
    if "audio" in of.modalities and "audio" not in made:
        frontend = default_audio_config()
        encoder = load_speech_encoder(speech, SpeechEncoderConfig.of_layers(speech_layers_of(of)))
        columns = int(frontend.mfcc["num_ceps"]) + 4
        acoustic = AcousticEncoder(encoder, columns, encoder.width)
        audio = AudioTokens(acoustic, frontend, cache)
        made["audio"] = [audio.variants(encoded.items, console=console)]
        made["audio"] += [
            audio.variants(encoded.items, GENTLE, number=number + 1, console=console)
            for number in range(copies)
        ]
        encoded.prosody = acoustic.prosody_width
        if getattr(of, "features", "all") == "all":
            encoded.encoder_parameters = sum(p.numel() for p in encoder.parameters())
    _keep_usable(encoded, made)
    if "audio" in encoded.variants and getattr(of, "features", "all") == "prosody":
        if not encoded.prosody:
            raise ConfigError("the bundle's sound tokens hold no prosody; use features: all")
        encoded.variants["audio"] = tuple(
            tuple(x[:, -encoded.prosody :] for x in own) for own in encoded.variants["audio"]
        )
    if isinstance(of, RavdessData) and of.video == "units" and "video" in of.modalities:
        encoded.variants["video"] = _action_units(encoded.items, data)
    encoded.variants = {m: encoded.variants[m] for m in MODALITIES if m in encoded.variants}
    return encoded


def presence(encoded: EncodedItems) -> list[str]:
    """A line for each modality that some items lack."""
    lines = []
    for modality, own in encoded.variants.items():
        lacking = sum(len(x[0]) == 0 for x in own)
        if lacking:
            lines.append(f"{modality} is absent in {lacking} of {len(own)} items")
    return lines


def needs_bundle(of: RunDataConfig) -> bool:
    """Whether some modality is read through a bundle's front-ends and graphs."""
    if isinstance(of, RavdessData):
        return "text" in of.modalities or ("video" in of.modalities and of.video == "faces")
    if isinstance(of, EmoDbData):
        return set(of.modalities) != {"audio"}
    return True


def prosody_width(manifest: BundleManifest) -> int:
    """How many of the last columns of a bundle's audio tokens are prosody.

    MFCC, energy and pitch with their first and second differences, as `AcousticEncoder` orders
    them; 0 where a bundle's tokens are narrower than that and so of another kind.
    """
    columns = 3 * (int(manifest.frontend.audio.mfcc["num_ceps"]) + 4)
    return columns if columns <= manifest.audio_width else 0


def _through_bundle(
    of: RunDataConfig,
    tokens: BundleTokens,
    items: Sequence[Item],
    copies: int,
    cache: Path,
    console: Console | None,
) -> dict[Modality, list[Features]]:
    made: dict[Modality, list[Features]] = {}
    if "audio" in of.modalities and isinstance(of, ManifestData):
        made["audio"] = [tokens.audio(items, console=console)]
        made["audio"] += [
            tokens.audio(items, GENTLE, number=n + 1, console=console) for n in range(copies)
        ]
    if "text" in of.modalities:
        made["text"] = [_words(sources_of(of), tokens, items, cache, console)]
    units = isinstance(of, RavdessData) and of.video == "units"
    if "video" in of.modalities and not units:
        made["video"] = [tokens.faces(items, console=console)]
        made["video"] += [
            tokens.faces(items, PictureAugmentation(), number=n + 1, console=console)
            for n in range(copies)
        ]
    for modality, several in made.items():
        if several[0].items and not any(len(x) for x in several[0].arrays):
            raise ConfigError(f"no item has {modality}; leave it out of the modalities")
    return made


def _words(
    sources: EncoderSources,
    tokens: BundleTokens,
    items: Sequence[Item],
    cache: Path,
    console: Console | None,
) -> Features:
    if sources.text is None:
        return tokens.words(items, console=console)
    text = load_text_encoder(sources.text)
    module = PooledTextEncoder(text) if text.pooling == "last" else text
    own = TextTokens(module, tokens.bundle.manifest.frontend.text, text.tokenizer_file, cache)
    return words_of(items, lambda said: own.of(said, console=console))


def _keep_usable(encoded: EncodedItems, made: Mapping[Modality, Sequence[Features]]) -> None:
    """Keep the items that every extraction could encode and that show something in some of them."""
    tables = {
        m: [{i.name: a for i, a in zip(f.items, f.arrays, strict=True)} for f in several]
        for m, several in made.items()
    }
    # An augmented copy fails where the unchanged clip does; one report is enough.
    encoded.problems += [p for several in made.values() for p in several[0].problems]
    kept: list[Item] = []
    for item in encoded.items:
        if not all(item.name in table for several in tables.values() for table in several):
            continue
        if tables and not any(len(several[0][item.name]) for several in tables.values()):
            encoded.problems.append(Problem(item.name, "nothing is heard, said or seen in it"))
            continue
        kept.append(item)
    encoded.items = tuple(kept)
    encoded.variants = {
        m: tuple(tuple(table[i.name] for table in several) for i in kept)
        for m, several in tables.items()
    }


def _action_units(items: Sequence[Item], data: Path) -> Variants:
    units = read_action_units(data / "ravdess_au" / "average_aus.csv")[1]
    lacking = [item.name for item in items if item.name not in units]
    if lacking:
        raise ConfigError(f"the action-unit table lacks {len(lacking)} clips: {lacking[0]}")
    # Intensities crowd at nothing: their roots tell a trace of a movement from none.
    both = {name: np.concatenate([own, np.sqrt(np.maximum(own, 0))]) for name, own in units.items()}
    return tuple((both[item.name][None],) for item in items)
