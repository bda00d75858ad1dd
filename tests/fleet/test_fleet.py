"""A fleet over a real HTTP server: whatever is done to it, a device keeps a bundle that decides."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import threading
import time
import wave
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from fixtures.bundle_factory import make_bundle

from edge_ser import EdgeRecognizer
from edge_ser.bundles.signing import make_key, sign_bundle
from edge_ser.cli.main import main
from edge_ser.errors import BundleError, ConfigError, EdgeSerError
from edge_ser.fleet import device, fetching, publishing
from edge_ser.fleet.device import join_fleet, rollback, status, update
from edge_ser.fleet.publishing import publish

SOUND = (np.random.default_rng(1).normal(0, 0.1, 16_000).astype(np.float32), 16_000)


class Handler(SimpleHTTPRequestHandler):
    """Serves a folder; `spoil` may answer in its place."""

    spoil: Callable[[Handler], bool] | None = None

    def do_GET(self) -> None:
        if Handler.spoil is None or not Handler.spoil(self):
            super().do_GET()

    def log_message(self, *_: Any) -> None:
        pass


class Site:
    """A repository that is served, the owner's key, and a device that has joined."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder, self.url = folder, url
        self.repository, self.device = folder / "site", folder / "device"
        self.key = folder / "owner.key"
        make_key(self.key)
        self.clip = folder / "golden.wav"
        with wave.open(str(self.clip), "wb") as out:
            out.setnchannels(1)
            out.setsampwidth(2)
            out.setframerate(16_000)
            out.writeframes((SOUND[0] * 20_000).astype(np.int16).tobytes())

    def bundle(self, version: str) -> Path:
        folder = self.folder / f"bundle-{version}"
        return (
            folder if folder.exists() else make_bundle(folder, lambda m: m.update(version=version))
        )

    def publish(self, version: str | None = None, **options: Any) -> None:
        bundle = None if version is None else self.bundle(version)
        publish(self.repository, self.key, bundle, clips=[self.clip], **options)

    def join(self, **options: Any) -> None:
        join_fleet(self.device, self.url, self.repository / "metadata" / "1.root.json", **options)

    def runs(self) -> str:
        """The version in use, after it has decided."""
        with EdgeRecognizer(self.device / "current") as recognizer:
            assert sum(recognizer.recognize(SOUND).probabilities.values()) == pytest.approx(1)
            return recognizer.bundle.manifest.version


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    (tmp_path / "site").mkdir()
    server = ThreadingHTTPServer(
        ("127.0.0.1", 0), partial(Handler, directory=str(tmp_path / "site"))
    )
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    made = Site(tmp_path, f"http://127.0.0.1:{server.server_address[1]}")
    made.publish("1.0.0")
    made.join()
    update(made.device)
    yield made
    Handler.spoil = None
    server.shutdown()
    server.server_close()


def test_a_new_bundle_is_tried_and_taken_and_given_back(site: Site) -> None:
    assert site.runs() == "1.0.0"
    assert "nothing newer" in update(site.device)
    site.publish("1.1.0")
    assert "1.1.0 is in use" in update(site.device)
    assert site.runs() == "1.1.0"
    assert "1.0.0 is in use again" in rollback(site.device)
    assert site.runs() == "1.0.0"
    assert "nothing newer" in update(site.device)  # what was rolled back is not tried again
    site.publish("1.2.0")
    update(site.device)
    assert site.runs() == "1.2.0"
    assert len(list((site.device / "slots").iterdir())) == 2


def test_an_old_bundle_is_refused_though_it_is_published(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.publish("1.1.0")
    update(site.device)
    monkeypatch.setattr(publishing._Writer, "channel", lambda *_: [])
    site.publish("0.9.0")
    assert "nothing newer" in update(site.device)
    assert site.runs() == "1.1.0"


def test_a_rollback_of_the_repository_is_refused(site: Site) -> None:
    shutil.copytree(site.repository, site.folder / "old")
    site.publish("1.1.0")
    update(site.device)
    shutil.rmtree(site.repository)
    shutil.copytree(site.folder / "old", site.repository)
    with pytest.raises(ConfigError, match="is not used"):
        update(site.device)
    assert site.runs() == "1.1.0"


def test_a_repository_that_is_frozen_is_no_longer_believed(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    long_ago = datetime.now(timezone.utc) - timedelta(days=60)
    monkeypatch.setattr(publishing, "datetime", SimpleNamespace(now=lambda _: long_ago))
    site.publish("1.1.0")
    with pytest.raises(ConfigError, match="expired"):
        update(site.device)
    assert site.runs() == "1.0.0"


def test_parts_of_two_states_do_not_mix(site: Site) -> None:
    shutil.copytree(site.repository, site.folder / "old")
    site.publish("1.1.0")
    for file in (site.repository / "metadata").glob("2.*.json"):
        shutil.copy(site.folder / "old" / "metadata" / file.name.replace("2.", "1.", 1), file)
    with pytest.raises(ConfigError, match="is not used"):
        update(site.device)
    assert site.runs() == "1.0.0"


def test_another_key_publishes_nothing(site: Site) -> None:
    make_key(site.folder / "other.key")
    with pytest.raises(ConfigError, match="is not the key"):
        publish(site.repository, site.folder / "other.key", site.bundle("1.1.0"))
    shutil.rmtree(site.repository)
    publish(site.repository, site.folder / "other.key", site.bundle("1.1.0"), clips=[site.clip])
    with pytest.raises(ConfigError, match="is not used"):
        update(site.device)
    assert site.runs() == "1.0.0"


def endless(request: Handler) -> bool:
    request.send_response(200)
    request.end_headers()
    try:
        while True:
            request.wfile.write(bytes(1 << 16))
    except OSError:
        return True


def cut_off(request: Handler) -> bool:
    request.send_response(200)
    request.send_header("Content-Length", "1000000")
    request.end_headers()
    request.wfile.write(b"PK" * 100)
    request.close_connection = True
    return True


def gone(request: Handler) -> bool:
    request.send_error(404)
    return True


def silent(_: Handler) -> bool:
    time.sleep(3)
    return True


@pytest.mark.parametrize("attack", [endless, cut_off, gone, silent])
@pytest.mark.parametrize("part", ["timestamp.json", ".zip"])
def test_whatever_the_server_sends_the_old_bundle_stays(
    site: Site, part: str, attack: Callable[[Handler], bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetching, "_SILENCE", 1)
    site.publish("1.1.0")
    Handler.spoil = lambda request: request.path.endswith(part) and attack(request)
    with pytest.raises(ConfigError, match="the bundle in use stays in use"):
        update(site.device)
    assert site.runs() == "1.0.0"
    Handler.spoil = None
    update(site.device)
    assert site.runs() == "1.1.0"


def test_a_changed_archive_is_refused(site: Site) -> None:
    site.publish("1.1.0")
    (archive,) = (site.repository / "targets" / "bundles").glob("*1.1.0*.zip")
    content = bytearray(archive.read_bytes())
    content[len(content) // 2] ^= 1
    archive.write_bytes(content)
    with pytest.raises(ConfigError, match="the bundle in use stays in use"):
        update(site.device)
    assert site.runs() == "1.0.0"


def test_a_bundle_that_answers_otherwise_here_is_not_taken(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = publishing.make_golden

    def other(bundle: Path, clips: Any, folder: Path) -> None:
        real(bundle, clips, folder)
        expected = json.loads((folder / "expected.json").read_text())
        for answer in expected.values():
            answer["happy"] += 0.3
        (folder / "expected.json").write_text(json.dumps(expected))

    monkeypatch.setattr(publishing, "make_golden", other)
    site.publish("1.1.0")
    with pytest.raises(BundleError, match="the self-test failed"):
        update(site.device)
    assert site.runs() == "1.0.0"
    assert "nothing newer" in update(site.device)


def test_a_bundle_that_is_too_slow_here_is_not_taken(site: Site) -> None:
    site.publish("1.1.0")
    site.join(budget=1e-6)
    with pytest.raises(BundleError, match=r"the self-test took .* are allowed"):
        update(site.device)
    assert site.runs() == "1.0.0"


def test_a_bundle_that_its_owner_did_not_sign_is_not_taken(site: Site) -> None:
    public = Path(f"{site.key}.pub")
    site.publish("1.1.0")
    with pytest.raises(BundleError, match="is not signed"):
        update(site.device, trusted_keys=public)
    assert site.runs() == "1.0.0"
    sign_bundle(site.bundle("1.1.0"), site.key)
    site.publish("1.1.0")
    update(site.device, trusted_keys=public)
    assert site.runs() == "1.1.0"


def test_a_full_disk_leaves_the_old_bundle(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.publish("1.1.0")
    real = Path.write_bytes

    def full(path: Path, content: bytes) -> int:
        if path.name == "text.onnx":
            raise OSError(28, "No space left on device")
        return real(path, content)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", full)
        with pytest.raises(EdgeSerError, match=r"No space left|no room"):
            update(site.device)
    assert site.runs() == "1.0.0"
    update(site.device)
    assert site.runs() == "1.1.0"


@pytest.mark.parametrize("step", range(6))
def test_a_kill_at_any_step_leaves_a_bundle_that_decides(site: Site, step: int) -> None:
    site.publish("1.1.0")
    places = [
        "device.fetch_archive",
        "device._unpack",
        "device._tried",
        "device._lead_to",
        "device.remove_others",
        "device.replace_link",
    ]
    program = (
        "import os, signal, sys\nfrom pathlib import Path\nfrom edge_ser.fleet import device\n"
        f"real = {places[step]}\n"
        "def killed(*rest, **named):\n"
        "    if 'after' in sys.argv: real(*rest, **named)\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
        f"{places[step]} = killed\n"
        "device.update(Path(sys.argv[1]))\n"
    )
    for when in ("before", "after"):
        done = subprocess.run(
            [sys.executable, "-c", program, str(site.device), when], check=False, timeout=120
        )
        assert done.returncode in (-signal.SIGKILL, 0)
        assert site.runs() in ("1.0.0", "1.1.0")
    update(site.device)
    assert site.runs() == "1.1.0"
    assert len(list((site.device / "slots").glob("*"))) == 2


def test_a_share_of_the_devices_takes_it_first(site: Site) -> None:
    digest = "ab" * 32
    entry = {"file": "x", "name": "n", "version": "2.0.0", "digest": digest, "archive": digest}
    entry["percent"] = 20
    taken = sum(
        device._meant_for(device.Settings("http://x"), [entry], None) is not None
        for _ in range(2000)
    )
    assert 300 < taken < 500
    site.publish("1.1.0", percent=0)
    assert "nothing newer" in update(site.device)
    site.publish("1.1.0", percent=100)
    update(site.device)
    assert site.runs() == "1.1.0"


def test_a_channel_is_taken_by_its_own_devices_alone(site: Site) -> None:
    site.publish("2.0.0", channel="beta")
    assert "nothing newer" in update(site.device)
    site.join(channel="beta")
    update(site.device)
    assert status(site.device).bundle.manifest.version == "2.0.0"  # type: ignore[union-attr]


def test_two_updates_at_once_do_not_meet(site: Site) -> None:
    with device._held(site.device), pytest.raises(ConfigError, match="by another process"):
        update(site.device)


def test_the_verbs_tell_what_was_done(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    words = [str(site.device)]
    for verb, says in (
        (["update", *words], "nothing newer"),
        (["status", *words], "in use: tiny 1.0.0"),
        (["publish", str(site.repository), "--key", str(site.key)], "holds for 30 more days"),
    ):
        with pytest.raises(SystemExit) as left:
            main(["fleet", *verb])
        told = capsys.readouterr()
        assert left.value.code == 0, told.err
        assert says in told.out.replace("\n", "")
    with pytest.raises(SystemExit) as left:
        main(["fleet", "rollback", *words])
    assert left.value.code == 2
    assert "nothing to go back to" in " ".join(capsys.readouterr().err.split())
