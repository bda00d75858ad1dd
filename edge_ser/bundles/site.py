"""What a site's own recordings change of a bundle's probabilities: a small file beside the bundle.

The bundle stays as it is, with its signature. The file holds no sound and no words, only a
temperature and a few biases, and it belongs to the very bundle that it was made with.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import replace
from pathlib import Path
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from edge_ser.bundles.fields import Line
from edge_ser.bundles.loading import Bundle
from edge_ser.bundles.schema import SUBSETS, SubsetCalibration
from edge_ser.errors import ConfigError
from edge_ser.files import address_advice, is_there, write_atomically

_LARGEST_FILE: Final = 1024 * 1024
_ADVICE: Final = "make it with `edge-ser calibrate BUNDLE --data RECORDINGS --site FILE`"


class SiteCalibration(BaseModel):
    """Calibrations of the subsets of modalities that a site had enough recordings of.

    Thread contract: immutable.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["edge-ser site calibration"] = "edge-ser site calibration"
    version: Literal[1] = 1
    bundle_sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    """SHA-256 of the bundle's ``bundle.json``."""
    basis: Line
    """What it rests on, a sentence."""
    subsets: dict[str, SubsetCalibration] = Field(min_length=1)
    """By name; the other subsets stay as they are in the bundle."""

    def applied(self, bundle: Bundle) -> Bundle:
        """The bundle with the site's calibrations; its version says so, its files are the same.

        Raises:
            ConfigError: if the file was made with another bundle, or does not fit its labels.
        """
        manifest = bundle.manifest
        if self.bundle_sha256 != bundle.digest:
            raise ConfigError(
                f"the site calibration was made with another bundle ({self.bundle_sha256[:12]}) "
                f"than {manifest.name} {manifest.version} ({bundle.digest[:12]}): its numbers mean "
                f"nothing here; {_ADVICE}"
            )
        for subset, own in self.subsets.items():
            if subset not in SUBSETS or len(own.bias) not in (0, len(manifest.labels)):
                raise ConfigError(f"the site calibration of {subset} is damaged; {_ADVICE}")
        short = hashlib.sha256(self.model_dump_json().encode()).hexdigest()[:8]
        changed = manifest.model_copy(
            update={
                "version": f"{manifest.version}+site.{short}",
                "calibration": {**manifest.calibration, **self.subsets},
            }
        )
        return replace(bundle, manifest=changed)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the file, whole or not at all; a site calibration that is there is replaced.

        Raises:
            ConfigError: if it cannot be written, or would replace something else.
        """
        target = Path(path)
        if is_there(target):
            load_site(target)
        write_atomically(target, (self.model_dump_json(indent=1) + "\n").encode())


def load_site(path: str | os.PathLike[str]) -> SiteCalibration:
    """Read a site calibration.

    Raises:
        ConfigError: if it is missing, damaged, of an unknown version, or something else.
    """
    if advice := address_advice(path):
        raise ConfigError(advice)
    source = Path(path)
    try:
        if source.is_file() and source.stat().st_size > _LARGEST_FILE:
            raise ConfigError(f"{source} is larger than 1 MiB: it is no site calibration")
        return SiteCalibration.model_validate_json(source.read_bytes())
    except OSError as error:
        raise ConfigError(f"{source} cannot be read ({error.strerror}); {_ADVICE}") from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "file"
        raise ConfigError(
            f"{source} is no site calibration that this edge-ser reads ({place}: {first['msg']}); "
            f"it is left as it is; {_ADVICE}"
        ) from error
