"""A repository of bundles for a fleet: plain files of The Update Framework, for any web server.

The four roles are signed by one key. A channel is a signed list of bundles, each with the share of
the devices that it is meant for.
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from edge_ser.bundles.loading import load_bundle
from edge_ser.bundles.public_key import EXTRA
from edge_ser.bundles.schema import MANIFEST_NAME
from edge_ser.bundles.signature import SIGNATURE_NAME
from edge_ser.errors import ConfigError, MissingExtraError
from edge_ser.files import read_plain, temporary_folder, write_atomically
from edge_ser.fleet.golden import demo_clip, make_golden

if TYPE_CHECKING:
    from tuf.api.metadata import Metadata

_ROOT_DAYS: Final = 730
_KEPT: Final = 8
"""Bundles that a channel lists at most; the oldest go."""


def publish(
    repository: Path,
    key: Path,
    bundle: Path | None = None,
    *,
    channel: str = "stable",
    percent: int = 100,
    clips: Sequence[Path] = (),
    days: int = 30,
) -> str:
    """Put a bundle into a repository, or only renew how long the repository holds.

    A run that is killed leaves the repository as it was for its readers.

    Args:
        repository: its folder, made by the first call.
        key: private key in PEM form; see `edge_ser.bundles.signing.make_key`.
        bundle: the bundle's folder; None publishes nothing new.
        channel: which devices are asked to take it.
        percent: share of these devices, 0 to 100; publish again with more to go on.
        clips: golden clips of the self-test; the clip that ships with the package if empty.
        days: after which devices no longer believe the repository, unless it is renewed.

    Returns:
        what was done, for people.

    Raises:
        ConfigError: if key, channel, percent or days cannot be used, or nothing can be written.
        BundleError: if the bundle cannot be used.
        MissingExtraError: if what writes repositories is not installed.
    """
    if not channel.isidentifier() or not 0 <= percent <= 100 or days < 1:
        raise ConfigError(
            "a channel is a word, a share 0 to 100 percent, and a repository holds 1 day at least"
        )
    writer = _Writer(repository, key, days)
    done = f"{repository} holds for {days} more days"
    if bundle is not None:
        loaded = load_bundle(bundle)
        manifest = loaded.manifest
        name = f"bundles/{manifest.name}-{manifest.version}-{loaded.digest[:12]}.zip"
        archive = _archive(loaded.folder, [e.file for e in manifest.files()], clips)
        writer.add(name, archive)
        entry = {
            "file": name,
            "name": manifest.name,
            "version": manifest.version,
            "digest": loaded.digest,
            "archive": hashlib.sha256(archive).hexdigest(),
            "percent": percent,
        }
        others = [e for e in writer.channel(channel) if e["digest"] != loaded.digest]
        listed = [entry, *others][:_KEPT]
        writer.add(f"channels/{channel}.json", json.dumps({"bundles": listed}).encode())
        done = f"{manifest.name} {manifest.version} for {percent} % of {channel}; {done}"
    writer.write()
    return done


def _archive(folder: Path, files: Sequence[str], clips: Sequence[Path]) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive, temporary_folder() as aside:
        make_golden(folder, clips or [demo_clip()], aside / "golden")
        own = [MANIFEST_NAME, *files]
        if (folder / SIGNATURE_NAME).exists():
            own.append(SIGNATURE_NAME)
        parts = [(f"bundle/{name}", folder / name) for name in dict.fromkeys(own)]
        parts += [(f"golden/{p.name}", p) for p in sorted((aside / "golden").iterdir())]
        for name, path in parts:
            # One time for all: the same bundle gives the same archive.
            archive.writestr(zipfile.ZipInfo(name, (2020, 1, 1, 0, 0, 0)), read_plain(path, 2**31))
    return content.getvalue()


class _Writer:
    """The metadata of a repository, to be changed and written."""

    def __init__(self, repository: Path, key: Path, days: int) -> None:
        try:
            from cryptography.hazmat.primitives.serialization import load_pem_private_key
            from securesystemslib.signer import CryptoSigner
            from tuf.api.metadata import Metadata, Root, Snapshot, Targets, Timestamp
        except ImportError as error:
            raise MissingExtraError("publishing bundles", EXTRA) from error
        try:
            private = load_pem_private_key(read_plain(key, 1 << 16), None)
            self._signer = CryptoSigner(private)
        except OSError as error:
            raise ConfigError(f"the key {key} cannot be read: {error.strerror}") from error
        except Exception as error:  # the libraries raise classes without a common base
            raise ConfigError(f"{key} is no private key that can sign: {error}") from error
        self._repository = repository
        self._metadata = repository / "metadata"
        now = datetime.now(timezone.utc).replace(microsecond=0)
        soon = now + timedelta(days=days)
        self._new_root = not (self._metadata / "timestamp.json").exists()
        if self._new_root:
            root = Root(consistent_snapshot=True, expires=now + timedelta(days=_ROOT_DAYS))
            for role in ("root", "timestamp", "snapshot", "targets"):
                root.add_key(self._signer.public_key, role)
            self._root: Metadata[Root] = Metadata(root)
            self._targets: Metadata[Targets] = Metadata(Targets(expires=soon))
            self._snapshot: Metadata[Snapshot] = Metadata(Snapshot(expires=soon))
            self._timestamp: Metadata[Timestamp] = Metadata(Timestamp(expires=soon))
            return
        try:
            self._timestamp = Metadata[Timestamp].from_file(str(self._metadata / "timestamp.json"))
            at = self._timestamp.signed.snapshot_meta.version
            self._snapshot = Metadata[Snapshot].from_file(
                str(self._metadata / f"{at}.snapshot.json")
            )
            at = self._snapshot.signed.meta["targets.json"].version
            self._targets = Metadata[Targets].from_file(str(self._metadata / f"{at}.targets.json"))
            numbers = [int(p.name.split(".")[0]) for p in self._metadata.glob("*.root.json")]
            self._root = Metadata[Root].from_file(str(self._metadata / f"{max(numbers)}.root.json"))
        except Exception as error:  # the library raises classes without a common base
            raise ConfigError(f"{repository} is no repository of bundles: {error}") from error
        if self._signer.public_key.keyid not in self._root.signed.keys:
            raise ConfigError(f"{key} is not the key that {repository} is signed with")
        for part in (self._targets, self._snapshot, self._timestamp):
            part.signed.version += 1
            part.signed.expires = soon
        if self._root.signed.expires < now + timedelta(days=_ROOT_DAYS // 2):
            self._root.signed.version += 1
            self._root.signed.expires = now + timedelta(days=_ROOT_DAYS)
            self._new_root = True

    def channel(self, name: str) -> list[dict[str, Any]]:
        """What a channel lists by now."""
        target = self._targets.signed.targets.get(f"channels/{name}.json")
        if target is None:
            return []
        path = self._target_path(f"channels/{name}.json", target.hashes["sha256"])
        return list(json.loads(path.read_text("utf-8"))["bundles"])

    def add(self, name: str, content: bytes) -> None:
        """Write a target's file; no device sees it before `write`."""
        from tuf.api.metadata import TargetFile

        path = self._target_path(name, hashlib.sha256(content).hexdigest())
        write_atomically(path, content, parents=True)
        self._targets.signed.targets[name] = TargetFile.from_data(name, content, ["sha256"])

    def write(self) -> None:
        """Sign all and write it, last what devices read first."""
        from tuf.api.metadata import MetaFile

        versions = self._targets.signed.version, self._snapshot.signed.version
        self._snapshot.signed.meta["targets.json"] = MetaFile(versions[0])
        self._timestamp.signed.snapshot_meta = MetaFile(versions[1])
        if self._new_root:
            self._write(self._root, f"{self._root.signed.version}.root.json")
        self._write(self._targets, f"{versions[0]}.targets.json")
        self._write(self._snapshot, f"{versions[1]}.snapshot.json")
        self._write(self._timestamp, "timestamp.json")

    def _write(self, part: Metadata[Any], name: str) -> None:
        part.sign(self._signer)
        write_atomically(self._metadata / name, part.to_bytes(), parents=True)

    def _target_path(self, name: str, sha256: str) -> Path:
        path = self._repository / "targets" / name
        return path.with_name(f"{sha256}.{path.name}")
