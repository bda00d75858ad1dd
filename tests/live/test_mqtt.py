"""Decisions to a real broker (amqtt) on the loopback address."""

from __future__ import annotations

import json
import queue
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from pathlib import Path

import pytest
from fixtures.bundle_factory import make_bundle
from paho.mqtt import client as mqtt

from edge_ser import CaptureError, ConfigError, EdgeRecognizer, LiveDecision
from edge_ser.cli.main import main
from edge_ser.live.mqtt import MqttAddress, MqttPublisher
from edge_ser.live.session import LiveOptions, LiveSession
from edge_ser.live.sources import SourceOptions

Message = tuple[str, str, bool]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


_PROGRAM = """
import asyncio, sys
from amqtt.broker import Broker

async def serve():
    await Broker({
        "listeners": {"default": {"type": "tcp", "bind": f"127.0.0.1:{sys.argv[1]}"}},
        "plugins": {
            "amqtt.plugins.authentication.AnonymousAuthPlugin": {
                "allow_anonymous": sys.argv[2] == "True"
            }
        },
    }).start()
    await asyncio.Event().wait()

asyncio.run(serve())
"""


class LoopbackBroker:
    """A broker in a process of its own, that can be killed and started again."""

    def __init__(self, port: int, *, anonymous: bool = True) -> None:
        command = [sys.executable, "-c", _PROGRAM, str(port), str(anonymous)]
        self._process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        _until(lambda: self._answers(port))

    def _answers(self, port: int) -> bool:
        assert self._process.poll() is None
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    def stop(self) -> None:
        self._process.kill()
        self._process.wait()


@pytest.fixture
def port() -> Iterator[int]:
    number = free_port()
    broker = LoopbackBroker(number)
    yield number
    broker.stop()


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_bundle(tmp_path_factory.mktemp("tiny"))


class Subscriber:
    def __init__(self, port: int, topic: str) -> None:
        self.messages: queue.Queue[Message] = queue.Queue()
        subscribed = threading.Event()
        self._client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2)
        self._client.on_message = lambda _, __, m: self.messages.put(
            (m.topic, m.payload.decode(), m.retain)
        )
        self._client.on_subscribe = lambda *_: subscribed.set()
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        self._client.subscribe(topic, 1)
        assert subscribed.wait(10)

    def until(self, wanted: Callable[[Message], bool]) -> list[Message]:
        """The messages up to the first one that is wanted."""
        seen = []
        while not seen or not wanted(seen[-1]):
            seen.append(self.messages.get(timeout=20))
        return seen

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


def test_every_decision_is_published_and_none_is_kept(
    port: int, tiny: Path, demo_clip: Path
) -> None:
    address = MqttAddress.parsed(f"mqtt://127.0.0.1:{port}/kiosk/7")
    early = Subscriber(port, "kiosk/7/#")
    decisions: list[LiveDecision] = []
    before = datetime.now(timezone.utc)
    with EdgeRecognizer(tiny) as recognizer:
        options = LiveOptions(SourceOptions(replay=demo_clip, speed=8.0))
        reference = recognizer.bundle.reference
        with (
            MqttPublisher(address, reference) as publisher,
            LiveSession(recognizer, options) as session,
        ):
            for decision in session:
                publisher.publish(decision)
                decisions.append(decision)
            assert publisher.dropped == 0
            assert "connected, 0 dropped" in repr(publisher)
    seen = early.until(lambda message: message[:2] == ("kiosk/7/state", "offline"))
    assert json.loads(dict(m[:2] for m in seen)["kiosk/7/bundle"]) == reference.to_dict()
    assert ("kiosk/7/state", "online", False) in seen
    told = [json.loads(payload) for topic, payload, _ in seen if topic == "kiosk/7/decision"]
    assert len(told) == len(decisions) > 2
    for message, decision in zip(told, decisions, strict=True):
        when = datetime.fromisoformat(message.pop("time"))
        assert before <= when.astimezone(timezone.utc) <= datetime.now(timezone.utc)
        assert message == json.loads(decision.to_json())
    late = Subscriber(port, "kiosk/7/#")
    late.until(lambda message: message[0] == "kiosk/7/state")
    time.sleep(0.3)
    kept = {"kiosk/7/bundle", "kiosk/7/state"}
    assert {topic for topic, _, _ in late.messages.queue} <= kept
    early.close()
    late.close()


def test_the_command_publishes_what_it_prints(
    port: int, tiny: Path, demo_clip: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    watcher = Subscriber(port, "cli/#")
    options = ["--bundle", str(tiny), "--json", "--mqtt", f"mqtt://127.0.0.1:{port}/cli"]
    with pytest.raises(SystemExit) as done:
        main(["live", "--replay", str(demo_clip), *options])
    assert not done.value.code
    printed = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    seen = watcher.until(lambda message: message[:2] == ("cli/state", "offline"))
    told = [json.loads(payload) for topic, payload, _ in seen if topic == "cli/decision"]
    assert [message["window"] for message in told] == [d["window"] for d in printed] != []
    watcher.close()


def test_a_process_that_is_killed_is_offline_by_its_will(port: int, tiny: Path) -> None:
    watcher = Subscriber(port, "killed/#")
    program = (
        "import time; from edge_ser import load_bundle\n"
        "from edge_ser.live.mqtt import MqttAddress, MqttPublisher\n"
        f"address = MqttAddress.parsed('mqtt://127.0.0.1:{port}/killed')\n"
        f"MqttPublisher(address, load_bundle({str(tiny)!r}).reference); time.sleep(60)"
    )
    process = subprocess.Popen([sys.executable, "-c", program])
    watcher.until(lambda message: message[:2] == ("killed/state", "online"))
    process.kill()
    process.wait()
    watcher.until(lambda message: message[:2] == ("killed/state", "offline"))
    watcher.close()


def test_while_the_broker_is_away_decisions_are_dropped_and_counted(
    tiny: Path, demo_clip: Path
) -> None:
    port = free_port()
    broker = LoopbackBroker(port)
    told: list[str] = []
    with EdgeRecognizer(tiny) as recognizer:
        with LiveSession(
            recognizer, LiveOptions(SourceOptions(replay=demo_clip, speed=8.0))
        ) as session:
            decision = next(iter(session))
        address = MqttAddress.parsed(f"mqtt://127.0.0.1:{port}/kiosk")
        with MqttPublisher(address, recognizer.bundle.reference, told.append) as publisher:
            broker.stop()
            _until(lambda: any("went away" in line for line in told))
            publisher.publish(decision)
            publisher.publish(decision)
            assert publisher.dropped == 2
            broker = LoopbackBroker(port)
            _until(lambda: any("is back; 2 decisions dropped" in line for line in told))
            publisher.publish(decision)
            assert publisher.dropped == 2
    broker.stop()


def _until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not true():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_nobody_who_answers_or_lets_in_is_told(tiny: Path) -> None:
    with EdgeRecognizer(tiny) as recognizer:
        reference = recognizer.bundle.reference
    port = free_port()
    with pytest.raises(CaptureError, match=rf"mqtt://127\.0\.0\.1:{port}/x does not answer"):
        MqttPublisher(MqttAddress.parsed(f"mqtt://127.0.0.1:{port}/x"), reference)
    broker = LoopbackBroker(port, anonymous=False)
    with pytest.raises(CaptureError, match="EDGE_SER_MQTT_PASSWORD"):
        MqttPublisher(MqttAddress.parsed(f"mqtt://127.0.0.1:{port}/x"), reference)
    broker.stop()


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("broker", MqttAddress("broker", 1883, f"edge-ser/{socket.gethostname()}")),
        ("broker:1884", MqttAddress("broker", 1884, f"edge-ser/{socket.gethostname()}")),
        (
            "mqtts://me%40home@broker/a/b/",
            MqttAddress("broker", 8883, "a/b", "me@home", encrypted=True),
        ),
        ("mqtt://[::1]:99/a", MqttAddress("::1", 99, "a")),
    ],
)
def test_addresses_are_read(text: str, address: MqttAddress) -> None:
    assert MqttAddress.parsed(text) == address


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("http://broker", "no broker"),
        ("broker:port", "no broker"),
        ("", "no broker"),
        ("mqtt://me:secret@broker", "EDGE_SER_MQTT_PASSWORD"),
        ("mqtt://broker/a/%23", "no topic may"),
    ],
)
def test_what_is_no_address_is_refused(text: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says) as refused:
        MqttAddress.parsed(text)
    assert "secret" not in str(refused.value)
