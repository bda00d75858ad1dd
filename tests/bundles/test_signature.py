"""Where keys are trusted, nothing opens but what their owner signed, byte for byte."""

from __future__ import annotations

import base64
import json
import os
import pickle
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization as forms
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from fixtures.bundle_factory import make_bundle

from edge_ser import EdgeRecognizer, load_bundle
from edge_ser.bundles import trust
from edge_ser.bundles.loading import read_manifest
from edge_ser.bundles.signature import SIGNATURE_NAME, envelope_message
from edge_ser.bundles.signing import make_key, sign_bundle
from edge_ser.cli.main import main
from edge_ser.errors import BundleError, ConfigError, EdgeSerError, MissingExtraError


@pytest.fixture
def key(tmp_path: Path) -> Path:
    make_key(tmp_path / "owner.key")
    return tmp_path / "owner.key"


@pytest.fixture
def public(key: Path) -> Path:
    return Path(f"{key}.pub")


@pytest.fixture
def signed(tmp_path: Path, key: Path) -> Path:
    folder = make_bundle(tmp_path / "bundle")
    sign_bundle(folder, key)
    return folder


def curve_key(path: Path, curve: ec.EllipticCurve) -> Path:
    made = ec.generate_private_key(curve)
    pem = forms.Encoding.PEM
    path.write_bytes(made.private_bytes(pem, forms.PrivateFormat.PKCS8, forms.NoEncryption()))
    Path(f"{path}.pub").write_bytes(
        made.public_key().public_bytes(pem, forms.PublicFormat.SubjectPublicKeyInfo)
    )
    return path


def changed(folder: Path, change: Callable[[dict[str, Any]], None]) -> None:
    path = folder / SIGNATURE_NAME
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document))


def test_a_signed_bundle_opens_for_who_trusts_its_owner(signed: Path, public: Path) -> None:
    with EdgeRecognizer(signed, trusted_keys=public) as recognizer:
        again = pickle.loads(pickle.dumps(recognizer))  # noqa: S301 - made here
        again.close()
    assert load_bundle(signed, trusted_keys=[public, public]).manifest.name == "tiny"
    EdgeRecognizer(signed).close()  # without keys nothing is asked for


def test_an_unsigned_bundle_does_not_open(tmp_path: Path, public: Path) -> None:
    folder = make_bundle(tmp_path / "bundle")
    with pytest.raises(BundleError, match=r"is not signed.*edge-ser bundle sign"):
        EdgeRecognizer(folder, trusted_keys=public)


def test_a_bundle_that_another_key_signed_does_not_open(signed: Path, tmp_path: Path) -> None:
    make_key(tmp_path / "other.key")
    with pytest.raises(BundleError, match="not signed by a trusted key"):
        EdgeRecognizer(signed, trusted_keys=tmp_path / "other.key.pub")


def test_no_way_round_by_a_bundle_that_was_read_without_keys(signed: Path, public: Path) -> None:
    (signed / SIGNATURE_NAME).unlink()
    for bundle in (load_bundle(signed), read_manifest(signed)):
        with pytest.raises(BundleError, match="is not signed"):
            EdgeRecognizer(bundle, trusted_keys=public)


@pytest.mark.parametrize("file", ["bundle.json", "fusion.onnx", "tokenizer.json"])
def test_whoever_writes_the_folder_and_all_hashes_still_does_not_get_in(
    signed: Path, public: Path, file: str, tmp_path: Path
) -> None:
    forged = make_bundle(tmp_path / "forged", lambda m: m.update(version="9.9.9"))
    (signed / file).write_bytes((forged / file).read_bytes() + b"\n")
    (signed / "bundle.json").write_bytes((forged / "bundle.json").read_bytes())
    with pytest.raises(BundleError, match=r"not what was signed: bundle\.json"):
        EdgeRecognizer(signed, trusted_keys=public)


def test_a_signed_manifest_does_not_vouch_for_a_changed_file(signed: Path, public: Path) -> None:
    (signed / "fusion.onnx").write_bytes(b"another program")
    with pytest.raises(BundleError, match=r"fusion\.onnx: wrong hash"):
        EdgeRecognizer(signed, trusted_keys=public)


def test_a_signature_of_another_bundle_does_not_fit(
    signed: Path, public: Path, key: Path, tmp_path: Path
) -> None:
    other = make_bundle(tmp_path / "other", lambda m: m.update(version="0.0.9"))
    sign_bundle(other, key)
    (signed / SIGNATURE_NAME).write_bytes((other / SIGNATURE_NAME).read_bytes())
    with pytest.raises(BundleError, match="not what was signed"):
        load_bundle(signed, trusted_keys=public)


def _other_payload(document: dict[str, Any]) -> None:
    payload = base64.b64decode(document["dsseEnvelope"]["payload"])
    forged = payload.replace(b'"resources"', b'"Resources"')
    document["dsseEnvelope"]["payload"] = base64.b64encode(forged).decode()


def _no_hint(document: dict[str, Any]) -> None:
    _other_payload(document)
    del document["verificationMaterial"]["publicKey"]["hint"]


def _no_signature(document: dict[str, Any]) -> None:
    document["dsseEnvelope"]["signatures"] = []


def _empty_signature(document: dict[str, Any]) -> None:
    document["dsseEnvelope"]["signatures"][0]["sig"] = ""


def _another_type(document: dict[str, Any]) -> None:
    document["dsseEnvelope"]["payloadType"] = "text/plain"


def _another_medium(document: dict[str, Any]) -> None:
    document["mediaType"] = "application/json"


def _no_text(document: dict[str, Any]) -> None:
    document["dsseEnvelope"]["payload"] = 7


@pytest.mark.parametrize(
    "change",
    [
        _other_payload,
        _no_hint,
        _no_signature,
        _empty_signature,
        _another_type,
        _another_medium,
        _no_text,
    ],
)
def test_a_forged_signature_opens_nothing(
    signed: Path, public: Path, change: Callable[[dict[str, Any]], None]
) -> None:
    changed(signed, change)
    with pytest.raises(BundleError):
        load_bundle(signed, trusted_keys=public)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b"[" * 100_000, b"\xff\xfe"])
def test_what_is_no_signature_opens_nothing(signed: Path, public: Path, content: bytes) -> None:
    (signed / SIGNATURE_NAME).write_bytes(content)
    with pytest.raises(BundleError, match="no signature of the kind"):
        load_bundle(signed, trusted_keys=public)


def test_a_signature_that_is_a_pipe_does_not_hang(signed: Path, public: Path) -> None:
    (signed / SIGNATURE_NAME).unlink()
    os.mkfifo(signed / SIGNATURE_NAME)
    with pytest.raises(BundleError, match="a pipe, not a plain file"):
        load_bundle(signed, trusted_keys=public)


@pytest.mark.parametrize("statement", [b"[]", b'{"predicate": {}}', b"text"])
def test_what_the_owner_signed_for_another_purpose_opens_nothing(
    signed: Path, public: Path, key: Path, statement: bytes
) -> None:
    private = forms.load_pem_private_key(key.read_bytes(), None)
    sealed = private.sign(envelope_message(statement))  # type: ignore[call-arg, union-attr]

    def change(document: dict[str, Any]) -> None:
        document["dsseEnvelope"]["payload"] = base64.b64encode(statement).decode()
        document["dsseEnvelope"]["signatures"][0]["sig"] = base64.b64encode(sealed).decode()

    changed(signed, change)
    with pytest.raises(BundleError, match="states nothing that edge-ser understands"):
        load_bundle(signed, trusted_keys=public)


def test_the_machines_keys_hold_for_every_caller(
    signed: Path, public: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    system = tmp_path / "trusted_keys"
    monkeypatch.setattr(trust, "SYSTEM_FOLDER", system)
    system.mkdir()
    with pytest.raises(ConfigError, match="holds no public key"):
        load_bundle(signed)
    make_key(tmp_path / "other.key")
    (system / "other.pub").write_bytes((tmp_path / "other.key.pub").read_bytes())
    for own in (None, public):  # a caller's own key does not stand in for the machine's
        with pytest.raises(BundleError, match="not signed by a trusted key"):
            EdgeRecognizer(signed, trusted_keys=own)
    (system / "owner.pem").write_bytes(public.read_bytes())
    EdgeRecognizer(signed).close()
    EdgeRecognizer(signed, trusted_keys=public).close()
    with pytest.raises(BundleError, match="not signed by a trusted key"):
        EdgeRecognizer(signed, trusted_keys=tmp_path / "other.key.pub")


@pytest.mark.parametrize(
    "verb",
    [
        ["recognize", "CLIP", "--bundle", "BUNDLE"],
        ["live", "--replay", "CLIP", "--bundle", "BUNDLE"],
        ["serve", "--port", "0", "--bundle", "BUNDLE"],
        ["build-engine", "--bundle", "BUNDLE", "--output", "out"],
        ["compare", "BUNDLE"],
        ["calibrate", "BUNDLE", "--data", "data"],
        ["report", "--bundle", "BUNDLE", "--output", "out.html"],
        ["evaluate", "BUNDLE", "--data", "data"],
        ["profile", "enroll", "CLIP", "--profile", "p.json", "--bundle", "BUNDLE"],
        ["bundle", "verify", "BUNDLE"],
    ],
)
def test_no_verb_opens_what_the_machine_does_not_trust(
    verb: list[str],
    tmp_path: Path,
    public: Path,
    demo_clip: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    names = {"BUNDLE": str(make_bundle(tmp_path / "bundle")), "CLIP": str(demo_clip)}
    (tmp_path / "data").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(trust.ENVIRONMENT, str(public))
    with pytest.raises(SystemExit) as left:
        main([names.get(word, word) for word in verb])
    told = capsys.readouterr().err
    assert left.value.code == 2, told
    assert "is not signed" in told


@pytest.mark.parametrize("curve", [ec.SECP256R1(), ec.SECP384R1(), ec.SECP521R1()])
def test_openssfs_tool_verifies_what_is_signed_here(tmp_path: Path, curve: Any) -> None:
    import model_signing

    key = curve_key(tmp_path / "owner.pem", curve)
    folder = make_bundle(tmp_path / "bundle")
    sign_bundle(folder, key)
    tool = model_signing.verifying.Config().use_elliptic_key_verifier(public_key=Path(f"{key}.pub"))
    tool.verify(folder, folder / SIGNATURE_NAME)
    EdgeRecognizer(folder, trusted_keys=f"{key}.pub").close()
    (folder / "tokenizer.json").write_text("{}")
    with pytest.raises(ValueError, match="tokenizer"):
        tool.verify(folder, folder / SIGNATURE_NAME)


def test_what_openssfs_tool_signed_opens_here(tmp_path: Path) -> None:
    import model_signing

    key = curve_key(tmp_path / "owner.pem", ec.SECP256R1())
    folder = make_bundle(tmp_path / "bundle")
    signer = model_signing.signing.Config().use_elliptic_key_signer(private_key=key)
    signer.sign(folder, folder / SIGNATURE_NAME)
    EdgeRecognizer(folder, trusted_keys=f"{key}.pub").close()
    (folder / "bundle.json").write_text((folder / "bundle.json").read_text() + " ")
    with pytest.raises(BundleError, match="not what was signed"):
        load_bundle(folder, trusted_keys=f"{key}.pub")


def test_a_damaged_or_linked_bundle_is_not_signed(tmp_path: Path, key: Path) -> None:
    folder = make_bundle(tmp_path / "bundle")
    (folder / "extra").symlink_to("/etc/passwd")
    with pytest.raises(BundleError, match="is a link, which is not signed"):
        sign_bundle(folder, key)
    (folder / "extra").unlink()
    (folder / "text.onnx").write_bytes(b"")
    with pytest.raises(BundleError, match="wrong hash"):
        sign_bundle(folder, key)
    assert not (folder / SIGNATURE_NAME).exists()


def test_a_key_is_the_owners_alone_and_never_replaced(key: Path) -> None:
    assert key.stat().st_mode & 0o077 == 0
    before = key.read_bytes()
    with pytest.raises(ConfigError, match="there already"):
        make_key(key)
    assert key.read_bytes() == before


def test_keys_that_cannot_be_used_are_told(signed: Path, key: Path, tmp_path: Path) -> None:
    other = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = forms.Encoding.PEM
    wrong = tmp_path / "rsa.pem"
    wrong.write_bytes(other.public_key().public_bytes(pem, forms.PublicFormat.SubjectPublicKeyInfo))
    locked = tmp_path / "locked.pem"
    loaded = forms.load_pem_private_key(key.read_bytes(), None)
    locked.write_bytes(
        loaded.private_bytes(pem, forms.PrivateFormat.PKCS8, forms.BestAvailableEncryption(b"x"))
    )
    (tmp_path / "text.pub").write_text("no key")
    changed(signed, lambda d: d["verificationMaterial"]["publicKey"].pop("hint"))
    for trusted, says in (
        (key, "private key, name the .pub"),
        (tmp_path / "text.pub", "no public key"),
        (tmp_path / "none.pub", "cannot be read"),
        (wrong, "of a kind that signs no bundles"),
    ):
        with pytest.raises(ConfigError, match=says):
            load_bundle(signed, trusted_keys=trusted)
    for secret, says in (
        (locked, "locked by a password"),
        (wrong, "no private key"),
        (tmp_path / "none.key", "cannot be read"),
    ):
        with pytest.raises(EdgeSerError, match=says):
            sign_bundle(signed, secret)


def test_without_what_verifies_signatures_nothing_opens(
    signed: Path, public: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("cryptography.exceptions", "cryptography.hazmat.primitives.asymmetric.ed25519"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(MissingExtraError, match=r"edge-ser\[fleet\]"):
        EdgeRecognizer(signed, trusted_keys=public)
