"""What is told of the decisions: events, metrics, the document that describes it all."""

from __future__ import annotations

import http.client
import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fixtures.conversations import BEGIN, connected, noise, rest, sound, told
from fixtures.serving import asked, port_of, recognized, serving, wait_until
from starlette.routing import Route, WebSocketRoute

from edge_ser import EdgeRecognizer
from edge_ser.serve.openapi import DecisionAnswer, LiveDecisionAnswer, openapi
from edge_ser.serve.options import Limits
from edge_ser.serve.server import Server

WORDS = "an unmistakable sentence"


@pytest.fixture
def server(recognizer: EdgeRecognizer) -> Iterator[Server]:
    with serving(recognizer, limits=Limits(readers=2)) as running:
        yield running


def reader(server: Server, query: str = "") -> http.client.HTTPResponse:
    connection = http.client.HTTPConnection("127.0.0.1", port_of(server), timeout=60)
    connection.request("GET", f"/v1/decisions{query}")
    return connection.getresponse()


def event(response: http.client.HTTPResponse) -> dict[str, Any]:
    while line := response.readline():
        if line.startswith(b"data: "):
            got: dict[str, Any] = json.loads(line[6:])
            return got
    raise AssertionError("the server hung up")


def metrics(server: Server) -> dict[str, float]:
    status, headers, body = asked(server, "GET", "/metrics")
    assert status == 200
    assert headers["content-type"].startswith("text/plain; version=0.0.4")
    lines = [line for line in body.decode().splitlines() if not line.startswith("#")]
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines)}


def test_decisions_are_told_to_whoever_watches(server: Server) -> None:
    with connected(server) as client:
        client.send(json.dumps({**BEGIN, "hop": 0.1, "window": 0.5}))
        name = told(client)["conversation"]
        everything, mine = reader(server), reader(server, f"?conversation={name}")
        assert reader(server).status == 503
        assert everything.getheader("Content-Type", "").startswith("text/event-stream")
        for index in range(12):
            client.send(sound(index * 1600, noise(0.1)))
            time.sleep(0.1)
        for response in (everything, mine):
            got = LiveDecisionAnswer.model_validate(event(response))
            assert got.conversation == name
        client.send(json.dumps({"type": "end"}))
        rest(client)
    # Who is gone gives the room back.
    mine.close()
    server.service.feed.close()
    wait_until(lambda: not server.service.feed.readers)


def test_metrics_count_decisions_and_hold_nothing_of_a_person(
    server: Server, recognizer: EdgeRecognizer, demo_clip: Path
) -> None:
    status, answer = recognized(server, demo_clip, transcript=WORDS, speech_gate="false")
    assert status == 200
    DecisionAnswer.model_validate(answer)
    recognized(server, b"no clip")
    with connected(server) as client:
        client.send(json.dumps(BEGIN))
        name = told(client)["conversation"]
        client.send(json.dumps({"type": "words", "text": WORDS, "start": 0, "end": 900}))
        for index in range(5):
            client.send(sound(index * 1600, noise(0.1)))
            time.sleep(0.1)
        assert metrics(server)["edge_ser_conversations"] == 1
        client.send(json.dumps({"type": "end"}))
        *decisions, _ = rest(client)
    told_of = metrics(server)
    assert told_of['edge_ser_decisions_total{source="clip"}'] == 1
    assert told_of['edge_ser_decisions_total{source="live"}'] == len(decisions)
    assert told_of['edge_ser_present_total{modality="text"}'] >= 1
    assert told_of['edge_ser_stage_seconds_count{source="clip",stage="total"}'] == 1
    assert told_of['edge_ser_http_responses_total{status="422"}'] == 1
    named = sum(v for k, v in told_of.items() if k.startswith("edge_ser_labels_total"))
    none = sum(v for k, v in told_of.items() if k.startswith("edge_ser_abstentions_total"))
    assert named + none == 1 + len(decisions)
    text = asked(server, "GET", "/metrics")[2].decode()
    for private in (*WORDS.split()[1:], "127.0.0.1", name):
        assert private not in text
    assert recognizer.bundle.digest in text


def test_the_document_names_every_path_and_resolves(server: Server) -> None:
    status, _, body = asked(server, "GET", "/openapi.json")
    assert status == 200
    document = json.loads(body)
    assert document == openapi()
    paths = {r.path for r in server.service.routes() if isinstance(r, Route | WebSocketRoute)}
    assert set(document["paths"]) == paths - {"/"}
    for name in re.findall(r"#/components/schemas/(\w+)", body.decode()):
        assert name in document["components"]["schemas"]


def test_readers_are_let_go_when_the_server_ends(recognizer: EdgeRecognizer) -> None:
    with serving(recognizer) as server:
        response = reader(server)
        assert response.readline() == b"retry: 1000\n"
        server.should_exit = True
        assert response.read().strip() == b""
