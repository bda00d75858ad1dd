"""`WS /v1/stream` by a client of another make: what goes in, what comes out, how it ends."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from fixtures.conversations import (
    BEGIN,
    binary,
    connected,
    jpeg,
    noise,
    picture,
    rest,
    sound,
    told,
)
from fixtures.serving import serving, wait_until
from websockets.exceptions import InvalidStatus
from websockets.sync.client import ClientConnection

from edge_ser import EdgeRecognizer, MediaError
from edge_ser.constants import SAMPLE_RATE
from edge_ser.serve.client_clock import SPAN, ClientClock
from edge_ser.serve.messages import read_picture
from edge_ser.serve.options import Limits
from edge_ser.serve.server import Server


def begin(client: ClientConnection, **changes: Any) -> dict[str, Any]:
    client.send(json.dumps({**BEGIN, **changes}))
    return told(client)


def speak(client: ClientConnection, seconds: float, *, see: bool = True) -> None:
    """Send sound and pictures as they happen, on a clock of the client's own."""
    start = time.monotonic()
    for index in range(round(seconds * 10)):
        moment = 5_000_000 + index * SAMPLE_RATE // 10
        if see:
            client.send(picture(moment, jpeg()))
        client.send(sound(moment, noise(0.1)))
        time.sleep(max(0.0, start + (index + 1) / 10 - time.monotonic()))


def code_of(client: ClientConnection) -> int:
    assert client.protocol.close_rcvd is not None
    return client.protocol.close_rcvd.code


@pytest.fixture(scope="module")
def server(recognizer: EdgeRecognizer) -> Iterator[Server]:
    with serving(recognizer) as running:
        yield running


def test_decisions_come_and_the_last_one_before_the_end(
    server: Server, recognizer: EdgeRecognizer
) -> None:
    with connected(server) as client:
        ready = begin(client)
        assert (ready["type"], ready["labels"]) == ("ready", list(recognizer.labels))
        speak(client, 1.1)
        client.send(json.dumps({"type": "words", "text": "so", "start": 0, "end": 9}))
        client.send(json.dumps({"type": "end"}))
        *decisions, last = rest(client)
        assert code_of(client) == 1000
    assert last["type"] == "end"
    assert {d["type"] for d in decisions} == {"decision"}
    sequences = [d["live"]["sequence"] for d in decisions]
    assert sequences == sorted(set(sequences))
    # Four whole hops and what is left behind the last of them.
    assert decisions[-1]["window"]["end"] > SAMPLE_RATE
    assert decisions[-1]["modalities"]["audio"]["present"]
    assert decisions[-1]["live"]["latency_ms"] >= 0
    assert last["health"]["stamps_replaced"] == 0
    steady = decisions[-1]["live"]["steady_probabilities"]
    assert steady is None or sum(steady.values()) == pytest.approx(1)


def test_several_conversations_stay_apart(server: Server) -> None:
    with connected(server) as heard, connected(server) as seen:
        begin(heard)
        begin(seen)
        for index in range(8):
            heard.send(sound(index * 1600, noise(0.1)))
            seen.send(picture(index * 1600, jpeg()))
            time.sleep(0.1)
        for client, missing in ((heard, "video"), (seen, "audio")):
            client.send(json.dumps({"type": "end"}))
            *decisions, _ = rest(client)
            reasons = {d["modalities"][missing]["reason"] for d in decisions}
            assert reasons in ({"no pictures were given"}, {"no sound was given"}), missing


@pytest.mark.parametrize(
    ("first", "code", "says"),
    [
        ({**BEGIN, "consent": False}, 1008, "consent"),
        ({**BEGIN, "sample_rate": 5}, 1003, "sample_rate"),
        ({**BEGIN, "hop": 0.5, "window": 0.1}, 1003, "hop"),
        ({**BEGIN, "camera": "front"}, 1003, "camera"),
        ({"type": "end"}, 1003, "start"),
        ("nonsense", 1003, "cannot be used"),
        (b"\0" * 20, 1003, "start"),
    ],
)
def test_what_does_not_begin_as_it_must_is_ended(
    server: Server, first: Any, code: int, says: str
) -> None:
    with connected(server) as client:
        client.send(json.dumps(first) if isinstance(first, dict) else first)
        (end,) = rest(client)
        assert code_of(client) in (code, 1003)
        assert says in end["reason"] or first == b"\0" * 20


@pytest.mark.parametrize(
    "message",
    [
        sound(0, b"123"),
        sound(2**60, b"1234"),
        binary(9, 0, b"1234"),
        b"A",
        json.dumps(BEGIN),
        '{"type": "words", "text": "back", "start": 5, "end": 1}',
    ],
)
def test_what_cannot_be_used_ends_it_with_a_reason(server: Server, message: Any) -> None:
    with connected(server) as client:
        begin(client)
        client.send(message)
        end = rest(client)[-1]
        assert (end["type"], code_of(client)) == ("end", 1003)
        assert end["reason"]


def test_a_broken_picture_is_told_once_and_ends_nothing(server: Server) -> None:
    with connected(server) as client:
        begin(client)
        for _ in range(4):
            client.send(picture(0, b"\xff\xd8 no picture"))
            time.sleep(0.3)
        speak(client, 0.3)
        client.send(json.dumps({"type": "end"}))
        messages = rest(client)
        assert [m["type"] for m in messages if m["type"] == "error"] == ["error"]
        assert code_of(client) == 1000


def test_a_picture_that_unpacks_to_gigabytes_is_refused_unopened() -> None:
    whole = jpeg()
    assert read_picture(memoryview(whole)).shape == (48, 64, 3)
    at = whole.index(b"\xff\xc0") + 5
    with pytest.raises(MediaError, match="4096"):
        read_picture(memoryview(whole[:at] + b"\xff\xff\xff\xff" + whole[at + 4 :]))
    for broken in (whole[:20], whole[:2] + b"\xff" * 50, b"\xff\xd8\xff\xe0\0\0" * 9):
        with pytest.raises(MediaError):
            read_picture(memoryview(broken))


def test_a_message_that_is_too_long_is_refused(server: Server) -> None:
    with connected(server) as client:
        begin(client)
        client.send(sound(0, bytes(2**21)))
        rest(client)
        assert code_of(client) == 1009


def test_more_conversations_than_the_limit_are_told_to_come_again(
    recognizer: EdgeRecognizer,
) -> None:
    with serving(recognizer, limits=Limits(conversations=1)) as server:
        with connected(server) as waiting, connected(server) as first:
            begin(first)
            # One that only connected takes no room; it is told when it begins.
            waiting.send(json.dumps(BEGIN))
            rest(waiting)
            assert code_of(waiting) == 1013
            with pytest.raises(InvalidStatus) as refused, connected(server):
                pass
            assert refused.value.response.status_code == 503
        wait_until(lambda: not server.service.conversations.open)
        with connected(server) as next_one:
            assert begin(next_one)["type"] == "ready"


def test_a_silent_conversation_is_ended(recognizer: EdgeRecognizer) -> None:
    with (
        serving(recognizer, limits=Limits(idle_seconds=0.5)) as server,
        connected(server) as client,
    ):
        begin(client)
        assert rest(client)[-1]["type"] == "end"
        assert code_of(client) == 1008


def test_a_client_that_dies_leaves_nothing_behind(server: Server) -> None:
    before = threading.active_count()
    for _ in range(3):
        with connected(server) as client:
            begin(client)
            speak(client, 0.2)
            client.socket.close()
    wait_until(lambda: not server.service.conversations.open)
    wait_until(
        lambda: not [t for t in threading.enumerate() if t.name.startswith("edge-ser-stream")]
    )
    assert threading.active_count() <= before + 16


def test_the_end_of_the_server_brings_the_last_decision(recognizer: EdgeRecognizer) -> None:
    with serving(recognizer) as server, connected(server) as client:
        begin(client, hop=0.5)
        speak(client, 0.7)
        server.should_exit = True
        messages = rest(client)
        assert code_of(client) == 1001
        assert messages[-1]["reason"] == "the server ends"
        # What lies behind the last whole hop is decided too.
        assert messages[-2]["window"]["end"] > SAMPLE_RATE // 2


def test_a_page_gives_its_token_as_a_subprotocol(recognizer: EdgeRecognizer, tmp_path: Any) -> None:
    file = tmp_path / "token"
    file.write_text("a-token-that-nobody-guesses")
    with serving(recognizer, token_file=file) as server:
        with pytest.raises(InvalidStatus) as refused, connected(server):
            pass
        assert refused.value.response.status_code == 401
        offered = ["edge-ser", f"edge-ser.token.{file.read_text()}"]
        with connected(server, subprotocols=offered) as client:
            assert client.subprotocol == "edge-ser"


def test_the_clock_of_a_client_is_told_by_its_quickest_message() -> None:
    now = [1000]
    clock = ClientClock(lambda: now[0])
    assert clock.arrived(50) == 1000
    now[0] = 2000
    assert clock.arrived(1150) == 2000  # a hundred samples quicker than the first
    assert clock.arrived(1000) == 1850  # a slow one is as old as it is
    now[0] = 3000
    assert clock.arrived(2000, duration=150) == 2850
    # A clock that runs late by 400 samples is followed once two spans have passed.
    for spans in (1, 2, 3):
        now[0] = 3000 + spans * SPAN
        mapped = clock.arrived(2000 + spans * SPAN - 400)
    assert mapped == now[0]
