"""docs/serve.md tells the truth: its program runs, its command, paths and limits exist."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from fixtures.serving import port_of, serving
from starlette.routing import Route, WebSocketRoute
from typer.main import get_command
from typer.testing import CliRunner

from edge_ser import EdgeRecognizer
from edge_ser.cli.main import app
from edge_ser.serve.options import Limits

DOCUMENT = Path(__file__).parents[2] / "docs" / "serve.md"


@pytest.fixture(scope="module")
def text() -> str:
    return DOCUMENT.read_text("utf-8")


def test_the_program_runs(text: str, recognizer: EdgeRecognizer) -> None:
    (program,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    with serving(recognizer) as server:
        here = program.replace("127.0.0.1:8080", f"127.0.0.1:{port_of(server)}")
        done = subprocess.run(
            [sys.executable, "-c", here], capture_output=True, text=True, timeout=120, check=False
        )
    assert done.returncode == 0, done.stderr
    labels, *decisions = done.stdout.splitlines()
    assert labels == str(list(recognizer.labels))
    assert decisions


def test_every_path_and_option_exists(text: str, recognizer: EdgeRecognizer) -> None:
    with serving(recognizer) as server:
        paths = {r.path for r in server.service.routes() if isinstance(r, Route | WebSocketRoute)}
        metrics = server.service.metrics.text().decode()
    table = text.split("| path | what |")[1].split("## ")[0]
    assert set(re.findall(r"(/[\w/.]*)(?=`)", table.replace("?conversation=NAME", ""))) == paths
    names = set(re.findall(r"`(edge_ser_\w+?)(?:_total|_info)?[`{]", text))
    assert names == set(re.findall(r"^# TYPE (\w+?)(?:_total|_info|_created)? ", metrics, re.M))
    (command,) = re.findall(r"```sh\n(.*?)\n```", text)
    options = {o for p in get_command(app).commands["serve"].params for o in p.opts}  # type: ignore[attr-defined]
    told = command + text.split("## Who")[1].split("## The page")[0]
    assert set(re.findall(r"--[a-z][\w-]+", told)) <= options
    assert CliRunner().invoke(app, [*command.split()[1:], "--help"]).exit_code == 0


def test_the_limits_are_these(text: str) -> None:
    limits = Limits()
    told = text.split("## Limits")[1].split("## The page")[0]
    for says in (
        f"{limits.upload_bytes >> 20} MiB",
        f"within {limits.upload_seconds:g} s",
        f"at once, {limits.workers}; waiting, {limits.queue}",
        f"within {limits.decision_seconds:g} s",
        f"conversations, {limits.conversations} ",
        f"a message, {limits.message_bytes >> 20} MiB",
        f"nothing for {limits.idle_seconds:g} s",
        f"`/v1/decisions`, {limits.readers} ",
    ):
        assert says in told, says
