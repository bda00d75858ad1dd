"""The configuration of a training run: everything that decides what comes out."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal, TypeAlias

import yaml
from pydantic import (
    Field,
    SerializeAsAny,
    ValidationError,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    field_validator,
    model_validator,
)

from edge_ser.constants import Modality
from edge_ser.errors import ConfigError
from edge_ser.export.data.corpora import CORPUS_NAME, CorpusSource
from edge_ser.export.examples.token_augmentation import TokenAugmentation, _Strict
from edge_ser.export.models.config import FusionKind, HeadKind
from edge_ser.export.training.speech.config import CorporaTraining, SpeechFinetuning

DEFAULT_SPEECH_LAYERS: Final = (2,)
"""The layer of Whisper tiny that alone says most about emotion."""


class ModelSizes(_Strict):
    """What `FusionConfig` needs beyond the widths of the data's tokens."""

    kind: FusionKind = "hybrid"
    head: HeadKind = "transformer"
    width: int = 96
    attention_heads: int = 4
    layers: int = 1
    stride: int = 2
    input_dropout: float = 0.1
    dropout: float = 0.3
    joint_dropout: float = 0.5
    statistics: bool = True
    loudness_statistics: bool = False


class Optimisation(_Strict):
    """AdamW with a linear warm-up and a cosine to zero."""

    learning_rate: float = Field(default=1e-3, gt=0)
    weight_decay: float = Field(default=0.02, ge=0)
    batch_size: int = Field(default=64, ge=2)
    epochs: int = Field(default=30, ge=1)
    warmup_share: float = Field(default=0.1, ge=0, lt=1)
    label_smoothing: float = Field(default=0.1, ge=0, lt=1)
    class_balance: float = Field(default=1.0, ge=0, le=1)
    """Exponent of the inverse frequency by which labels weigh in the loss: 1 counts every label
    alike, as unweighted average recall does; 0 every clip, as accuracy does."""
    alone_weight: float = Field(default=0.3, ge=0)
    """Weight of the loss of each modality's own head beside the fusion's."""
    gradient_clip: float = Field(default=1.0, gt=0)
    patience: int = Field(default=1000, ge=1)
    """Epochs without a better validation recall after which training stops."""
    average: float = Field(default=0.0, ge=0, lt=1)
    """Decay a step of an exponential moving average of the weights; 0 keeps the last weights."""
    threads: int = Field(default=1, ge=1)
    """Threads of the CPU while fitting: sums are parted among them, so another number gives other
    last digits, and with time other weights."""


class ModalityDropout(_Strict):
    """Which modalities an example keeps while training."""

    keep_all: float = Field(default=0.3, ge=0, le=1)
    """Share of examples that keep everything; the others keep a random non-empty proper subset."""


class FaceWeights(_Strict):
    """A user's own face backbone: a ResNet or a VGG, built from its weights file."""

    weights: str
    """``.safetensors``, or a state dictionary of torch; see
    `edge_ser.export.encoders.face_backbone`."""
    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)
    """Of the pictures that it was trained on, RGB in 0..1."""
    deviation: tuple[float, float, float] = (0.229, 0.224, 0.225)


class EncoderSources(_Strict):
    """Where the encoders of words and faces come from; both stay as they are.

    By default they are the graphs of a bundle, which the runtime runs too: what is trained on is
    what will be heard and seen, and nothing else needs to be installed.
    """

    bundle: str | None = None
    """Folder of the bundle; None takes the one that ships."""
    text: str | None = None
    """A text encoder instead of the bundle's: a local folder or a hub name. Of a decoder
    (GPT style) the last token stands for the text."""
    face: FaceWeights | None = None
    """A face encoder instead of the bundle's."""


class RavdessData(_Strict):
    """RAVDESS speech under the data folder."""

    name: Literal["ravdess"] = "ravdess"
    folder: str = "ravdess_speech"
    """Holds the recordings: sound alone, or the original files with sound and pictures."""
    video: Literal["units", "faces"] = "units"
    """`units`: mean action units of the published table, beside their square roots; `faces`: the
    face encoder's tokens of the pictures, where the recordings have some."""
    encoders: EncoderSources = EncoderSources()
    modalities: tuple[Modality, ...] = ("audio",)
    features: Literal["all", "prosody"] = "all"
    """`prosody` leaves the speech encoder out: MFCC, pitch and energy alone."""
    speech_layers: tuple[int, ...] = DEFAULT_SPEECH_LAYERS
    """Layers of the pretrained speech encoder, counted from 1, whose answers stand side by side in
    a token; it is kept up to the last of them."""
    calm_is_neutral: bool = False
    adaptation: Literal["none", "neutral-4", "all-unlabelled"] = "none"
    """What of a test person was seen before: nothing, four neutral clips, or every clip without
    its label."""
    augmented: int = Field(default=0, ge=0)
    """Augmented copies of every training clip, made before encoding."""


class EmoDbData(_Strict):
    """Emo-DB under the data folder, leave one speaker out."""

    name: Literal["emodb"] = "emodb"
    modalities: tuple[Modality, ...] = ("audio",)
    features: Literal["all", "prosody"] = "all"
    speech_layers: tuple[int, ...] = DEFAULT_SPEECH_LAYERS
    recordings: Literal["original", "cut_2s"] = "original"
    labels: tuple[str, ...] = ("neutral", "happy", "sad", "angry")
    adaptation: Literal["none", "all-unlabelled"] = "none"
    augmented: int = Field(default=0, ge=0)


class ManifestData(_Strict):
    """A user's own clips: a CSV or JSONL manifest, or several, relative to the data folder.

    Sound, words and faces are read by the runtime's front-ends and encoders. A clip may lack a
    modality: it is then absent, as it would be when the clip is recognised.
    """

    name: Literal["manifest"] = "manifest"
    manifest: str | None = None
    corpora: dict[Annotated[str, Field(pattern=CORPUS_NAME)], CorpusSource] = Field(
        default_factory=dict
    )
    """Several manifests by name, instead of one: see `edge_ser.export.training.corpora`."""
    encoders: EncoderSources = EncoderSources()
    modalities: tuple[Modality, ...] = ("audio",)
    features: Literal["all", "prosody"] = "all"
    speech_layers: tuple[int, ...] = DEFAULT_SPEECH_LAYERS
    """For a section ``finetune``: without one, sound goes through the bundle's own encoder."""
    split: Literal["publisher", "speakers", "random", "corpora"] = "speakers"
    """`corpora`: each corpus that is not `open_labels` is left out once and tests."""
    folds: int = Field(default=5, ge=2)
    adaptation: Literal["none", "all-unlabelled"] = "none"
    augmented: int = Field(default=0, ge=0)

    @model_validator(mode="after")
    def _one_or_several(self) -> ManifestData:
        if (self.manifest is None) == (not self.corpora):
            raise ValueError("name one manifest, or several corpora, each with its own")
        if self.split == "corpora" and sum(not c.open_labels for c in self.corpora.values()) < 2:
            raise ValueError("split: corpora needs two corpora that are not open_labels")
        return self


class SentenceData(_Strict):
    """Labelled sentences: GoEmotions' TSV or MELD's CSV. The publisher's dev part is the test."""

    name: Literal["goemotions", "meld"]
    folder: str | None = None
    """Under the data folder; None takes ``goemotions_ekman`` or ``meld``."""
    train: str | None = None
    """File; None takes ``train.tsv`` or ``train_sent_emo.csv``."""
    test: str | None = None
    """File; None takes ``dev.tsv`` or ``dev_sent_emo.csv``."""
    encoders: EncoderSources = EncoderSources()
    modalities: tuple[Literal["text"]] = ("text",)
    adaptation: Literal["none"] = "none"


class PictureData(_Strict):
    """Pictures of faces in a folder a class, as folders or zips: FER2013's form."""

    name: Literal["pictures"]
    train: str = "fer2013_train.zip"
    test: str = "fer2013_publictest.zip"
    encoders: EncoderSources = EncoderSources()
    modalities: tuple[Literal["video"]] = ("video",)
    adaptation: Literal["none"] = "none"
    augmented: int = Field(default=0, ge=0)


RunDataConfig: TypeAlias = "RavdessData | EmoDbData | ManifestData | SentenceData | PictureData"


def speech_layers_of(of: RunDataConfig) -> tuple[int, ...]:
    """Layers of the speech encoder whose answers a data section hears."""
    if isinstance(of, (SentenceData, PictureData)):
        return DEFAULT_SPEECH_LAYERS
    return of.speech_layers


class TrainingConfig(_Strict):
    """A whole run. Written as YAML; `load_config` reads it."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    data: RavdessData | EmoDbData | ManifestData | SentenceData | PictureData = Field(
        discriminator="name"
    )
    model: ModelSizes = ModelSizes()
    optimisation: Optimisation = Optimisation()
    augmentation: TokenAugmentation = TokenAugmentation()
    modality_dropout: ModalityDropout = ModalityDropout()
    finetune: SerializeAsAny[SpeechFinetuning] | None = None
    """Train the speech encoder further before the fusion; None keeps the pretrained one. On several
    corpora it is a `CorporaTraining`."""
    seeds: tuple[int, ...] = (0,)
    """Models of a fold; their probabilities are averaged when there are several."""
    accept_leaks: bool = False

    @field_validator("finetune", mode="wrap")
    @classmethod
    def _on_corpora(
        cls, value: Any, validate: ValidatorFunctionWrapHandler, info: ValidationInfo
    ) -> Any:
        if isinstance(value, dict) and getattr(info.data.get("data"), "corpora", None):
            return CorporaTraining.model_validate(value)
        return validate(value)

    @model_validator(mode="after")
    def _fits(self) -> TrainingConfig:
        if not self.seeds or len(set(self.seeds)) != len(self.seeds):
            raise ValueError("seeds must be different, and at least one")
        if not self.data.modalities:
            raise ValueError("a run needs at least one modality")
        heard = "audio" in self.data.modalities
        if self.finetune is not None and (not heard or self.hears_prosody_alone):
            raise ValueError("finetune needs audio with all features: it trains what hears them")
        layers = self.speech_layers
        if not layers or list(layers) != sorted(set(layers)) or layers[0] < 1:
            raise ValueError("speech_layers must be at least one layer, from 1, in rising order")
        if self.corpora and self.optimisation.class_balance != 1:
            raise ValueError("of several corpora labels are drawn alike: leave class_balance out")
        if isinstance(self.finetune, CorporaTraining) != bool(self.finetune and self.corpora):
            raise ValueError("finetune on several corpora needs data.corpora, and they need it")
        own = isinstance(self.data, ManifestData) and self.finetune is None
        if layers != DEFAULT_SPEECH_LAYERS and (own or not heard or self.hears_prosody_alone):
            raise ValueError("nothing in this run hears speech_layers: leave it out")
        return self

    @property
    def corpora(self) -> Mapping[str, CorpusSource]:
        """Several corpora by name; empty where the run has one data set."""
        return self.data.corpora if isinstance(self.data, ManifestData) else {}

    @property
    def speech_layers(self) -> tuple[int, ...]:
        """Layers of the speech encoder whose answers are heard."""
        return speech_layers_of(self.data)

    @property
    def hears_prosody_alone(self) -> bool:
        """Whether the speech encoder is left out."""
        of = self.data
        return not isinstance(of, (SentenceData, PictureData)) and of.features == "prosody"


def load_config(path: Path) -> TrainingConfig:
    """Read a YAML configuration.

    Raises:
        ConfigError: if the file cannot be read, is not YAML, or has wrong or unknown fields.
    """
    return validated(read_yaml(path), str(path))


def read_yaml(path: Path) -> Any:
    """Read a YAML file as plain data.

    Raises:
        ConfigError: if it cannot be read or is not YAML.
    """
    try:
        return yaml.safe_load(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f"{path} cannot be read as YAML: {error}") from error


def validated(document: Any, name: str) -> TrainingConfig:
    """A training configuration of plain data.

    Raises:
        ConfigError: if it has wrong or unknown fields.
    """
    try:
        return TrainingConfig.model_validate(document)
    except ValidationError as error:
        lines = [f"  {'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()]
        raise ConfigError(f"{name} is not a training configuration:\n" + "\n".join(lines)) from None
