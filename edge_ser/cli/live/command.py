"""`edge-ser live`: microphone and camera in, decisions out, until it is stopped."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edge_ser.cli.options import (
    AudioTrackNumber,
    BackendName,
    BundleFolder,
    OneChannel,
    Risk,
    SiteFile,
    SpeechGate,
)
from edge_ser.errors import ConfigError
from edge_ser.shown.terminal import Terminal

if TYPE_CHECKING:
    from edge_ser.capture.sources import Sink
    from edge_ser.cli.live.view import Meter
    from edge_ser.live.mqtt import MqttAddress
    from edge_ser.live.session import LiveSession
    from edge_ser.recognizer import EdgeRecognizer
    from edge_ser.result import LiveDecision

_ASK = (
    "edge-ser will listen and look, and estimate emotions of whoever is there. Where this is\n"
    "allowed at all, everybody in front of the devices must know of it and agree. Nothing is\n"
    "stored or sent{unless}.\nHas everybody agreed?"
)

Show = Callable[["LiveDecision"], bool]
"""Shows a decision; False once the user closed the window."""


def live(
    mic: Annotated[str | None, typer.Option(help="Microphone: its number or part of name.")] = None,
    camera: Annotated[
        str | None, typer.Option(help="Camera: its number, part of its name, or its path.")
    ] = None,
    listen: Annotated[bool, typer.Option(help="Whether to use a microphone.")] = True,
    look: Annotated[bool, typer.Option(help="Whether to use a camera.")] = True,
    orientation: Annotated[
        int, typer.Option(help="How the camera is mounted, 1 (upright) to 8, as in EXIF.")
    ] = 1,
    replay: Annotated[Path | None, typer.Option(help="A file, as if it happened now.")] = None,
    loop: Annotated[bool, typer.Option("--loop", help="Replay the file again and again.")] = False,
    url: Annotated[str | None, typer.Option(help="A stream: rtsp://, http://, ...")] = None,
    channel: OneChannel = "mix",
    audio_track: AudioTrackNumber = None,
    pcm: Annotated[
        bool, typer.Option("--pcm", help="16-bit mono sound on standard input.")
    ] = False,
    pcm_rate: Annotated[int, typer.Option(help="Its rate in Hz.")] = 16000,
    transcript: Annotated[
        Path | None,
        typer.Option(help="Words of the replayed file, with times (.srt, .vtt, .json)."),
    ] = None,
    asr: Annotated[bool, typer.Option("--asr", help="Transcribe speech on this device.")] = False,
    window: Annotated[float, typer.Option(help="Seconds that a decision looks at.")] = 3.0,
    hop: Annotated[float, typer.Option(help="Seconds between decisions.")] = 0.5,
    smoothing: Annotated[str, typer.Option(help="off, light or strong.")] = "light",
    speech_gate: SpeechGate = True,
    risk: Risk = None,
    site: SiteFile = None,
    enroll: Annotated[
        float | None,
        typer.Option(metavar="SECONDS", help="Learn a person's voice from so much speech."),
    ] = None,
    profile: Annotated[
        Path | None, typer.Option(help="A person's profile: to adapt to, or what --enroll writes.")
    ] = None,
    headless: Annotated[bool, typer.Option("--headless", help="No preview window.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print a decision a line.")] = False,
    record: Annotated[
        Path | None, typer.Option(help="STORE sound, pictures and decisions in this folder.")
    ] = None,
    mqtt: Annotated[
        str | None,
        typer.Option(
            metavar="HOST",
            help="SEND decisions to a broker: HOST, HOST:PORT, mqtts://USER@HOST/TOPIC.",
        ),
    ] = None,
    consent: Annotated[
        bool,
        typer.Option("--yes-i-have-consent", help="Everybody in front of the devices agreed."),
    ] = False,
    bundle: BundleFolder = None,
    backend: BackendName = "onnxruntime",
) -> None:
    """Recognise emotion live from microphone and camera, or from a file as if it happened now.

    A complete command: edge-ser live --replay clip.mp4 --json
    """
    from edge_ser.cli.live.view import Meter
    from edge_ser.live.mqtt import MqttAddress, MqttPublisher
    from edge_ser.live.session import LiveOptions, LiveSession
    from edge_ser.live.sources import SourceOptions, make_sources
    from edge_ser.media.channels import checked_channel
    from edge_ser.recognizer import EdgeRecognizer

    sources = SourceOptions(
        microphone=mic,
        camera=camera,
        orientation=orientation,
        listen=listen,
        look=look,
        replay=replay,
        loop=loop,
        url=url,
        channel=checked_channel(channel),
        audio_track=audio_track,
        pcm=pcm,
        pcm_rate=pcm_rate,
    )
    options = LiveOptions(
        sources=sources,
        transcript=transcript,
        asr=asr,
        window=window,
        hop=hop,
        smoothing=smoothing,  # type: ignore[arg-type]
        speech_gate=speech_gate,
        profile=profile,
        enroll=enroll,
        record=record,
    )
    broker = None if mqtt is None else MqttAddress.parsed(mqtt)
    make_sources(sources)  # what does not go together is said before anybody is asked
    if sources.live:
        _ask_consent(consent, record, broker)
    notes = Terminal(stderr=True)
    meters: list[Meter] = []

    def watch(sink: Sink) -> Sink:
        meters.append(Meter(sink))
        return meters[-1]

    def tell(line: str) -> None:
        notes.print(line, style="yellow", soft_wrap=True)

    with ExitStack() as stack:
        recognizer = stack.enter_context(
            EdgeRecognizer(bundle, backend=backend, risk=risk, site=site)
        )
        publisher = None
        if broker is not None:
            publisher = MqttPublisher(broker, recognizer.bundle.reference, tell)
            stack.enter_context(publisher)
        session = stack.enter_context(
            LiveSession(recognizer, options, consent=True, tell=tell, watch=watch)
        )
        show = stack.enter_context(_Terminal(session, meters[0], as_json=as_json))
        preview = None if headless or as_json else _preview(recognizer, meters[0], notes)
        try:
            for decision in _until_terminated(session):
                show(decision)
                if publisher is not None:
                    publisher.publish(decision)
                if preview is not None and not preview(decision):
                    break
        except KeyboardInterrupt:
            notes.print("stopped")


def _ask_consent(given: bool, record: Path | None, broker: MqttAddress | None = None) -> None:
    """Make sure that the people in front of the devices agreed.

    Raises:
        ConfigError: if they did not, or nobody can be asked.
    """
    if given:
        return
    if not sys.stdin.isatty():
        raise ConfigError(
            "a microphone or a camera needs the consent of everybody in front of it, and nobody "
            "can be asked here: run again with --yes-i-have-consent once they have agreed"
        )
    exceptions = []
    if record is not None:
        exceptions.append(f"for the recording in {record}")
    if broker is not None:
        exceptions.append(f"for decisions, which go to {broker!r}")
    unless = f", but {' and '.join(exceptions)}" if exceptions else ""
    if not typer.confirm(_ASK.format(unless=unless)):
        raise ConfigError("without consent nothing is recorded")


def _until_terminated(session: LiveSession) -> Iterator[LiveDecision]:
    """The session's decisions; SIGTERM ends it as Ctrl-C does: what is recorded is whole."""

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield from session
        return
    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield from session
    finally:
        signal.signal(signal.SIGTERM, before)


class _Terminal:
    """Shows decisions as lines of JSON, or as one screen that is drawn again and again."""

    def __init__(self, session: LiveSession, meter: Meter, *, as_json: bool) -> None:
        from rich.live import Live

        self._session = session
        self._meter = meter
        console = Terminal()
        self._screen = None if as_json else Live(console=console, auto_refresh=False)

    def __enter__(self) -> Callable[[LiveDecision], None]:
        if self._screen is not None:
            self._screen.__enter__()
        return self._show

    def __exit__(self, *_: object) -> None:
        if self._screen is not None:
            self._screen.stop()

    def _show(self, decision: LiveDecision) -> None:
        from edge_ser.cli.live.view import view

        if self._screen is None:
            typer.echo(decision.to_json())
        else:
            level = self._meter.level_dbfs()
            self._screen.update(view(decision, level, self._session.sources), refresh=True)


def _preview(recognizer: EdgeRecognizer, meter: Meter, notes: Terminal) -> Show | None:
    """Shows the newest picture with the faces that the front-end finds in it; None: no window."""
    from edge_ser.cli.live.preview import annotated, show, why_no_window

    reason = why_no_window()
    if reason is not None:
        notes.print(f"no preview window: {reason} (--headless says nothing of it)", style="dim")
        return None
    faces = recognizer.encoders.face_frontend

    def update(decision: LiveDecision) -> bool:
        image = meter.picture()
        return image is None or show(annotated(image, faces.faces(image), decision.steady_label))

    return update
