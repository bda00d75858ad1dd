"""What is kept of a person who enrolled: statistics of the voice, never sound or words."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from edge_ser.bundles.fields import Column, Deviation, Statistic
from edge_ser.constants import SAMPLE_RATE
from edge_ser.errors import ConfigError
from edge_ser.files import address_advice, is_there, write_atomically
from edge_ser.speaker.adaptation import RunningStatistics, SpeakerMap

if TYPE_CHECKING:
    from edge_ser.bundles.loading import Bundle
    from edge_ser.bundles.schema import SpeakerAdaptation

PROFILE_VERSION: Final = 1
_LARGEST_FILE: Final = 4 * 1024 * 1024
_KIND: Final = "edge-ser speaker profile"
_MOST_HEARD: Final = 2**45
"""Samples or tokens; nobody lives for so many."""


class Document(BaseModel):
    """The content of a profile's file."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    kind: Literal["edge-ser speaker profile"]
    version: Literal[1]
    acoustic_sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    columns: tuple[Column, ...] = Field(min_length=1)
    samples: int = Field(ge=0, lt=_MOST_HEARD)
    tokens: int = Field(ge=0, lt=_MOST_HEARD)
    mean: tuple[Statistic, ...]
    deviation: tuple[Deviation, ...]


@dataclass(frozen=True)
class Profile:
    """A person's voice as mean and deviation of the columns that a bundle adapts.

    It belongs to the acoustic graph that it was made with: another graph's columns mean something
    else. Thread contract: immutable.
    """

    acoustic_sha256: str
    """SHA-256 of the acoustic graph."""
    columns: tuple[int, ...]
    samples: int
    """16 kHz samples of speech that were heard."""
    tokens: int
    mean: tuple[float, ...]
    deviation: tuple[float, ...]

    def __repr__(self) -> str:
        graph = self.acoustic_sha256[:12]
        return f"<Profile of {self.seconds:.1f} s of speech for the acoustic graph {graph}>"

    @classmethod
    def made(cls, bundle: Bundle, seen: RunningStatistics, samples: int) -> Profile:
        """Make a profile of what was seen with a bundle.

        Raises:
            ConfigError: if the bundle cannot enrol anybody.
        """
        adaptation = adaptation_of(bundle)
        return cls(
            bundle.manifest.graphs["acoustic"].sha256,
            adaptation.columns,
            samples,
            seen.count,
            tuple(map(float, seen.mean)),
            tuple(map(float, seen.deviation)),
        )

    @property
    def seconds(self) -> float:
        """Seconds of speech that were heard."""
        return self.samples / SAMPLE_RATE

    @property
    def statistics(self) -> RunningStatistics:
        """A copy of the statistics, to go on from."""
        return RunningStatistics.of(self.tokens, self.mean, self.deviation)

    def check(self, bundle: Bundle) -> SpeakerAdaptation:
        """Make sure that the profile belongs to a bundle; give how the bundle adapts.

        Raises:
            ConfigError: if it does not, or the bundle cannot adapt to anybody.
        """
        adaptation = adaptation_of(bundle)
        acoustic = bundle.manifest.graphs["acoustic"].sha256
        if self.acoustic_sha256 != acoustic:
            raise ConfigError(
                f"the profile was made with another acoustic graph ({self.acoustic_sha256[:12]}) "
                f"than that of bundle {bundle.manifest.name} ({acoustic[:12]}): its statistics "
                "mean nothing here; use the bundle that it was made with, or enrol again"
            )
        if self.columns != adaptation.columns:
            raise ConfigError(
                f"the profile has statistics of {len(self.columns)} columns, and bundle "
                f"{bundle.manifest.name} adapts {len(adaptation.columns)} others: enrol again"
            )
        return adaptation

    def speaker_map(self, bundle: Bundle) -> SpeakerMap:
        """How tokens of this person are moved.

        Raises:
            ConfigError: as for `check`.
        """
        note = f"adapted to the speaker's profile ({self.seconds:.0f} s of speech)"
        width = bundle.manifest.audio_width
        return SpeakerMap(self.check(bundle), self.statistics, width, note)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the profile, whole or not at all, readable by its owner alone.

        A profile that is there is replaced; a file that is none is not.

        Raises:
            ConfigError: if the file cannot be written, or would replace something else.
        """
        target = Path(path)
        if is_there(target):
            _read(target)
        document = {
            "kind": _KIND,
            "version": PROFILE_VERSION,
            "acoustic_sha256": self.acoustic_sha256,
            "columns": list(self.columns),
            "samples": self.samples,
            "tokens": self.tokens,
            "mean": list(self.mean),
            "deviation": list(self.deviation),
        }
        content = json.dumps(document, allow_nan=False) + "\n"
        write_atomically(target, content.encode(), mode=0o600)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Profile:
        """Read a profile.

        Raises:
            ConfigError: if it is missing, damaged, of an unknown version, or no profile.
        """
        document = _read(Path(path))
        return cls(
            document.acoustic_sha256,
            document.columns,
            document.samples,
            document.tokens,
            document.mean,
            document.deviation,
        )

    @staticmethod
    def delete(path: str | os.PathLike[str]) -> None:
        """Delete a profile's file.

        Raises:
            ConfigError: if it is missing, cannot be deleted, or is no profile.
        """
        target = Path(path)
        _read(target)
        try:
            target.unlink()
        except OSError as error:
            raise ConfigError(f"{target} cannot be deleted: {error.strerror}") from error


def adaptation_of(bundle: Bundle) -> SpeakerAdaptation:
    """How a bundle adapts to a person.

    Raises:
        ConfigError: if it does not.
    """
    adaptation = bundle.manifest.adaptation
    if adaptation is None:
        raise ConfigError(
            f"bundle {bundle.manifest.name} {bundle.manifest.version} cannot enrol anybody: it was "
            "exported without speaker adaptation; leave the profile out, or use a bundle that has "
            "it (`edge-ser bundle show` tells)"
        )
    return adaptation


def _read(path: Path) -> Document:
    if advice := address_advice(path):
        raise ConfigError(advice)
    try:
        if path.is_file() and path.stat().st_size > _LARGEST_FILE:
            raise ConfigError(f"{path} is larger than 4 MiB: it is no speaker profile")
        raw = path.read_bytes()
    except OSError as error:
        raise ConfigError(
            f"the profile {path} cannot be read ({error.strerror}): name the file that enrolling "
            "wrote, or enrol first (`edge-ser live --enroll 15 --profile FILE`)"
        ) from error
    try:
        document = Document.model_validate_json(raw)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "file"
        raise ConfigError(
            f"{path} is no speaker profile that this edge-ser reads ({place}: {first['msg']}); "
            "it is left as it is: enrol into another file"
        ) from error
    if not len(document.columns) == len(document.mean) == len(document.deviation):
        raise ConfigError(
            f"{path} is damaged: columns, mean and deviation differ in length; enrol again"
        )
    return document
