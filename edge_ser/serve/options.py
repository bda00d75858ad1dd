"""What a server is told when it is started: where it listens, whom it hears, and its limits."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Final

from edge_ser.errors import ConfigError

SHORTEST_TOKEN: Final = 16
LOOPBACK_NAMES: Final = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True)
class Limits:
    """Whatever goes beyond is refused with a status that says so; nothing grows without bound."""

    upload_bytes: int = 64 * 2**20
    """Bytes of one request; a longer one is refused (413), its rest unread."""
    upload_seconds: float = 60.0
    """An upload must be complete within them (408)."""
    decision_seconds: float = 120.0
    """A clip must be decided within them, waiting included (504)."""
    workers: int = 2
    """Clips that are decided at once."""
    queue: int = 8
    """Clips that may wait beside them; more are told to come again (503)."""
    conversations: int = 16
    """Live conversations at once; more are told to come again (503, or 1013 on a WebSocket)."""
    message_bytes: int = 2**20
    """Bytes of one WebSocket message (1009)."""
    idle_seconds: float = 30.0
    """A conversation that sends nothing for so long is ended (1008), and so is a connection."""
    readers: int = 16
    """Readers of `/v1/decisions` at once (503)."""
    ending_seconds: float = 10.0
    """What runs may take so long to end once the server is told to."""

    def __post_init__(self) -> None:
        """Check them.

        Raises:
            ConfigError: if one is not positive, or a count is no whole number (`queue` may be 0).
        """
        from edge_ser.media.clip import check_positive

        for limit in fields(self):
            value = getattr(self, limit.name)
            if limit.type == "float":
                check_positive(limit.name, value)
                continue
            lowest = 0 if limit.name == "queue" else 1
            if isinstance(value, bool) or not isinstance(value, int) or value < lowest:
                raise ConfigError(
                    f"{limit.name} must be a whole number from {lowest} on, not {value!r}"
                )


@dataclass(frozen=True)
class ServeOptions:
    """Where a server listens and whom it hears."""

    host: str = "127.0.0.1"
    """Address to listen on; one that others reach needs a token file."""
    port: int = 8080
    """0 takes any that is free."""
    token_file: Path | None = None
    """File with a token a line; a client must send one of them. None: nobody is asked."""
    names: tuple[str, ...] = ()
    """Further names of this server that a client may ask for (the header Host)."""
    origins: tuple[str, ...] = ()
    """Further web pages that may talk to it (Origin), such as ``https://desk.example``."""
    certificate: Path | None = None
    """Certificate chain (PEM) for https; a browser elsewhere gives its camera to https alone."""
    key: Path | None = None
    """The certificate's private key (PEM)."""
    limits: Limits = field(default_factory=Limits)

    def __post_init__(self) -> None:
        """Check what goes together.

        Raises:
            ConfigError: if the port is none, a key lacks its certificate, or an address that others
                reach has no token file.
        """
        if isinstance(self.port, bool) or not 0 <= self.port <= 65535:
            raise ConfigError(f"port must be a number from 0 to 65535, not {self.port!r}")
        if (self.certificate is None) != (self.key is None):
            raise ConfigError("https needs a certificate and its key: give both or neither")
        for path in (self.certificate, self.key):
            if path is not None and not path.is_file():
                raise ConfigError(f"no such file: {path}")
        if self.token_file is None and not is_loopback(self.host):
            raise ConfigError(
                f"{self.host} can be reached by others: give a token file (--token-file), made for "
                'instance by: umask 077; python -c "import secrets; print(secrets.token_hex())" '
                "> token"
            )

    @property
    def accepted_names(self) -> frozenset[str]:
        """Names that the header Host may hold, in small letters and without a port."""
        return frozenset(name.lower() for name in (*LOOPBACK_NAMES, self.host, *self.names))

    def tokens(self) -> tuple[str, ...]:
        """The tokens of the token file; empty when nobody is asked for one.

        Raises:
            ConfigError: if the file cannot be read, is empty, or a token is short enough to guess.
        """
        if self.token_file is None:
            return ()
        try:
            lines = self.token_file.read_text("utf-8").split("\n")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"the token file {self.token_file} cannot be read: {error}") from None
        tokens = tuple(filter(None, (line.strip() for line in lines)))
        if not tokens or any(len(t) < SHORTEST_TOKEN or not t.isascii() for t in tokens):
            raise ConfigError(
                f"the token file {self.token_file} must hold tokens of at least {SHORTEST_TOKEN} "
                "ASCII characters, one a line"
            )
        return tokens


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches an address."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
