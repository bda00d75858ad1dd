"""The examples run as their readers would run them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

EXPRESSIONS = {"neutral", "happy", "sad", "angry", "scared", "disgusted", "surprised"}


def run(program: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(program), *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**os.environ, **environment},
    )


def test_minimal(repository: Path, demo_clip: Path) -> None:
    done = run(repository / "examples" / "minimal.py", str(demo_clip))
    assert done.returncode == 0, done.stderr
    first, *live = done.stdout.splitlines()
    assert first.startswith("whole clip: ")
    assert len(live) >= 3
    assert any("audio" in line and "video" in line for line in live)


# ---- kiosk --------------------------------------------------------------------------------------


def test_kiosk_serves_its_page_to_this_machine_and_ends_when_told(repository: Path) -> None:
    program = repository / "examples" / "kiosk" / "kiosk.py"
    process = subprocess.Popen(
        [sys.executable, str(program), "--port", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        address = process.stdout.readline().strip()
        assert address.startswith("http://127.0.0.1:")
        with urllib.request.urlopen(address, timeout=60) as page:  # noqa: S310
            assert b"This page estimates emotion" in page.read()
        process.send_signal(signal.SIGTERM)
        output, errors = process.communicate(timeout=60)
        assert (process.returncode, output, errors) == (0, "", "")
    finally:
        process.kill()
        process.wait()


# ---- robot --------------------------------------------------------------------------------------


def check_message(message: dict[str, object]) -> None:
    assert message["expression"] in EXPRESSIONS
    for field, lowest in (("valence", -1), ("arousal", -1), ("confidence", 0)):
        value = message[field]
        assert isinstance(value, float)
        assert lowest <= value <= 1


def test_robot_without_ros(repository: Path, demo_clip: Path) -> None:
    program = repository / "examples" / "robot" / "robot.py"
    done = run(program, "--replay", str(demo_clip), "--dry-run", "--face", "f00a1")
    assert done.returncode == 0, done.stderr
    messages = [json.loads(line) for line in done.stdout.splitlines()]
    assert messages
    for message in messages:
        assert message["topic"] == "/humans/faces/f00a1/expression"
        check_message(message)
    done = run(program, "--replay", str(demo_clip))
    assert done.returncode == 2
    assert "ROS 2 is not here" in done.stderr


def test_robot_publishes_the_message_of_ros(
    repository: Path, demo_clip: Path, tmp_path: Path
) -> None:
    # Stands in for ROS 2: the same calls, and the same fields as hri_msgs/Expression.
    for name, text in _STAND_IN.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    done = run(
        repository / "examples" / "robot" / "robot.py",
        *("--replay", str(demo_clip)),
        PYTHONPATH=str(tmp_path),
    )
    assert done.returncode == 0, done.stderr
    *messages, last = [json.loads(line) for line in done.stdout.splitlines()]
    assert last == {"closed": True}
    assert messages
    for message in messages:
        assert message["topic"] == "/humans/faces/unknown/expression"
        assert 0 <= message["age"] < 60
        check_message(message)


_STAND_IN = {
    "hri_msgs/__init__.py": "",
    "hri_msgs/msg.py": """
class _Header:
    stamp = None
class Expression:
    __slots__ = ("header", "expression", "valence", "arousal", "confidence")
    def __init__(self):
        self.header = _Header()
""",
    "rclpy/__init__.py": """
import json
class _Time:
    def __init__(self, seconds): self.seconds = seconds
    def __sub__(self, duration): return _Time(self.seconds - duration.nanoseconds / 1e9)
    def to_msg(self): return self.seconds
class _Publisher:
    def __init__(self, topic): self.topic = topic
    def publish(self, m):
        fields = {k: getattr(m, k) for k in ("expression", "valence", "arousal", "confidence")}
        print(json.dumps({"topic": self.topic, "age": 100 - m.header.stamp, **fields}), flush=True)
class _Node:
    def create_publisher(self, kind, topic, depth): return _Publisher(topic)
    def get_clock(self): return self
    def now(self): return _Time(100.0)
    def destroy_node(self): print(json.dumps({"closed": True}), flush=True)
def init(): pass
def create_node(name): return _Node()
def try_shutdown(): pass
""",
    "rclpy/duration.py": """
class Duration:
    def __init__(self, *, nanoseconds): self.nanoseconds = nanoseconds
""",
}
