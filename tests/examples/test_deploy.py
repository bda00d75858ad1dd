"""What is deployed says what it does: unit, image, dashboard, and a deployment on Ray Serve."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import re
import shlex
import sys
import types
from pathlib import Path
from typing import Any

import pytest
import typer
from starlette.requests import Request

from edge_ser.bundles.loading import load_bundle
from edge_ser.cli.main import app
from edge_ser.serve.metrics import Metrics


@pytest.fixture(scope="module")
def deploy(repository: Path) -> Path:
    return repository / "examples" / "deploy"


def serve_options() -> set[str]:
    command = typer.main.get_command(app).commands["serve"]  # type: ignore[attr-defined]
    return {name for parameter in command.params for name in parameter.opts}


def used_options(words: list[str]) -> set[str]:
    return {word for word in words if word.startswith("--")}


def test_the_unit_serves_without_rights(deploy: Path) -> None:
    lines = (deploy / "edge-ser.service").read_text().splitlines()
    settings = dict(line.split("=", 1) for line in lines if "=" in line and line[0] != "#")
    command = shlex.split(settings["ExecStart"])
    assert command[:2] == ["/opt/edge-ser/bin/edge-ser", "serve"]
    assert {"--port", "--token-file"} <= used_options(command) <= serve_options()
    assert settings["DynamicUser"] == settings["NoNewPrivileges"] == "yes"
    assert settings["ProtectSystem"] == "strict"
    assert settings["CapabilityBoundingSet"] == ""
    assert settings["LoadCredential"].startswith("token:")
    assert "edge-ser/token" in settings["LoadCredential"]


def test_the_image_has_two_stages_and_is_not_root(deploy: Path) -> None:
    text = (deploy / "Dockerfile").read_text()
    instructions = text.replace("\\\n", " ").splitlines()
    assert sum(line.startswith("FROM ") for line in instructions) == 2
    last = instructions[max(i for i, line in enumerate(instructions) if line[:5] == "FROM ") :]
    assert any(re.fullmatch(r"USER [1-9]\d*", line) for line in last)
    assert not any("g++" in line for line in last)
    entry = json.loads(next(line for line in last if line.startswith("ENTRYPOINT"))[11:])
    assert entry[:2] == ["edge-ser", "serve"]
    assert {"--host", "--token-file"} <= used_options(entry) <= serve_options()
    assert "--read-only" in text


def test_the_dashboard_asks_for_what_the_server_tells(deploy: Path) -> None:
    metrics = Metrics(load_bundle().reference, lambda: 0, lambda: 0)
    families = {family.name for family in metrics.registry.collect()}
    told = {f"{family}{end}" for family in families for end in ("", "_total", "_bucket", "_info")}
    board = json.loads((deploy / "grafana.json").read_text())
    expressions = [target["expr"] for panel in board["panels"] for target in panel["targets"]]
    asked = {name for text in expressions for name in re.findall(r"edge_ser_\w+", text)}
    assert asked <= told
    shown = {name for name in families if any(metric.startswith(name) for metric in asked)}
    assert shown == families
    places = [(p["gridPos"]["x"], p["gridPos"]["y"]) for p in board["panels"]]
    assert len(set(places)) == len(places) == len({p["id"] for p in board["panels"]})


@pytest.fixture
def emotions(repository: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The class of the deployment, without a cluster."""
    import ray

    class Bound(type):
        def bind(cls) -> None: ...

    def deployment(**options: Any) -> Any:
        assert options["max_queued_requests"] > 0
        return lambda kind: Bound(kind.__name__, (kind,), {})

    module = types.ModuleType("ray.serve")
    module.deployment = deployment  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "ray.serve", module)
    monkeypatch.setattr(ray, "serve", module, raising=False)
    path = repository / "examples" / "ray_serve" / "deployment.py"
    spec = importlib.util.spec_from_file_location("deployment", path)
    assert spec is not None
    assert spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    return made


def post(replica: Any, body: bytes, query: bytes = b"") -> tuple[int, dict[str, Any]]:
    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    scope = {"type": "http", "method": "POST", "path": "/", "query_string": query, "headers": []}
    answer = asyncio.run(replica(Request(scope, receive)))
    return answer.status_code, json.loads(answer.body)


def test_a_replica_of_ray_serve_decides(
    emotions: Any, demo_clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replica = emotions.Emotions()
    status, decision = post(replica, demo_clip.read_bytes(), b"transcript=We+made+it")
    assert status == 200
    assert all(report["present"] for report in decision["modalities"].values())
    status, told = post(replica, b"no clip")
    assert status == 422
    assert "cannot be opened" in told["error"]
    monkeypatch.setattr(emotions, "LARGEST", 3)
    assert post(replica, b"1234")[0] == 413
