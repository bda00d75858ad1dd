"""The errors of edge-ser.

Every error that a user can cause is an `EdgeSerError`: it says what happened, to which file or
device, and what to do. Anything else that escapes the library is a bug.
"""

from __future__ import annotations


class EdgeSerError(Exception):
    """Base of every error that a user can cause and mend."""


class BundleError(EdgeSerError):
    """A model bundle is missing, damaged, of an unknown version, or not what it says it is."""


class EngineError(EdgeSerError):
    """A backend, an execution provider or a compiled engine cannot be used."""


class CaptureError(EdgeSerError):
    """A microphone, a camera or a live source cannot be opened or stopped answering."""


class MediaError(EdgeSerError):
    """A clip, an array of samples, a picture or a transcript cannot be used."""


class ConfigError(EdgeSerError):
    """An option, a configuration or the installation does not allow what was asked."""


class MissingExtraError(ConfigError):
    """An optional dependency is not installed; the message holds the command that brings it."""

    def __init__(self, what: str, extra: str) -> None:
        super().__init__(
            f"{what} needs an optional part that is not installed; "
            f'run: pip install "edge-ser[{extra}]"'
        )
        self.extra = extra
