"""Decisions of a live session to an MQTT broker, and nothing else; the broker keeps none."""

from __future__ import annotations

import json
import os
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote, urlsplit

from edge_ser.errors import CaptureError, ConfigError, MissingExtraError
from edge_ser.result import BundleReference, LiveDecision
from edge_ser.runtime.closing import ClosedOnExit

if TYPE_CHECKING:
    from paho.mqtt.client import Client

PASSWORD_VARIABLE: Final = "EDGE_SER_MQTT_PASSWORD"  # noqa: S105 - its name, not its content
"""Environment variable with the broker's password: a command line is seen by everybody."""

_PORTS: Final = {"mqtt": 1883, "mqtts": 8883}
_CONNECT_SECONDS: Final = 10.0
_LAST_WORD_SECONDS: Final = 2.0
_KEEP_ALIVE: Final = 30


@dataclass(frozen=True)
class MqttAddress:
    """A broker, and the topic below which everything is published."""

    host: str
    port: int
    topic: str
    user: str | None = None
    encrypted: bool = False

    def __repr__(self) -> str:
        return f"mqtt{'s' if self.encrypted else ''}://{self.host}:{self.port}/{self.topic}"

    @classmethod
    def parsed(cls, text: str) -> MqttAddress:
        """Read ``HOST``, ``HOST:PORT`` or ``mqtt[s]://[USER@]HOST[:PORT][/TOPIC]``.

        Without a topic it is ``edge-ser/`` and this machine's name.

        Raises:
            ConfigError: if it is none of these, or holds a password.
        """
        wrong = f"{text!r} is no broker: give HOST, HOST:PORT or mqtts://USER@HOST:PORT/TOPIC"
        try:
            parts = urlsplit(text if "://" in text else f"mqtt://{text}")
            port = parts.port or _PORTS.get(parts.scheme, 0)
        except ValueError as error:
            raise ConfigError(wrong) from error
        if parts.password is not None:
            raise ConfigError(
                f"a command line is seen by everybody: put the password into {PASSWORD_VARIABLE}"
            )
        topic = unquote(parts.path).strip("/") or f"edge-ser/{socket.gethostname()}"
        if parts.scheme not in _PORTS or not parts.hostname or parts.query or parts.fragment:
            raise ConfigError(wrong)
        if any(letter in topic for letter in "+#\0"):
            raise ConfigError(f"the topic {topic!r} holds +, # or a zero byte: no topic may")
        user = None if parts.username is None else unquote(parts.username)
        return cls(parts.hostname, port, topic, user, parts.scheme == "mqtts")


class MqttPublisher(ClosedOnExit):
    """Publishes to three topics below the address's.

    - ``state``, kept by the broker: ``online``, or ``offline`` after the end, however it came.
    - ``bundle``, kept by the broker: which bundle decides, as JSON.
    - ``decision``, never kept: `LiveDecision.to_dict` as JSON, with ``time``, the UTC time of its
      publication, before it; at most once. While the broker is away decisions are dropped, as a
      late one is worth nothing, and `dropped` counts them.

    Thread contract: every method from any thread.
    """

    def __init__(
        self,
        address: MqttAddress,
        bundle: BundleReference,
        tell: Callable[[str], None] = lambda _: None,
    ) -> None:
        """Connect to the broker.

        Args:
            address: where it is; a password is taken from the environment.
            bundle: which decides.
            tell: takes lines for people: that the broker went away, or is back.

        Raises:
            MissingExtraError: if paho-mqtt is not installed.
            CaptureError: if the broker does not answer, or lets nobody in.
        """
        try:
            from paho.mqtt.client import Client
            from paho.mqtt.enums import CallbackAPIVersion
        except ImportError:
            raise MissingExtraError("--mqtt", "mqtt") from None
        self._address = address
        self._bundle = bundle
        self._tell = tell
        self._answered = threading.Event()
        self._refused: str | None = None
        self._connected = False
        self._closed = False
        self.dropped = 0
        """Decisions that could not be published."""
        self._client = Client(CallbackAPIVersion.VERSION2)
        self._client.on_connect = self._on_connect
        self._client.on_disconnect = self._on_disconnect
        self._client.will_set(self._topic("state"), "offline", qos=1, retain=True)
        if address.user is not None:
            self._client.username_pw_set(address.user, os.environ.get(PASSWORD_VARIABLE))
        if address.encrypted:
            self._client.tls_set()
        try:
            self._client.connect(address.host, address.port, keepalive=_KEEP_ALIVE)
        except OSError as error:
            raise CaptureError(f"the broker {address!r} does not answer: {error}") from error
        self._client.loop_start()
        if not self._answered.wait(_CONNECT_SECONDS) or self._refused is not None:
            self.close()
            why = self._refused or f"no answer within {_CONNECT_SECONDS:.0f} s"
            raise CaptureError(
                f"the broker {address!r} lets nobody in: {why}; the user stands in the address, "
                f"the password in {PASSWORD_VARIABLE}"
            )

    def __repr__(self) -> str:
        state = "connected" if self._connected else "not connected"
        return f"<MqttPublisher to {self._address!r}, {state}, {self.dropped} dropped>"

    def publish(self, decision: LiveDecision) -> None:
        """Publish a decision, at most once; never waits for the broker."""
        if not self._connected:
            self.dropped += 1
            return
        now = datetime.now(timezone.utc).isoformat(timespec="milliseconds")
        payload = json.dumps({"time": now, **decision.to_dict()}, allow_nan=False)
        if self._client.publish(self._topic("decision"), payload, qos=0).rc != 0:
            self.dropped += 1

    def close(self) -> None:
        """Say that this is the end, and go; a second call does nothing."""
        if self._closed:
            return
        self._closed = True
        if self._connected:
            last = self._client.publish(self._topic("state"), "offline", qos=1, retain=True)
            last.wait_for_publish(_LAST_WORD_SECONDS)
        self._client.disconnect()
        self._client.loop_stop()

    def _topic(self, name: str) -> str:
        return f"{self._address.topic}/{name}"

    def _on_connect(self, client: Client, _: Any, __: Any, reason: Any, ___: Any) -> None:
        """Also after every reconnection, which paho makes by itself."""
        if reason.is_failure:
            self._refused = str(reason)
            self._answered.set()
            return
        client.publish(self._topic("bundle"), json.dumps(self._bundle.to_dict()), 1, retain=True)
        client.publish(self._topic("state"), "online", qos=1, retain=True)
        if self._answered.is_set() and not self._connected:
            self._tell(f"the broker {self._address!r} is back; {self.dropped} decisions dropped")
        self._connected = True
        self._answered.set()

    def _on_disconnect(self, _: Client, __: Any, ___: Any, reason: Any, ____: Any) -> None:
        if self._connected and not self._closed:
            self._tell(f"the broker {self._address!r} went away ({reason}); trying again")
        self._connected = False
