"""Load and verify a bundle: the folder that holds everything one model needs.

Nothing of a bundle runs before its manifest was understood whole and every file it lists was found
with the SHA-256 that the manifest gives. What was verified is what runs: a file is read once, and
its bytes are handed on; no file is opened a second time by its name.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import ValidationError

from edge_ser.bundles.graph_check import why_not_allowed
from edge_ser.bundles.graph_content import GRAPH_LIMIT, GraphContent
from edge_ser.bundles.graph_contract import check_graphs
from edge_ser.bundles.replacing import recover
from edge_ser.bundles.schema import (
    MANIFEST_NAME,
    SCHEMA_VERSION,
    BundleManifest,
    FileEntry,
    GraphEntry,
    GraphName,
)
from edge_ser.bundles.trust import TrustedKeys, check_trusted
from edge_ser.errors import BundleError, ConfigError
from edge_ser.files import address_advice, read_plain
from edge_ser.result import BundleReference

_MANIFEST_LIMIT: Final = 4 << 20
_DOCUMENT_LIMIT: Final = 64 << 20
"""Bytes that a tokenizer, a card or a licence may have."""
_COPY = "copy the bundle with what its links lead to (cp -rL FOLDER COPY), and use the copy"
_CHANGED_LINE_ENDS = (
    " (git changed its line ends: write `* -text` into a .gitattributes beside it, and check it "
    "out again)"
)


@dataclass(frozen=True)
class FileCheck:
    """What verification found of one listed file."""

    file: str
    state: Literal["ok", "missing", "wrong hash", "outside the folder", "unreadable", "not allowed"]
    size: int = 0
    advice: str = ""


@dataclass(frozen=True)
class Bundle:
    """A bundle whose manifest was understood; `load_bundle` also verified its files."""

    folder: Path
    manifest: BundleManifest
    digest: str
    """SHA-256 of `bundle.json`; as it lists the hashes of all files, it stands for the whole."""
    _verified: dict[str, bytes] = field(default_factory=dict, repr=False, compare=False)
    """Contents that `load_bundle` has read; each waits here until it is taken, once."""

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
        root = _real(self.folder)
        path = _real(root / entry.file)
        if not any(path.is_relative_to(place) for place in (root, *_blobs(root))):
            raise BundleError(
                f"bundle {self.folder}: the file {entry.file!r} is a link that leads outside the "
                f"bundle's folder: {_COPY}"
            )
        return path

    def graph_path(self, name: GraphName) -> Path:
        """Where a graph's ONNX file lies."""
        return self.path(self.manifest.graphs[name])

    def read(self, entry: FileEntry) -> bytes:
        """The content of a listed file: the very bytes whose hash is the manifest's.

        What `load_bundle` has read is handed out once and then forgotten; whoever asks again has
        the file read and verified again.

        Raises:
            BundleError: if the file is not as the manifest says.
        """
        content = self._verified.pop(entry.file, None)
        if content is None:
            check, content = _read(self, entry)
            if check.state != "ok":
                raise _damaged(self, [check])
        return content

    def graph(self, name: GraphName) -> GraphContent:
        """A graph's verified content; see `read`."""
        entry = self.manifest.graphs[name]
        return GraphContent(self.folder / entry.file, self.read(entry), entry.sha256)

    def size(self) -> int:
        """Bytes of all listed files together."""
        return sum(self.path(entry).stat().st_size for entry in self.manifest.files())


def default_bundle_path() -> Path:
    """The folder of the bundle that ships with the package."""
    return Path(__file__).parent / "default"


def _blobs(root: Path) -> list[Path]:
    """Where files lie if a folder is in a hub's cache, as REPOSITORY/snapshots/REVISION."""
    return [_real(p.parent / "blobs") for p in root.parents if p.name == "snapshots"]


def _real(path: Path) -> Path:
    """The path, links followed; of a loop of links whatever name, which then opens nothing."""
    return Path(os.path.realpath(path))


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
        raw = read_plain(path, _MANIFEST_LIMIT)
    except FileNotFoundError:
        raise BundleError(f"{root} is not a bundle: it holds no {MANIFEST_NAME}") from None
    except OSError as error:
        raise BundleError(
            f"cannot read {path}: {error.strerror}; check that it is a bundle's manifest, and its "
            "permissions"
        ) from error
    try:
        document = json.loads(raw, object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
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


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object of JSON; a reader that took the last of two values would not see what others do."""
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the key {twice!r} is there twice")
    return found


def check_files(bundle: Bundle) -> list[FileCheck]:
    """Look at every file that the manifest lists, in its order; nothing is raised for a bad one."""
    return [_read(bundle, entry)[0] for entry in bundle.manifest.files()]


def load_bundle(
    folder: str | os.PathLike[str] | None = None, *, trusted_keys: TrustedKeys | None = None
) -> Bundle:
    """Load a bundle and verify its signature, where keys are trusted, and every file's hash.

    Args:
        folder: the bundle's folder; None for the one that ships with the package.
        trusted_keys: public keys, as files or folders of them, of which one must have signed the
            bundle; None asks for no more than this machine does (see `edge_ser.bundles.trust`).

    Raises:
        BundleError: if anything of the bundle is not as its manifest says, or it is not signed by
            a trusted key.
        ConfigError: if a key cannot be read.
        MissingExtraError: if keys are trusted, but what verifies signatures is not installed.
    """
    bundle = read_manifest(default_bundle_path() if folder is None else folder)
    check_trusted(bundle, trusted_keys)
    return _verified(bundle)


def load_unsigned(folder: Path) -> Bundle:
    """Load a bundle whoever made it, to sign it; it is verified otherwise.

    Raises:
        BundleError: if anything of the bundle is not as its manifest says.
    """
    return _verified(read_manifest(folder))


def _verified(bundle: Bundle) -> Bundle:
    """A bundle whose files are as its manifest says, with their contents."""
    try:
        check_graphs(bundle.manifest)
    except BundleError as error:
        raise BundleError(f"bundle {bundle.folder}: {error}") from error
    bad = []
    documents = {entry.file for entry in bundle.manifest.documents.values()}
    for entry in bundle.manifest.files():
        check, content = _read(bundle, entry)
        if check.state != "ok":
            bad.append(check)
        elif entry.file not in documents:
            bundle._verified[entry.file] = content
    if bad:
        raise _damaged(bundle, bad)
    return bundle


def _damaged(bundle: Bundle, bad: list[FileCheck]) -> BundleError:
    listed = "; ".join(f"{c.file}: {c.state}{c.advice}" for c in bad)
    if all(c.state == "outside the folder" for c in bad):
        return BundleError(f"bundle {bundle.folder} is made of links: {listed}; {_COPY}")
    if all(c.state == "not allowed" for c in bad):
        return BundleError(f"bundle {bundle.folder} asks for more than a bundle may: {listed}")
    return BundleError(
        f"bundle {bundle.folder} is damaged: {listed}; get the bundle again from its source"
    )


def _read(bundle: Bundle, entry: FileEntry) -> tuple[FileCheck, bytes]:
    """What a listed file is like, and its content, which is for use only if it is ok."""
    is_graph = isinstance(entry, GraphEntry)
    try:
        path = bundle.path(entry)
        content = read_plain(path, GRAPH_LIMIT if is_graph else _DOCUMENT_LIMIT)
    except BundleError:
        return FileCheck(entry.file, "outside the folder"), b""
    except FileNotFoundError:
        return FileCheck(entry.file, "missing"), b""
    except OSError as error:
        return FileCheck(entry.file, "unreadable", advice=f" ({error.strerror})"), b""
    digest, size = hashlib.sha256(content).hexdigest(), len(content)
    if digest != entry.sha256:
        changed = f" (is {digest[:12]}..., should be {entry.sha256[:12]}...)"
        if not is_graph and _with_plain_line_ends(content) == entry.sha256:
            changed = _CHANGED_LINE_ENDS
        return FileCheck(entry.file, "wrong hash", size, changed), content
    reason = why_not_allowed(content) if is_graph else None
    if reason is not None:
        return FileCheck(entry.file, "not allowed", size, f" ({reason})"), content
    return FileCheck(entry.file, "ok", size), content


def _with_plain_line_ends(content: bytes) -> str:
    return hashlib.sha256(content.replace(b"\r\n", b"\n")).hexdigest()
