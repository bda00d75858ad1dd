"""Signing a bundle, on the publisher's side."""

from __future__ import annotations

import base64
import hashlib
import json
import os
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Final

from edge_ser.bundles.graph_content import GRAPH_LIMIT
from edge_ser.bundles.loading import load_unsigned
from edge_ser.bundles.public_key import EXTRA, PublicKey, curve_hash
from edge_ser.bundles.signature import (
    MEDIA_TYPE,
    PAYLOAD_TYPE,
    PREDICATE_TYPE,
    SIGNATURE_NAME,
    STATEMENT_TYPE,
    envelope_message,
    root_digest,
)
from edge_ser.errors import BundleError, ConfigError, MissingExtraError
from edge_ser.files import read_plain, write_atomically

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

_LIMIT: Final = 64 << 10
_IGNORED: Final = (SIGNATURE_NAME, ".git", ".gitattributes", ".github", ".gitignore")
"""As OpenSSF's tool does by itself."""


def make_key(target: str | os.PathLike[str]) -> PublicKey:
    """Make a new Ed25519 key pair: the private key at `target`, the public one at ``target.pub``.

    Args:
        target: file of the private key, which only its owner may read.

    Raises:
        ConfigError: if one of the files is there already, or cannot be written.
        MissingExtraError: if what makes keys is not installed.
    """
    try:
        from cryptography.hazmat.primitives import serialization as forms
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    except ImportError as error:
        raise MissingExtraError("making a key", EXTRA) from error
    target = Path(target)
    public = target.with_name(target.name + ".pub")
    for file in (target, public):
        if os.path.lexists(file):
            raise ConfigError(f"{file} is there already: a key is never replaced; name another")
    key = Ed25519PrivateKey.generate()
    pem = forms.Encoding.PEM
    secret = key.private_bytes(pem, forms.PrivateFormat.PKCS8, forms.NoEncryption())
    write_atomically(target, secret, mode=0o600)
    open_form = forms.PublicFormat.SubjectPublicKeyInfo
    write_atomically(public, key.public_key().public_bytes(pem, open_form))
    return PublicKey(public, key.public_key().public_bytes(forms.Encoding.DER, open_form))


def sign_bundle(folder: str | os.PathLike[str], key: str | os.PathLike[str]) -> PublicKey:
    """Sign every file of a bundle; an older signature is replaced.

    Args:
        folder: of a bundle that is as its manifest says.
        key: private key in PEM form, Ed25519 or of a NIST curve, without a password.

    Returns:
        the public key that verifies it.

    Raises:
        BundleError: if the bundle is damaged or has links.
        ConfigError: if the key cannot be used, or the signature cannot be written.
        MissingExtraError: if what signs is not installed.
    """
    private, public = _private_key(Path(key))
    bundle = load_unsigned(Path(folder))
    digests = _digests(bundle.folder)
    expected = {entry.file: entry.sha256 for entry in bundle.manifest.files()}
    changed = [name for name, digest in expected.items() if digests.get(name) != digest]
    if changed:
        raise BundleError(f"bundle {folder} changed while it was signed: {', '.join(changed)}")
    payload = json.dumps(_statement(bundle.folder.resolve().name, digests), indent=1).encode()
    document = {
        "mediaType": MEDIA_TYPE,
        "verificationMaterial": {"publicKey": {"hint": public.fingerprint}, "tlogEntries": []},
        "dsseEnvelope": {
            "payload": base64.b64encode(payload).decode(),
            "payloadType": PAYLOAD_TYPE,
            "signatures": [
                {"sig": base64.b64encode(_signature(private, payload)).decode(), "keyid": ""}
            ],
        },
    }
    write_atomically(bundle.folder / SIGNATURE_NAME, json.dumps(document).encode())
    return public


def _private_key(path: Path) -> tuple[Ed25519PrivateKey | EllipticCurvePrivateKey, PublicKey]:
    try:
        from cryptography.hazmat.primitives import serialization as forms
        from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    except ImportError as error:
        raise MissingExtraError("signing a bundle", EXTRA) from error
    try:
        key = forms.load_pem_private_key(read_plain(path, _LIMIT), None)
    except OSError as error:
        raise ConfigError(f"the key {path} cannot be read: {error.strerror}") from error
    except TypeError as error:
        raise ConfigError(
            f"{path} is locked by a password: unlock it for the moment of signing, for instance by "
            "openssl pkey -in LOCKED -out OPEN"
        ) from error
    except Exception as error:  # the library raises classes without a common base
        raise ConfigError(
            f"{path} is no private key in PEM form: name the file that `edge-ser bundle new-key` "
            "made, without .pub"
        ) from error
    if not isinstance(key, (Ed25519PrivateKey, EllipticCurvePrivateKey)):
        raise ConfigError(f"{path} is a key of a kind that signs no bundles; use an Ed25519 key")
    if isinstance(key, EllipticCurvePrivateKey):
        curve_hash(key.curve.name)
    public = key.public_key().public_bytes(
        forms.Encoding.DER, forms.PublicFormat.SubjectPublicKeyInfo
    )
    return key, PublicKey(path, public)


def _signature(key: Ed25519PrivateKey | EllipticCurvePrivateKey, payload: bytes) -> bytes:
    from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePrivateKey

    message = envelope_message(payload)
    if isinstance(key, EllipticCurvePrivateKey):
        return key.sign(message, ECDSA(curve_hash(key.curve.name)))
    return key.sign(message)


def _digests(folder: Path) -> dict[str, str]:
    """SHA-256 of every file, by its name with slashes, in the order of OpenSSF's tool."""
    found: dict[str, str] = {}
    names = {path: PurePosixPath(path.relative_to(folder).as_posix()) for path in folder.rglob("*")}
    for path, name in sorted(names.items(), key=lambda item: item[1]):
        if name.parts[0] in _IGNORED:
            continue
        if path.is_symlink():
            raise BundleError(
                f"{path} is a link, which is not signed: sign a copy with what its links lead to "
                "(cp -rL FOLDER COPY)"
            )
        if path.is_dir():
            continue
        try:
            content = read_plain(path, GRAPH_LIMIT)
        except OSError as error:
            raise BundleError(f"{path} cannot be signed: {error.strerror}") from error
        found[str(name)] = hashlib.sha256(content).hexdigest()
    return found


def _statement(name: str, digests: dict[str, str]) -> dict[str, Any]:
    return {
        "_type": STATEMENT_TYPE,
        "subject": [{"name": name, "digest": {"sha256": root_digest(list(digests.values()))}}],
        "predicateType": PREDICATE_TYPE,
        "predicate": {
            "serialization": {
                "method": "files",
                "hash_type": "sha256",
                "allow_symlinks": False,
                "ignore_paths": list(_IGNORED),
            },
            "resources": [
                {"name": file, "algorithm": "sha256", "digest": digest}
                for file, digest in digests.items()
            ],
        },
    }
