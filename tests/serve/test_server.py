"""Who is heard, what is told of the server itself, and how it ends."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fixtures.serving import asked, port_of, serving

from edge_ser import ConfigError, EdgeRecognizer
from edge_ser.serve.options import Limits, ServeOptions
from edge_ser.serve.server import Server

TOKEN = "a-token-that-nobody-guesses"  # noqa: S105


@pytest.fixture(scope="module")
def server(recognizer: EdgeRecognizer) -> Iterator[Server]:
    with serving(recognizer, names=("kiosk.local",), origins=("https://desk.example",)) as running:
        yield running


def test_health_and_bundle(server: Server, recognizer: EdgeRecognizer) -> None:
    assert asked(server, "GET", "/healthz")[0] == 200
    assert asked(server, "GET", "/readyz")[0] == 200
    status, headers, body = asked(server, "GET", "/v1/bundle")
    assert status == 200
    assert json.loads(body)["hash"] == recognizer.bundle.digest
    assert headers["cache-control"] == "no-store"
    assert "default-src 'none'" in headers["content-security-policy"]
    assert "server" not in headers


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost", 200),
        ("LocalHost:99", 200),
        ("[::1]:80", 200),
        ("kiosk.local", 200),
        ("evil.example", 403),
        ("localhost.evil.example", 403),
        ("evil.example@localhost:x", 403),
        ("", 403),
    ],
)
def test_only_its_own_names_are_answered(server: Server, host: str, status: int) -> None:
    assert asked(server, "GET", "/v1/bundle", headers={"Host": host})[0] == status


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        ("http://localhost:1", 200),
        ("https://desk.example", 200),
        ("https://evil.example", 403),
        ("http://localhost:2", 403),
        ("null", 403),
    ],
)
def test_pages_elsewhere_are_turned_away(server: Server, origin: str, status: int) -> None:
    headers = {"Host": "localhost:1", "Origin": origin}
    assert asked(server, "GET", "/v1/bundle", headers=headers)[0] == status


def test_a_token_is_asked_for_where_there_is_one(
    recognizer: EdgeRecognizer, tmp_path: Path
) -> None:
    file = tmp_path / "tokens"
    file.write_text(f"an-older-token-of-ours\n{TOKEN}\n")
    with serving(recognizer, token_file=file) as server:
        assert asked(server, "GET", "/healthz")[0] == 200
        status, headers, _ = asked(server, "GET", "/v1/bundle")
        assert (status, headers["www-authenticate"]) == (401, "Bearer")
        for given, expected in ((f"Bearer {TOKEN}", 200), (f"Bearer {TOKEN}x", 401), (TOKEN, 401)):
            answer = asked(server, "GET", "/v1/bundle", headers={"Authorization": given})
            assert answer[0] == expected


def test_what_does_not_go_together_is_refused(tmp_path: Path) -> None:
    for options, says in (
        ({"host": "0.0.0.0"}, "--token-file"),  # noqa: S104
        ({"port": 70000}, "port"),
        ({"certificate": tmp_path}, "key"),
        ({"certificate": tmp_path / "a", "key": tmp_path / "b"}, "no such file"),
    ):
        with pytest.raises(ConfigError, match=says):
            ServeOptions(**options)  # type: ignore[arg-type]
    for limit, value in (("workers", 0), ("queue", -1), ("idle_seconds", 0.0), ("readers", 1.5)):
        with pytest.raises(ConfigError, match=limit):
            Limits(**{limit: value})  # type: ignore[arg-type]
    short = tmp_path / "tokens"
    short.write_text("1234\n")
    for file in (short, tmp_path / "none"):
        with pytest.raises(ConfigError, match="token file"):
            ServeOptions(token_file=file).tokens()


def test_a_port_that_is_taken_is_a_clear_error(server: Server, recognizer: EdgeRecognizer) -> None:
    with pytest.raises(ConfigError, match="--port"):
        Server(recognizer, ServeOptions(port=port_of(server)))


def test_silent_connections_are_hung_up_on(recognizer: EdgeRecognizer) -> None:
    with serving(recognizer, limits=Limits(idle_seconds=0.5)) as server:
        silent = [socket.create_connection(("127.0.0.1", port_of(server)), 30) for _ in range(50)]
        silent[0].sendall(b"GET /healthz HTT")
        started = time.monotonic()
        assert asked(server, "GET", "/healthz")[0] == 200
        assert time.monotonic() - started < 5
        assert [connection.recv(100) for connection in silent] == [b""] * 50
        for connection in silent:
            connection.close()


def started(*arguments: Any) -> tuple[subprocess.Popen[str], str]:
    process = subprocess.Popen(
        [sys.executable, "-m", "edge_ser", "serve", "--port", "0", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    return process, process.stdout.readline().strip()


def test_the_command_serves_and_ends_when_told(tiny_bundle: Path) -> None:
    process, address = started("--bundle", tiny_bundle)
    try:
        assert address.startswith("http://127.0.0.1:")
        with socket.create_connection(("127.0.0.1", int(address.strip("/").split(":")[2]))) as c:
            c.sendall(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert b" 200 " in c.recv(1000)
        process.send_signal(signal.SIGTERM)
        output, errors = process.communicate(timeout=60)
        assert (process.returncode, output, errors) == (0, "", "")
    finally:
        process.kill()
        process.wait()


def test_the_command_wants_a_token_file_before_others_reach_it() -> None:
    process, first = started("--host", "0.0.0.0")  # noqa: S104
    _, errors = process.communicate(timeout=60)
    assert (process.returncode, first) == (2, "")
    assert errors.startswith("edge-ser: 0.0.0.0")
