"""The schema of `bundle.json`: everything that one model needs to be run and to be judged.

Readers refuse unknown keys and unknown schema versions: a bundle that is not understood whole is
not run. `edge_ser.bundles.loading` loads and verifies a folder against this schema.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from itertools import combinations, pairwise
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from edge_ser.bundles.fields import (
    HIGHEST_TEMPERATURE,
    LARGEST_BIAS,
    LOWEST_TEMPERATURE,
    Column,
    Deviation,
    Figure,
    Label,
    Line,
    Prose,
    Share,
    Statistic,
)
from edge_ser.constants import MODALITIES, SAMPLE_RATE, Modality
from edge_ser.errors import ConfigError

SCHEMA_VERSION: Final = 1
MANIFEST_NAME: Final = "bundle.json"

GraphName = Literal["acoustic", "text", "face", "fusion", "detector"]
GRAPHS: Final[tuple[GraphName, ...]] = ("acoustic", "text", "face", "fusion", "detector")


def subset_name(modalities: tuple[Modality, ...] | list[Modality] | set[Modality]) -> str:
    """Name of a subset of modalities, for instance ``audio+video``, in the order of MODALITIES."""
    return "+".join(m for m in MODALITIES if m in modalities)


SUBSETS: Final[tuple[str, ...]] = tuple(
    subset_name(list(c)) for n in (1, 2, 3) for c in combinations(MODALITIES, n)
)
"""The seven non-empty subsets of modalities, smallest first."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class TensorSpec(_Strict):
    """One input or output of a graph. A text dimension is dynamic and named."""

    dtype: Literal["float32", "float16", "int64", "int32", "uint8"]
    shape: tuple[Annotated[int, Field(ge=0, lt=2**31)] | Line, ...]


class FileEntry(_Strict):
    """A file of the bundle, relative to its folder, with its SHA-256."""

    file: Line
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")

    @field_validator("file")
    @classmethod
    def _inside_the_folder(cls, value: str) -> str:
        parts = re.split(r"[/\\]", value)
        if not value or value.startswith(("/", "\\", "~")) or ":" in value or ".." in parts:
            raise ValueError(f"the path {value!r} leaves the bundle's folder")
        return value


class GraphEntry(FileEntry):
    """An ONNX graph with the tensors that it takes and gives, in the graph's order."""

    inputs: dict[Line, TensorSpec]
    outputs: dict[Line, TensorSpec]
    precision: Literal["fp32", "fp16", "int8", "mixed"] = "fp32"
    source: Line = ""
    licence: Line = ""


class AudioFrontendConfig(_Strict):
    """Sound to features: options of the kernels, as their own ``as_dict`` gives them.

    All features share one clock: frame t is centred at sample t * 160 of 16 kHz sound.
    """

    log_mel: dict[str, Any]
    mfcc: dict[str, Any]
    pitch: dict[str, Any]
    minimum_seconds: float = Field(default=0.25, ge=0.025, le=30)
    maximum_seconds: float = Field(default=10.0, ge=0.1, le=30)
    silence_dbfs: float = Field(default=-60.0, ge=-120, lt=0)
    """Sound whose loudest 100 ms stay below this level is silence: the modality is absent."""

    @model_validator(mode="after")
    def _ordered(self) -> AudioFrontendConfig:
        if self.minimum_seconds > self.maximum_seconds:
            raise ValueError("minimum_seconds is more than maximum_seconds")
        return self


class TextFrontendConfig(_Strict):
    """Words to token ids."""

    maximum_tokens: int = Field(default=128, ge=8, le=512)
    languages: tuple[Line, ...] = ()
    """Languages that the encoder knows, ISO 639-1 codes; empty: words of any language are taken."""


class VideoFrontendConfig(_Strict):
    """Pictures to face tensors."""

    frames_per_second: float = Field(default=5.0, ge=0.1, le=60)
    """Pictures a second that are looked at."""
    face_size: int = Field(default=112, ge=32, le=512)
    face_margin: float = Field(default=0.25, ge=0, le=1)
    """Border around the face as a share of its size."""
    grey: bool = False
    """Whether the crop is made grey (three equal channels) before it is encoded."""
    minimum_detection_score: float = Field(default=0.5, gt=0, lt=1)
    minimum_face_pixels: int = Field(default=24, ge=8, le=1024)
    black_level: float = Field(default=8.0, ge=0, le=255)
    """A picture whose mean luminance is below this is black: it says nothing."""


class FrontendConfig(_Strict):
    """Every parameter between raw media and the graphs."""

    audio: AudioFrontendConfig
    text: TextFrontendConfig
    video: VideoFrontendConfig


_UNREACHABLE: Final = math.nextafter(1.0, 2.0)
"""A confidence that no answer has."""


class AnswerReference(_Strict):
    """How answers were spread where a bundle was measured: what drift is told against."""

    labels: tuple[Share, ...] = Field(min_length=2, max_length=1000)
    """Share of the answers whose likeliest label each is, in the order of the bundle's labels."""
    confidences: tuple[Share, ...] = Field(min_length=2, max_length=100)
    """Share of the answers whose confidence lies in each of so many equal bins of 0 to 1."""
    answers: int = Field(ge=1, le=10**9)
    """How many there were."""

    @field_validator("labels", "confidences")
    @classmethod
    def _whole(cls, value: tuple[float, ...]) -> tuple[float, ...]:
        if abs(sum(value) - 1) > 1e-6:
            raise ValueError(f"the shares sum to {sum(value):g}, not to 1")
        return value


class SubsetCalibration(_Strict):
    """Calibration of the decisions that are made from one subset of modalities."""

    temperature: float = Field(default=1.0, ge=LOWEST_TEMPERATURE, le=HIGHEST_TEMPERATURE)
    bias: tuple[Annotated[float, Field(ge=-LARGEST_BIAS, le=LARGEST_BIAS)], ...] = ()
    """Added to the logits of the labels after they were divided by the temperature; none if empty.
    It makes labels as frequent in the answers as they are where the bundle is used."""
    minimum_confidence: float = Field(default=0.0, ge=0, le=1)
    """Below this probability of the likeliest label the decision abstains."""
    risks: tuple[tuple[Annotated[float, Field(gt=0, lt=1)], Share], ...] = ()
    """(risk, confidence): of the answers from this confidence on at most this share was wrong where
    it was measured. Risks rise, confidences fall; what a caller's own risk is looked up in."""

    reference: AnswerReference | None = None
    """How the answers were spread where they were measured; None: drift cannot be told."""

    @field_validator("risks")
    @classmethod
    def _ordered(cls, value: tuple[tuple[float, float], ...]) -> tuple[tuple[float, float], ...]:
        for (low, surer), (high, less_sure) in pairwise(value):
            if low >= high or surer < less_sure:
                raise ValueError("risks must rise and their confidences fall")
        return value

    def at_risk(self, risk: float) -> SubsetCalibration:
        """The same, abstaining so that at most this share of the answers is wrong.

        Below the lowest risk that is stated nothing is answered.

        Args:
            risk: between 0 and 1; the largest one stated that is no larger is taken.

        Raises:
            ConfigError: if it is not, or no risks are stated.
        """
        if isinstance(risk, bool) or not isinstance(risk, (int, float)) or not 0 < risk < 1:
            raise ConfigError(f"a risk lies between 0 and 1, for instance 0.35, not {risk!r}")
        if not self.risks:
            raise ConfigError(
                "the bundle states no risks: leave the risk out, or measure them on clips of your "
                "own with `edge-ser calibrate`"
            )
        kept = [confidence for stated, confidence in self.risks if stated <= risk + 1e-9]
        return self.model_copy(update={"minimum_confidence": kept[-1] if kept else _UNREACHABLE})


class SpeakerAdaptation(_Strict):
    """How the tokens of the sound are moved by the statistics of a person who enrolled.

    `edge_ser.speaker.adaptation.SpeakerMap` holds the formula; without a profile nothing is moved.
    """

    enrol_with: Literal["neutral", "any"]
    """What a person should say to enrol: `mean` and `deviation` are of the same kind of speech."""
    columns: tuple[Column, ...] = Field(min_length=1)
    """Columns of the audio tokens that are moved, in rising order."""
    mean: tuple[Statistic, ...]
    """Of what training people said, for each of the columns."""
    deviation: tuple[Deviation, ...]
    scale: bool = True
    """Whether the spread is adapted too, not only the mean."""
    prior_count: float = Field(ge=0, le=1e6)
    """Tokens of a person at which person and population weigh the same."""
    prior_weight: float = Field(gt=0, le=1)
    """What the population's deviation keeps however much is heard of a person."""
    people: int = Field(ge=2, le=10**9)
    """Training people behind `mean` and `deviation`."""

    @model_validator(mode="after")
    def _fits(self) -> SpeakerAdaptation:
        if list(self.columns) != sorted(set(self.columns)):
            raise ValueError("the columns must rise")
        for name, values in (("mean", self.mean), ("deviation", self.deviation)):
            if len(values) != len(self.columns):
                raise ValueError(f"{name} must have one value for each of the columns")
        return self


class Score(_Strict):
    """One measured figure with what is needed to judge it."""

    task: Line
    metric: Line
    value: Figure
    spread: Figure | None = None
    chance: Figure
    protocol: Line
    precision: Line = "fp32"


class Training(_Strict):
    """What the model was trained on, and by which command."""

    data: list[Line]
    pairing: Literal["paired", "label-paired", "none"]
    held_out: Line
    command: Line
    seed: int = Field(ge=0, lt=2**64)


class BundleManifest(_Strict):
    """The content of `bundle.json`."""

    schema_version: Literal[1]
    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")
    version: str = Field(pattern=r"^[0-9]{1,9}\.[0-9]{1,9}\.[0-9]{1,9}$")
    labels: tuple[Label, ...] = Field(min_length=2, max_length=1000)
    sample_rate: Literal[16000] = SAMPLE_RATE
    frontend: FrontendConfig
    graphs: dict[GraphName, GraphEntry]
    tokenizer: FileEntry
    documents: dict[Line, FileEntry] = Field(default_factory=dict)
    calibration: dict[str, SubsetCalibration]
    adaptation: SpeakerAdaptation | None = None
    """How a person's own statistics are used; None: the bundle cannot enrol anybody."""
    training: Training
    splits: dict[Line, list[Line]] = Field(default_factory=dict)
    scores: list[Score] = Field(default_factory=list)
    licence: Line
    intended_use: Prose
    not_for: Prose

    def __repr__(self) -> str:
        return f"<BundleManifest {self.name} {self.version}: {', '.join(self.labels)}>"

    @model_validator(mode="after")
    def _complete(self) -> BundleManifest:
        missing = [g for g in GRAPHS if g not in self.graphs]
        if missing:
            raise ValueError(f"the graphs {', '.join(missing)} are not listed")
        if len(set(self.labels)) != len(self.labels):
            raise ValueError("a label is listed twice")
        if set(self.calibration) != set(SUBSETS):
            raise ValueError(
                f"calibration must name exactly the subsets {', '.join(SUBSETS)}, "
                f"not {', '.join(sorted(self.calibration)) or 'none'}"
            )
        for subset, value in self.calibration.items():
            if len(value.bias) not in (0, len(self.labels)):
                raise ValueError(
                    f"the calibration of {subset} has {len(value.bias)} biases for "
                    f"{len(self.labels)} labels"
                )
            if value.reference is not None and len(value.reference.labels) != len(self.labels):
                raise ValueError(
                    f"the reference of {subset} has {len(value.reference.labels)} shares for "
                    f"{len(self.labels)} labels"
                )
        width = self.audio_width
        if self.adaptation is not None and self.adaptation.columns[-1] >= width:
            raise ValueError(f"adaptation names a column beyond the {width} of an audio token")
        return self

    @property
    def audio_width(self) -> int:
        """Columns of a token of the sound; 0 where the graph does not state them."""
        tokens = self.graphs["acoustic"].outputs.get("audio_tokens")
        width = tokens.shape[-1] if tokens is not None and tokens.shape else 0
        return width if isinstance(width, int) else 0

    def files(self) -> list[FileEntry]:
        """Every file that the manifest lists."""
        return [*self.graphs.values(), self.tokenizer, *self.documents.values()]


def next_version(version: str) -> str:
    """A version with its last number raised by one."""
    major, minor, patch = version.split(".")
    return f"{major}.{minor}.{int(patch) + 1}"


def smaller_subsets(modalities: Iterable[Modality]) -> tuple[str, ...]:
    """Names of the non-empty proper subsets of some modalities, the largest first."""
    known = [m for m in MODALITIES if m in set(modalities)]
    return tuple(
        subset_name(list(chosen))
        for size in range(len(known) - 1, 0, -1)
        for chosen in combinations(known, size)
    )


Precision = Literal["fp32", "fp16", "int8", "mixed"]
