"""A device's own place in a fleet: what it runs, what it ran before, and how it takes the next.

The bundle in use is what the link ``current`` leads to. It changes in one step, after the new
bundle was fetched, verified, opened and tried. Whatever fails before leaves it as it was: a refused
signature, a full disk, a power cut.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from edge_ser.bundles.loading import Bundle, load_bundle, read_manifest
from edge_ser.bundles.replacing import remove_others, replace_link, replaced_folder
from edge_ser.bundles.trust import TrustedKeys
from edge_ser.errors import BundleError, ConfigError, EdgeSerError
from edge_ser.files import make_folder, read_plain, temporary_folder, write_atomically
from edge_ser.fleet.fetching import fetch_archive, fetch_channel
from edge_ser.fleet.golden import check_golden
from edge_ser.machine.file_lock import lock_file
from edge_ser.recognizer import EdgeRecognizer

_SETTINGS: Final = "fleet.json"
_CURRENT: Final = "current"
_MOST_REFUSED: Final = 100


@dataclass(frozen=True)
class Settings:
    """What a device knows of its fleet, as its ``fleet.json`` holds it."""

    url: str
    channel: str = "stable"
    budget: float | None = None
    device: str = field(default_factory=lambda: secrets.token_hex(16))
    """Decides whether the device is among the first; says nothing of it."""
    previous: str | None = None
    """Slot of the bundle that was in use before."""
    refused: tuple[str, ...] = ()
    """SHA-256 of archives that failed here and of manifests that were rolled back: neither is tried
    again. A bundle that is published once more with other clips or a signature is."""
    checked: float = 0.0
    """When the repository was last believed, seconds since the epoch."""


@dataclass(frozen=True)
class Status:
    """What a device runs."""

    settings: Settings
    bundle: Bundle | None
    """In use; None before the first update."""
    path: Path
    """Give this to `EdgeRecognizer`; it leads to the bundle in use, whichever that is."""


def join_fleet(
    folder: Path, url: str, root: Path, *, channel: str = "stable", budget: float | None = None
) -> None:
    """Make a device a member of a fleet; a member gets the new settings and keeps its bundles.

    Args:
        folder: the device's own.
        url: where the repository is served, http or https.
        root: the repository's ``metadata/1.root.json``, from the owner's hand: all rests on it.
        channel: whose bundles are taken.
        budget: most seconds that the slowest golden clip may take.

    Raises:
        ConfigError: if something is unusable or cannot be written.
    """
    if not url.startswith(("http://", "https://")) or not channel.isidentifier():
        raise ConfigError(f"a fleet has an http address and a channel that is a word, not {url}")
    try:
        content = read_plain(root, 1 << 20)
    except OSError as error:
        raise ConfigError(f"the root {root} cannot be read: {error.strerror}") from error
    make_folder(folder)
    write_atomically(folder / "root.json", content)
    known = _settings(folder) if (folder / _SETTINGS).exists() else Settings(url)
    _store(folder, replace(known, url=url.rstrip("/"), channel=channel, budget=budget))


def update(folder: Path, *, trusted_keys: TrustedKeys | None = None) -> str:
    """Fetch, verify and try the newest bundle that is meant for this device; then take it into use.

    Args:
        folder: of a device that joined a fleet.
        trusted_keys: whose signature the bundle itself must bear; see `EdgeRecognizer`.

    Returns:
        what was done, for people.

    Raises:
        EdgeSerError: if nothing could be fetched or believed, or the bundle failed its test; the
            bundle in use stays in use.
    """
    with _held(folder):
        settings = _settings(folder)
        listed = fetch_channel(folder, settings.url, settings.channel)
        settings = replace(settings, checked=time.time())
        _store(folder, settings)
        current = _current(folder)
        entry = _meant_for(settings, listed, current)
        if entry is None:
            return "nothing newer is meant for this device"
        slot = f"{entry['version']}-{entry['digest'][:16]}"
        try:
            with replaced_folder(folder / "slots" / slot) as fresh:
                with temporary_folder() as aside:
                    archive = fetch_archive(folder, settings.url, entry["file"], aside)
                    _unpack(archive, fresh)
                seconds = _tried(fresh, entry["digest"], settings.budget, trusted_keys)
        except BundleError:
            refused = (*settings.refused, entry["archive"])[-_MOST_REFUSED:]
            _store(folder, replace(settings, refused=refused))
            raise
        before = _slot(folder)
        _lead_to(folder, slot)
        if before != slot:
            settings = replace(settings, previous=before)
        _store(folder, settings)
        remove_others(folder / "slots", {slot, settings.previous})
    name = f"{entry['name']} {entry['version']}"
    return f"{name} is in use; its slowest golden clip took {seconds:.2f} s"


def rollback(folder: Path, *, trusted_keys: TrustedKeys | None = None) -> str:
    """Take the bundle into use again that was in use before; the other is not tried again.

    Raises:
        EdgeSerError: if there is none, or it cannot be used any more.
    """
    with _held(folder):
        settings, current = _settings(folder), _current(folder)
        if settings.previous is None or current is None:
            raise ConfigError(
                f"{folder} keeps no bundle from before: there is nothing to go back to"
            )
        older = load_bundle(
            folder / "slots" / settings.previous / "bundle", trusted_keys=trusted_keys
        )
        _lead_to(folder, settings.previous)
        refused = (*settings.refused, current.digest)[-_MOST_REFUSED:]
        _store(folder, replace(settings, previous=None, refused=refused))
    return f"{older.manifest.name} {older.manifest.version} is in use again"


def status(folder: Path) -> Status:
    """What the device runs.

    Raises:
        EdgeSerError: if the folder is of no device, or what it runs cannot be read.
    """
    return Status(_settings(folder), _current(folder), folder / _CURRENT)


def _meant_for(
    settings: Settings, listed: list[dict[str, Any]], current: Bundle | None
) -> dict[str, Any] | None:
    """The newest bundle of a channel for this device; None if what it runs is as new."""
    meant = [
        entry
        for entry in listed
        if _place(settings.device, entry["digest"]) < entry["percent"]
        and not {entry["digest"], entry["archive"]} & set(settings.refused)
    ]
    newest = max(meant, key=lambda entry: _number(entry["version"]), default=None)
    if newest is None or current is None:
        return newest
    if newest["digest"] == current.digest:
        return None
    older = _number(newest["version"]) < _number(current.manifest.version)
    return None if older else newest


def _place(device: str, digest: str) -> int:
    """0 to 99: where a device stands in the order in which a bundle is handed out."""
    text = hashlib.sha256(f"{device} {digest}".encode()).hexdigest()
    return int(text[:12], 16) % 100


def _number(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))


def _unpack(archive: Path, folder: Path) -> None:
    try:
        with zipfile.ZipFile(archive) as opened:
            for part in opened.infolist():
                names = part.filename.split("/")
                if names[0] not in ("bundle", "golden") or set(names) & {"", "..", "."}:
                    raise BundleError(
                        f"the archive holds {part.filename!r}, which is no part of it"
                    )
                target = folder.joinpath(*names)
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(opened.read(part))
    except (zipfile.BadZipFile, ValueError, NotImplementedError) as error:
        raise BundleError(f"the archive cannot be unpacked: {error}") from error


def _tried(
    slot: Path, digest: str, budget: float | None, trusted_keys: TrustedKeys | None
) -> float:
    """Open a bundle and let it decide; the seconds of the slowest golden clip."""
    try:
        with EdgeRecognizer(slot / "bundle", trusted_keys=trusted_keys) as recognizer:
            if recognizer.bundle.digest != digest:
                raise BundleError("the bundle in the archive is not the one that the channel names")
            return check_golden(recognizer, slot / "golden", budget)
    except BundleError:
        raise
    except EdgeSerError as error:
        raise BundleError(f"the new bundle cannot be used on this device: {error}") from error


def _current(folder: Path) -> Bundle | None:
    return None if _slot(folder) is None else read_manifest(folder / _CURRENT)


def _slot(folder: Path) -> str | None:
    """Name of the slot that is in use."""
    try:
        return (folder / _CURRENT).readlink().parts[-2]
    except FileNotFoundError:
        return None
    except (OSError, IndexError) as error:
        raise ConfigError(f"{folder / _CURRENT} is no link of a device's folder") from error


def _lead_to(folder: Path, slot: str) -> None:
    replace_link(folder / _CURRENT, Path("slots", slot, "bundle"))


def _settings(folder: Path) -> Settings:
    path = folder / _SETTINGS
    try:
        document = json.loads(read_plain(path, 1 << 20))
        document["refused"] = tuple(document["refused"])
        return Settings(**document)
    except FileNotFoundError:
        raise ConfigError(
            f"{folder} belongs to no fleet; "
            f"run: edge-ser fleet join {folder} --url ADDRESS --root FILE"
        ) from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"{path} cannot be used: {error}; join the fleet again") from error


def _store(folder: Path, settings: Settings) -> None:
    write_atomically(folder / _SETTINGS, json.dumps(asdict(settings), indent=1).encode())


@contextmanager
def _held(folder: Path) -> Iterator[None]:
    """One update at a time.

    Raises:
        ConfigError: if another one is under way, or the folder cannot be written.
    """
    _settings(folder)
    with lock_file(folder / "lock", f"{folder} is being updated by another process"):
        yield
