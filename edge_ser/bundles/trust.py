"""Whose bundles are opened: by everybody on this machine, in this process, by this caller.

Each of the three may name keys; wherever some are named, one of them must have signed the bundle.
Who sets an environment variable or writes a program can thus ask for more than the machine does,
never for less. A place that is there but holds no key lets nothing through.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias

from edge_ser.bundles.public_key import PublicKey, read_public_key
from edge_ser.bundles.schema import MANIFEST_NAME
from edge_ser.bundles.signature import check_signed
from edge_ser.errors import ConfigError

if TYPE_CHECKING:
    from edge_ser.bundles.loading import Bundle

TrustedKeys: TypeAlias = str | os.PathLike[str] | Sequence[str | os.PathLike[str]]
"""Files of public keys, or folders of them."""

ENVIRONMENT: Final = "EDGE_SER_TRUSTED_KEYS"
SYSTEM_FOLDER: Final = (
    Path(os.environ.get("PROGRAMDATA", "C:/ProgramData"), "edge-ser", "trusted_keys")
    if sys.platform == "win32"
    else Path("/etc/edge-ser/trusted_keys")
)
_ENDINGS: Final = (".pub", ".pem")


def check_trusted(bundle: Bundle, trusted_keys: TrustedKeys | None = None) -> list[PublicKey]:
    """Make sure that a bundle is signed by whom machine, process and caller trust.

    It is the manifest that is looked at, which holds the hashes of all files that are opened.

    Args:
        bundle: its manifest was read.
        trusted_keys: keys that the caller trusts; None adds nothing to what the machine asks for.

    Returns:
        the keys that signed; empty where none are asked for.

    Raises:
        BundleError: if it is not signed so.
        ConfigError: if a key cannot be read, or a place that should hold keys holds none.
        MissingExtraError: if what verifies signatures is not installed.
    """
    digests = {MANIFEST_NAME: bundle.digest}
    digests |= {entry.file: entry.sha256 for entry in bundle.manifest.files()}
    return [check_signed(bundle.folder, digests, keys) for keys in key_sets(trusted_keys)]


def key_sets(trusted_keys: TrustedKeys | None = None) -> list[list[PublicKey]]:
    """The keys that are trusted, one list for each who names some; see `check_trusted`."""
    sets = []
    if os.path.lexists(SYSTEM_FOLDER):
        sets.append(_keys_at([SYSTEM_FOLDER], str(SYSTEM_FOLDER)))
    named = os.environ.get(ENVIRONMENT)
    if named:
        sets.append(_keys_at([Path(p) for p in named.split(os.pathsep) if p], ENVIRONMENT))
    if trusted_keys is not None:
        if isinstance(trusted_keys, (str, os.PathLike)):
            trusted_keys = [trusted_keys]
        sets.append(_keys_at([Path(p) for p in trusted_keys], "trusted_keys"))
    return sets


def _keys_at(places: Sequence[Path], named_by: str) -> list[PublicKey]:
    files: list[Path] = []
    for place in places:
        try:
            inside = sorted(place.iterdir()) if place.is_dir() else [place]
        except OSError as error:
            raise ConfigError(
                f"the folder of trusted keys {place} cannot be read: {error.strerror}"
            ) from error
        files += [p for p in inside if p == place or p.suffix in _ENDINGS]
    if not files:
        raise ConfigError(
            f"{named_by} holds no public key (a file that ends in {' or '.join(_ENDINGS)}), so no "
            "bundle is trusted: put one there, or take the setting away"
        )
    return [read_public_key(file) for file in files]
