"""docs/fleet.md tells the truth: its commands and its snippet run in their order."""

from __future__ import annotations

import re
import shlex
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from fixtures.bundle_factory import make_bundle

from edge_ser.cli.main import main

PAGE = (Path(__file__).parents[2] / "docs" / "fleet.md").read_text("utf-8")


def test_the_page_runs_from_publishing_to_a_decision(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    make_bundle(tmp_path / "my-bundle")
    monkeypatch.chdir(tmp_path)
    handler = partial(SimpleHTTPRequestHandler, directory=str(tmp_path / "site"))
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_address[1]}"
    for text in re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL):
        for command in text.replace("http://127.0.0.1:8000", address).splitlines():
            with pytest.raises(SystemExit) as left:
                main(shlex.split(command)[1:])
            assert left.value.code == 0, capsys.readouterr().err
    (snippet,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    exec(compile(snippet, "fleet.md", "exec"), {})  # noqa: S102 - our own page
    server.shutdown()
    server.server_close()
    told = capsys.readouterr().out
    assert "in use: tiny 0.0.1" in told
    assert "<Bundle tiny" in told
