"""Signatures of bundles, in the format of OpenSSF's model signing.

A signature is a file beside the manifest: a Sigstore bundle with a DSSE envelope around an in-toto
statement, which lists the SHA-256 of every file. What is signed there is the manifest, as one of
these files, and it lists all that is ever opened.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from edge_ser.bundles.public_key import PublicKey
from edge_ser.errors import BundleError
from edge_ser.files import read_plain

SIGNATURE_NAME: Final = "model.sig"
MEDIA_TYPE: Final = "application/vnd.dev.sigstore.bundle.v0.3+json"
PAYLOAD_TYPE: Final = "application/vnd.in-toto+json"
STATEMENT_TYPE: Final = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE: Final = "https://model_signing/signature/v1.0"

_LIMIT: Final = 8 << 20


def envelope_message(payload: bytes) -> bytes:
    """The bytes that are signed: DSSE's pre-authentication encoding of a payload."""
    return b"DSSEv1 %d %b %d %b" % (len(PAYLOAD_TYPE), PAYLOAD_TYPE.encode(), len(payload), payload)


def root_digest(digests: Sequence[str]) -> str:
    """What stands for all files: SHA-256 over their own, in the order in which they are listed."""
    return hashlib.sha256(b"".join(map(bytes.fromhex, digests))).hexdigest()


def signed_files(folder: Path, keys: Sequence[PublicKey]) -> tuple[dict[str, str], PublicKey]:
    """What the owner of one of these keys says that a bundle's files are.

    Args:
        folder: of the bundle.
        keys: whose signature counts, at least one.

    Returns:
        SHA-256 by the file's name, and the key that signed.

    Raises:
        BundleError: if there is no signature, it is none of these keys', or not understood.
        MissingExtraError: if what verifies it is not installed.
        ConfigError: if a key is not of a kind that signs bundles.
    """
    path = folder / SIGNATURE_NAME
    try:
        raw = read_plain(path, _LIMIT)
    except FileNotFoundError:
        raise BundleError(
            f"bundle {folder} is not signed (it has no {SIGNATURE_NAME}), and only bundles that "
            f"are signed by one of these keys are opened: {_listed(keys)}; its publisher signs it "
            "by: edge-ser bundle sign FOLDER --key FILE"
        ) from None
    except OSError as error:
        raise BundleError(f"the signature {path} cannot be read: {error.strerror}") from error
    try:
        document = json.loads(raw)
        if document["mediaType"] != MEDIA_TYPE:
            raise ValueError
        envelope = document["dsseEnvelope"]
        (signature,) = envelope["signatures"]
        payload, sealed = _decoded(envelope["payload"]), _decoded(signature["sig"])
        hint = document["verificationMaterial"].get("publicKey", {}).get("hint")
        if envelope["payloadType"] != PAYLOAD_TYPE:
            raise ValueError
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise BundleError(
            f"{path} is no signature of the kind that edge-ser understands; sign the bundle again"
        ) from None
    message = envelope_message(payload)
    by = next(
        (k for k in keys if hint in (None, k.fingerprint) and k.verifies(sealed, message)), None
    )
    if by is None:
        named = "" if not isinstance(hint, str) else f" (it names the key {hint[:16]!r})"
        raise BundleError(
            f"bundle {folder} is not signed by a trusted key{named}; trusted are {_listed(keys)}: "
            "do not use it, and get the bundle again from its publisher"
        )
    try:
        return _statement(json.loads(payload)), by
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise BundleError(
            f"{path} is signed, but states nothing that edge-ser understands"
        ) from None


def check_signed(folder: Path, digests: Mapping[str, str], keys: Sequence[PublicKey]) -> PublicKey:
    """Make sure that files are what the owner of one of these keys signed.

    Args:
        folder: of the bundle.
        digests: SHA-256 by name of the files that will be opened.
        keys: whose signature counts, at least one.

    Returns:
        the key that signed.

    Raises:
        BundleError: as `signed_files`, or if a file is not as it was signed.
        MissingExtraError: likewise.
        ConfigError: likewise.
    """
    signed, key = signed_files(folder, keys)
    changed = [name for name, digest in digests.items() if signed.get(name) != digest]
    if changed:
        raise BundleError(
            f"bundle {folder} is not what was signed: {', '.join(changed)}; get the bundle again "
            "from its publisher"
        )
    return key


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        raise ValueError from None


def _statement(statement: Any) -> dict[str, str]:
    """SHA-256 by name; anything unexpected is an error of some kind."""
    predicate = statement["predicate"]
    serialization = predicate["serialization"]
    files = {resource["name"]: resource["digest"] for resource in predicate["resources"]}
    (subject,) = statement["subject"]
    algorithms = {resource["algorithm"] for resource in predicate["resources"]}
    understood = (
        statement["_type"] == STATEMENT_TYPE
        and statement["predicateType"] == PREDICATE_TYPE
        and serialization["method"] == "files"
        and serialization["hash_type"] == "sha256"
        and algorithms == {"sha256"}
        and len(files) == len(predicate["resources"])
        and subject["digest"]["sha256"] == root_digest(list(files.values()))
    )
    if not understood:
        raise ValueError
    return files


def _listed(keys: Sequence[PublicKey]) -> str:
    return ", ".join(f"{key.path} ({key.fingerprint[:16]})" for key in keys)
