"""`/openapi.json`: what the paths take and give, for programs that read it."""

from __future__ import annotations

from typing import Any, Final

from pydantic import BaseModel, ConfigDict
from pydantic.json_schema import models_json_schema

from edge_ser import __version__
from edge_ser.constants import Modality
from edge_ser.result import StreamHealth
from edge_ser.serve.messages import End, Start, Words

_REFERENCE: Final = "#/components/schemas/{model}"


class _Answer(BaseModel):
    model_config = ConfigDict(extra="forbid")


class ModalityAnswer(_Answer):
    """What became of one modality."""

    present: bool
    contribution: float | None
    """Change of the log-odds of the likeliest label that it brought."""
    reason: str | None
    """Why it is absent."""
    notes: list[str]


class WindowAnswer(_Answer):
    """The span that was looked at, in 16 kHz samples and in seconds."""

    start: int
    end: int
    start_seconds: float
    end_seconds: float


class BundleAnswer(_Answer):
    """What decided."""

    name: str
    version: str
    hash: str


class DecisionAnswer(_Answer):
    """One answer; `label` is null exactly when it abstains."""

    label: str | None
    probabilities: dict[str, float]
    modalities: dict[Modality, ModalityAnswer]
    abstained: bool
    abstain_reason: str | None
    notes: list[str]
    timing_ms: dict[str, float]
    window: WindowAnswer
    bundle: BundleAnswer


class LiveAnswer(_Answer):
    """What is known of a live stream."""

    sequence: int
    steady_label: str | None
    steady_probabilities: dict[str, float] | None
    latency_ms: float | None
    oldest_age_ms: float | None
    capture_time: int
    health: StreamHealth


class LiveDecisionAnswer(DecisionAnswer):
    """One answer of a live conversation."""

    conversation: str
    live: LiveAnswer


class ErrorAnswer(_Answer):
    """Why there is no other answer, in one sentence."""

    error: str


def _json(model: type[BaseModel] | None, description: str) -> dict[str, Any]:
    schema = {} if model is None else {"$ref": _REFERENCE.format(model=model.__name__)}
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def _text(description: str, kind: str = "text/plain") -> dict[str, Any]:
    return {"description": description, "content": {kind: {"schema": {"type": "string"}}}}


def _path(
    summary: str, answers: dict[str, Any], method: str = "get", **more: Any
) -> dict[str, Any]:
    return {method: {"summary": summary, "responses": answers, **more}}


_FORM: Final = {
    "type": "object",
    "required": ["file"],
    "properties": {
        "file": {"type": "string", "format": "binary", "description": "sound, pictures or both"},
        "transcript": {"type": "string", "description": "what is said"},
        "asr": {"type": "boolean", "default": False},
        "speech_gate": {"type": "boolean", "default": True},
        "channel": {"type": "string", "default": "mix"},
        "audio_track": {"type": "integer", "minimum": 1},
    },
}
_REFUSED: Final = {
    "400": "a field that cannot be used",
    "408": "the clip came too slowly",
    "413": "the request is too long",
    "415": "no form",
    "422": "the clip cannot be used",
    "501": "this server lacks what was asked for",
    "503": "too many clips wait, or the server ends",
    "504": "the clip was not decided in time",
}
_CONVERSATION: Final = {
    "name": "conversation",
    "in": "query",
    "schema": {"type": "string"},
    "description": "only this one's",
}


def openapi() -> dict[str, Any]:
    """The document, OpenAPI 3.1; without the page, and with the messages of the WebSocket."""
    models: list[type[BaseModel]] = [
        *(DecisionAnswer, LiveDecisionAnswer, ErrorAnswer),
        *(Start, Words, End),
    ]
    _, schemas = models_json_schema(
        [(model, "serialization") for model in models], ref_template=_REFERENCE
    )
    form = {"content": {"multipart/form-data": {"schema": _FORM}}, "required": True}
    refused = {status: _json(ErrorAnswer, why) for status, why in _REFUSED.items()}
    decided = {"200": _json(DecisionAnswer, "the decision"), **refused}
    events = "an event `decision` each, with a LiveDecisionAnswer"
    switched = {
        "101": {"description": "messages as in edge_ser.serve.messages: Start first, then binary"},
        "503": _json(ErrorAnswer, "too many conversations"),
    }
    ready = {"200": _text("it is"), "503": _json(ErrorAnswer, "it ends")}
    return {
        "openapi": "3.1.0",
        "info": {"title": "edge-ser", "version": __version__, "license": {"name": "Apache-2.0"}},
        "security": [{}, {"token": []}],
        "paths": {
            "/v1/recognize": _path("Decide for a clip", decided, "post", requestBody=form),
            "/v1/stream": _path("A live conversation (WebSocket)", switched),
            "/v1/decisions": _path(
                "Decisions of all conversations as they are made",
                {"200": _text(events, "text/event-stream")},
                parameters=[_CONVERSATION],
            ),
            "/v1/bundle": _path("What decides", {"200": _json(None, "the manifest and its hash")}),
            "/healthz": _path("Whether the process lives", {"200": _text("it does")}),
            "/readyz": _path("Whether anything new is taken", ready),
            "/metrics": _path("Metrics for Prometheus", {"200": _text("counts and times")}),
            "/openapi.json": _path("This document", {"200": _json(None, "OpenAPI 3.1")}),
        },
        "components": {
            "schemas": schemas["$defs"],
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }
