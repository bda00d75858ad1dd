"""Public keys that signatures of bundles are held against: Ed25519, or NIST's curves.

An Ed25519 key is understood here; for others the library's reader of keys is needed, which takes
three times as long to import as all that Ed25519 takes.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from edge_ser.errors import ConfigError, MissingExtraError
from edge_ser.files import read_plain

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.hashes import HashAlgorithm

EXTRA: Final = "fleet"
_LIMIT: Final = 64 << 10
_PEM: Final = re.compile(
    rb"-----BEGIN PUBLIC KEY-----\s+([A-Za-z0-9+/=\s]+?)-----END PUBLIC KEY-----"
)
_ED25519: Final = bytes.fromhex("302a300506032b6570032100")
"""How the key's structure begins; 32 bytes of key follow."""


@dataclass(frozen=True)
class PublicKey:
    """A public key."""

    path: Path
    """Where it was read, for messages."""
    der: bytes = field(repr=False)
    """SubjectPublicKeyInfo."""

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the key's PEM form in lower-case hex, as signatures name the key."""
        text = base64.b64encode(self.der).decode()
        lines = [text[i : i + 64] for i in range(0, len(text), 64)]
        pem = "\n".join(["-----BEGIN PUBLIC KEY-----", *lines, "-----END PUBLIC KEY-----", ""])
        return hashlib.sha256(pem.encode()).hexdigest()

    def verifies(self, signature: bytes, message: bytes) -> bool:
        """Whether this key's owner signed the message.

        Raises:
            MissingExtraError: if what computes it is not installed.
            ConfigError: if the key is of a kind that signs no bundles.
        """
        try:
            from cryptography.exceptions import InvalidSignature
            from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
        except ImportError as error:
            raise MissingExtraError("verifying a bundle's signature", EXTRA) from error
        try:
            if self.der.startswith(_ED25519) and len(self.der) == len(_ED25519) + 32:
                key = Ed25519PublicKey.from_public_bytes(self.der[len(_ED25519) :])
                key.verify(signature, message)
            else:
                self._verify_by_curve(signature, message)
        except InvalidSignature:
            return False
        return True

    def _verify_by_curve(self, signature: bytes, message: bytes) -> None:
        from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePublicKey
        from cryptography.hazmat.primitives.serialization import load_der_public_key

        try:
            key = load_der_public_key(self.der)
        except Exception as error:  # it raises classes without a common base
            raise ConfigError(f"{self.path} holds a damaged public key: {error}") from error
        if not isinstance(key, EllipticCurvePublicKey):
            raise ConfigError(
                f"{self.path} holds a key of a kind that signs no bundles; an Ed25519 key is made "
                "by: edge-ser bundle new-key FILE"
            )
        key.verify(signature, message, ECDSA(curve_hash(key.curve.name)))


def curve_hash(curve: str) -> HashAlgorithm:
    """The hash that goes with a curve, by the conventions of OpenSSF's model signing.

    Raises:
        ConfigError: if the curve signs no bundles.
    """
    from cryptography.hazmat.primitives import hashes

    known: dict[str, HashAlgorithm] = {
        "secp256r1": hashes.SHA256(),
        "secp384r1": hashes.SHA384(),
        "secp521r1": hashes.SHA512(),
    }
    if curve not in known:
        raise ConfigError(f"a key on the curve {curve} signs no bundles; use an Ed25519 key")
    return known[curve]


def read_public_key(path: Path) -> PublicKey:
    """Read a public key in PEM form.

    Raises:
        ConfigError: if the file cannot be read or holds none.
    """
    try:
        content = read_plain(path, _LIMIT)
    except OSError as error:
        raise ConfigError(f"the public key {path} cannot be read: {error.strerror}") from error
    found = _PEM.search(content)
    try:
        if found is None:
            raise ValueError
        return PublicKey(path, base64.b64decode(b"".join(found[1].split()), validate=True))
    except (ValueError, binascii.Error):
        secret = b"PRIVATE KEY" in content
        raise ConfigError(
            f"{path} holds no public key in PEM form"
            + (": it is a private key, name the .pub beside it" if secret else "")
        ) from None
