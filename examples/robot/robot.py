"""A robot's node: publishes the expression of the person whom it listens to and looks at.

python examples/robot/robot.py --replay clip.mp4 --dry-run
python examples/robot/robot.py --yes-i-have-consent --face f00a1

ROS 2 (`rclpy` and `hri_msgs`) is needed only where messages are published; `--dry-run` prints them.
The topic is ``/humans/faces/<face>/expression``, as REP-155 has it.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any, Protocol

from expression import Expression, expression_of

from edge_ser import (
    CameraSource,
    EdgeRecognizer,
    EdgeSerError,
    LiveDecision,
    MicrophoneSource,
    ReplaySource,
)
from edge_ser.capture.sources import LiveSource


class Publisher(Protocol):
    """Where expressions go."""

    def publish(self, expression: Expression) -> None:
        """Send one."""

    def close(self) -> None:
        """Nothing more comes."""


class Printer:
    """Prints a message a line."""

    def __init__(self, topic: str) -> None:
        self._topic = topic

    def publish(self, expression: Expression) -> None:
        """Print one."""
        print(json.dumps({"topic": self._topic, **asdict(expression)}), flush=True)

    def close(self) -> None:
        """Nothing is open."""


class RosPublisher:
    """Publishes `hri_msgs/Expression` from a ROS 2 node."""

    def __init__(self, topic: str) -> None:
        """Start the node.

        Raises:
            ImportError: where ROS 2 or hri_msgs is not installed, or not sourced.
        """
        import rclpy
        from hri_msgs.msg import Expression as Message
        from rclpy.duration import Duration

        self._rclpy: Any = rclpy
        self._message: Any = Message
        self._duration: Any = Duration
        rclpy.init()
        self._node: Any = rclpy.create_node("edge_ser")
        self._publisher: Any = self._node.create_publisher(Message, topic, 10)

    def publish(self, expression: Expression) -> None:
        """Send one; its stamp is when the newest of what it rests on was captured."""
        message = self._message()
        age = self._duration(nanoseconds=round(expression.age * 1e9))
        message.header.stamp = (self._node.get_clock().now() - age).to_msg()
        message.expression = expression.expression
        message.valence = float(expression.valence)
        message.arousal = float(expression.arousal)
        message.confidence = float(expression.confidence)
        self._publisher.publish(message)

    def close(self) -> None:
        """End the node."""
        self._node.destroy_node()
        self._rclpy.try_shutdown()


def sources(given: argparse.Namespace) -> list[LiveSource]:
    """What the robot listens to and looks at."""
    if given.replay is not None:
        return [ReplaySource(given.replay)]
    if not given.consent:
        sys.exit("microphone and camera need everybody's consent: add --yes-i-have-consent")
    return [MicrophoneSource(), CameraSource(0)]


def run(given: argparse.Namespace, publisher: Publisher) -> None:
    """Publish until the sources end or somebody interrupts."""

    def tell(decision: LiveDecision) -> None:
        expression = expression_of(decision)
        if expression is not None:
            publisher.publish(expression)

    with EdgeRecognizer() as recognizer, recognizer.stream(on_decision=tell, consent=True) as s:
        devices = sources(given)
        try:
            for device in devices:
                device.start(s)
            for device in devices:
                device.wait()
        except KeyboardInterrupt:
            print("stopped", file=sys.stderr)
        finally:
            for device in devices:
                device.stop()


def main() -> int:
    """Run as a command; 2 for what a user can mend."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--replay", type=Path, help="a file, as if it happened now")
    parser.add_argument("--face", default="unknown", help="the face's identifier in ROS4HRI")
    parser.add_argument("--dry-run", action="store_true", help="print instead of publishing")
    parser.add_argument("--yes-i-have-consent", dest="consent", action="store_true")
    given = parser.parse_args()
    if not re.fullmatch(r"[A-Za-z0-9_]+", given.face):
        parser.error("--face must be letters, digits and underscores: it is part of a topic")
    topic = f"/humans/faces/{given.face}/expression"
    try:
        publisher: Publisher = Printer(topic) if given.dry_run else RosPublisher(topic)
    except ImportError as error:
        print(
            f"robot: ROS 2 is not here ({error}); source its setup file, install hri_msgs, or use "
            "--dry-run",
            file=sys.stderr,
        )
        return 2
    try:
        run(given, publisher)
    except EdgeSerError as error:
        print(f"robot: {error}", file=sys.stderr)
        return 2
    finally:
        publisher.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
