"""What a device reads of a repository: only what The Update Framework verifies is believed.

It refuses metadata that is older than what was seen, that has expired, that does not belong
together or is signed by others, and targets of another length or hash; here time is bounded too.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

from edge_ser.bundles.public_key import EXTRA
from edge_ser.errors import ConfigError, MissingExtraError
from edge_ser.files import make_folder, read_plain, temporary_folder

if TYPE_CHECKING:
    from tuf.ngclient import Updater

_SILENCE: Final = 20
"""Seconds that a server may say nothing."""
_LONGEST: Final = 1800.0
"""Seconds that one file may take; a server that drips would hold a device for ever."""
_LIMIT: Final = 1 << 20
_VERSION: Final = re.compile(r"\d{1,9}\.\d{1,9}\.\d{1,9}")
_DIGEST: Final = re.compile(r"[0-9a-f]{64}")

_Result = TypeVar("_Result")


def fetch_channel(folder: Path, url: str, channel: str) -> list[dict[str, Any]]:
    """The bundles that a channel lists.

    Args:
        folder: the device's, which keeps what was seen of the repository.
        url: of the repository.
        channel: its name.

    Raises:
        ConfigError: if the repository cannot be reached, or is not believed.
        MissingExtraError: if what verifies repositories is not installed.
    """

    def fetched(updater: Updater, aside: Path) -> list[dict[str, Any]]:
        content = read_plain(_target(updater, f"channels/{channel}.json", aside), _LIMIT)
        entries = json.loads(content)["bundles"]
        for entry in entries:
            known = (
                _VERSION.fullmatch(entry["version"])
                and _DIGEST.fullmatch(entry["digest"])
                and _DIGEST.fullmatch(entry["archive"])
                and isinstance(entry["percent"], int)
                and isinstance(entry["file"], str)
                and isinstance(entry["name"], str)
            )
            if not known:
                raise ValueError("its list of bundles is not understood")
        return list(entries)

    with temporary_folder() as aside:
        return _believed(folder, url, lambda updater: fetched(updater, aside))


def fetch_archive(folder: Path, url: str, name: str, into: Path) -> Path:
    """Fetch a bundle's archive.

    Raises:
        ConfigError: as `fetch_channel`.
        MissingExtraError: likewise.
    """
    return _believed(folder, url, lambda updater: _target(updater, name, into))


def _target(updater: Updater, name: str, into: Path) -> Path:
    info = updater.get_targetinfo(name)
    if info is None:
        raise ValueError(f"it holds no {name}")
    return Path(updater.download_target(info, str(into / "fetched")))


def _believed(folder: Path, url: str, work: Callable[[Updater], _Result]) -> _Result:
    try:
        from tuf.api.exceptions import DownloadError, RepositoryError, SlowRetrievalError
        from tuf.ngclient import Updater
        from tuf.ngclient.urllib3_fetcher import Urllib3Fetcher
        from urllib3.exceptions import HTTPError
    except ImportError as error:
        raise MissingExtraError("updating bundles", EXTRA) from error

    class Fetcher(Urllib3Fetcher):
        def _fetch(self, address: str) -> Iterator[bytes]:
            until = time.monotonic() + _LONGEST
            for piece in super()._fetch(address):
                if time.monotonic() > until:
                    raise SlowRetrievalError("the server takes too long")
                yield piece

    metadata = folder / "metadata"
    make_folder(metadata)
    try:
        updater = Updater(
            str(metadata),
            f"{url}/metadata/",
            target_base_url=f"{url}/targets/",
            fetcher=Fetcher(socket_timeout=_SILENCE, chunk_size=1 << 16),
            bootstrap=read_plain(folder / "root.json", _LIMIT),
        )
        updater.refresh()
        return work(updater)
    except (RepositoryError, DownloadError, HTTPError, OSError) as error:
        raise _not_used(url, error) from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:  # of its contents
        raise _not_used(url, error) from error


def _not_used(url: str, error: Exception) -> ConfigError:
    reason = str(error) or type(error).__name__
    return ConfigError(
        f"the fleet's repository {url} is not used: {reason}; the bundle in use stays in use"
    )
