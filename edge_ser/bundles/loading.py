"""Load and verify a bundle: the folder that holds everything one model needs.

Nothing of a bundle runs before its manifest was understood whole and every file it lists was found
with the SHA-256 that the manifest gives.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from edge_ser.bundles.replacing import recover
from edge_ser.bundles.schema import (
    MANIFEST_NAME,
    SCHEMA_VERSION,
    BundleManifest,
    FileEntry,
    GraphName,
)
from edge_ser.errors import BundleError, ConfigError
from edge_ser.files import address_advice, file_sha256
from edge_ser.result import BundleReference

_MANIFEST_LIMIT = 4 * 1024 * 1024
_COPY = "copy the bundle with what its links lead to (cp -rL FOLDER COPY), and use the copy"
_CHANGED_LINE_ENDS = (
    " (git changed its line ends: write `* -text` into a .gitattributes beside it, and check it "
    "out again)"
)


@dataclass(frozen=True)
class FileCheck:
    """What verification found of one listed file."""

    file: str
    state: Literal["ok", "missing", "wrong hash", "outside the folder", "unreadable"]
    size: int = 0
    advice: str = ""


@dataclass(frozen=True)
class Bundle:
    """A bundle whose manifest was understood; `load_bundle` also verified its files."""

    folder: Path
    manifest: BundleManifest
    digest: str
    """SHA-256 of `bundle.json`; as it lists the hashes of all files, it stands for the whole."""

    def __repr__(self) -> str:
        manifest = self.manifest
        return f"<Bundle {manifest.name} {manifest.version} ({self.digest[:12]}) in {self.folder}>"

    @property
    def reference(self) -> BundleReference:
        """Name, version and hash, as decisions carry them."""
        return BundleReference(self.manifest.name, self.manifest.version, self.digest)

    def path(self, entry: FileEntry) -> Path:
        """Where a listed file lies.

        Raises:
            BundleError: if the path, symbolic links followed, leaves the bundle's folder, and the
                files of the hub's cache that it may lie in.
        """
        root = self.folder.resolve()
        path = (root / entry.file).resolve()
        if not any(path.is_relative_to(place) for place in (root, *_blobs(root))):
            raise BundleError(
                f"bundle {self.folder}: the file {entry.file!r} is a link that leads outside the "
                f"bundle's folder: {_COPY}"
            )
        return path

    def graph_path(self, name: GraphName) -> Path:
        """Where a graph's ONNX file lies."""
        return self.path(self.manifest.graphs[name])

    def size(self) -> int:
        """Bytes of all listed files together."""
        return sum(self.path(entry).stat().st_size for entry in self.manifest.files())


def default_bundle_path() -> Path:
    """The folder of the bundle that ships with the package."""
    return Path(__file__).parent / "default"


def _blobs(root: Path) -> list[Path]:
    """Where files lie if a folder is in a hub's cache, as REPOSITORY/snapshots/REVISION."""
    return [(p.parent / "blobs").resolve() for p in root.parents if p.name == "snapshots"]


def read_manifest(folder: str | os.PathLike[str]) -> Bundle:
    """Read and validate `bundle.json` alone, without a look at the files that it lists.

    Raises:
        BundleError: if the folder or its manifest is missing, unreadable, of an unknown version or
            not as the schema wants it.
    """
    if advice := address_advice(folder):
        raise BundleError(advice)
    root = Path(folder)
    try:
        if not root.exists():
            recover(root)  # a run that was killed while it replaced the bundle had set it aside
        there = root.is_dir()
        kind = "is a file, not a folder" if root.exists() else "does not exist"
    except OSError as error:
        raise BundleError(f"cannot read {root}: {error.strerror}; check its name") from error
    except ConfigError as error:
        raise BundleError(str(error)) from error
    if not there:
        raise BundleError(
            f"bundle {root} {kind}; name the folder that holds a {MANIFEST_NAME}, "
            "or leave the bundle out to use the one that ships with edge-ser"
        )
    path = root / MANIFEST_NAME
    try:
        if path.stat().st_size > _MANIFEST_LIMIT:
            raise BundleError(f"{path} is larger than 4 MiB: it is not a bundle manifest")
        raw = path.read_bytes()
    except FileNotFoundError:
        raise BundleError(f"{root} is not a bundle: it holds no {MANIFEST_NAME}") from None
    except OSError as error:
        raise BundleError(f"cannot read {path}: {error.strerror}; check its permissions") from error
    try:
        document = json.loads(raw)
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise BundleError(
            f"{path} is not valid JSON ({error}); the bundle is damaged, get it again"
        ) from error
    version = document.get("schema_version") if isinstance(document, dict) else None
    if version != SCHEMA_VERSION:
        raise BundleError(
            f"{path} has schema version {version!r}; this edge-ser reads version {SCHEMA_VERSION}: "
            "install the edge-ser release that the bundle was made for, or export the bundle again"
        )
    try:
        manifest = BundleManifest.model_validate_json(raw)
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(str(part) for part in e['loc']) or 'manifest'}: {e['msg']}"
            for e in error.errors()[:5]
        )
        more = len(error.errors()) - 5
        raise BundleError(
            f"{path} is not a valid manifest: {problems}"
            + (f"; and {more} more problems" if more > 0 else "")
        ) from error
    return Bundle(root, manifest, hashlib.sha256(raw).hexdigest())


def check_files(bundle: Bundle) -> list[FileCheck]:
    """Look at every file that the manifest lists, in its order; nothing is raised for a bad one."""
    return [_check(bundle, entry) for entry in bundle.manifest.files()]


def load_bundle(folder: str | os.PathLike[str] | None = None) -> Bundle:
    """Load a bundle and verify every file's hash.

    Args:
        folder: the bundle's folder; None for the one that ships with the package.

    Raises:
        BundleError: if anything of the bundle is not as its manifest says.
    """
    bundle = read_manifest(default_bundle_path() if folder is None else folder)
    bad = [check for check in check_files(bundle) if check.state != "ok"]
    if bad:
        listed = "; ".join(f"{c.file}: {c.state}{c.advice}" for c in bad)
        if all(c.state == "outside the folder" for c in bad):
            raise BundleError(f"bundle {bundle.folder} is made of links: {listed}; {_COPY}")
        raise BundleError(
            f"bundle {bundle.folder} is damaged: {listed}; get the bundle again from its source"
        )
    return bundle


def _check(bundle: Bundle, entry: FileEntry) -> FileCheck:
    try:
        path = bundle.path(entry)
    except BundleError:
        return FileCheck(entry.file, "outside the folder")
    try:
        digest, size = file_sha256(path), path.stat().st_size
    except FileNotFoundError:
        return FileCheck(entry.file, "missing")
    except OSError as error:
        return FileCheck(entry.file, "unreadable", advice=f" ({error.strerror})")
    if digest != entry.sha256:
        changed = f" (is {digest[:12]}..., should be {entry.sha256[:12]}...)"
        if path.suffix != ".onnx" and _with_plain_line_ends(path) == entry.sha256:
            changed = _CHANGED_LINE_ENDS
        return FileCheck(entry.file, "wrong hash", size, changed)
    return FileCheck(entry.file, "ok", size)


def _with_plain_line_ends(path: Path) -> str:
    return hashlib.sha256(path.read_bytes().replace(b"\r\n", b"\n")).hexdigest()
