"""`edge-ser live`: microphone and camera in, decisions out, until it is stopped."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

if TYPE_CHECKING:
    from edge_ser.capture.sources import LiveSource, Sink
    from edge_ser.cli.live.view import Meter
    from edge_ser.media.transcript import Transcript
    from edge_ser.recognizer import EdgeRecognizer
    from edge_ser.result import LiveDecision
    from edge_ser.stream import EmotionStream


def live(
    mic: Annotated[str | None, typer.Option(help="Microphone: its number or part of name.")] = None,
    camera: Annotated[
        str | None, typer.Option(help="Camera: its number, part of its name, or its path.")
    ] = None,
    listen: Annotated[bool, typer.Option(help="Whether to use a microphone.")] = True,
    look: Annotated[bool, typer.Option(help="Whether to use a camera.")] = True,
    replay: Annotated[Path | None, typer.Option(help="A file, as if it happened now.")] = None,
    loop: Annotated[bool, typer.Option("--loop", help="Replay the file again and again.")] = False,
    url: Annotated[str | None, typer.Option(help="A stream: rtsp://, http://, ...")] = None,
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
    speech_gate: Annotated[
        bool, typer.Option(help="Whether sound without speech counts as absent.")
    ] = True,
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
    consent: Annotated[
        bool,
        typer.Option("--yes-i-have-consent", help="Everybody in front of the devices agreed."),
    ] = False,
    bundle: Annotated[Path | None, typer.Option(help="A bundle's folder.")] = None,
    backend: Annotated[str, typer.Option(help="What runs the graphs.")] = "onnxruntime",
) -> None:
    """Recognise emotion live from microphone and camera, or from a file as if it happened now.

    A complete command: edge-ser live --replay clip.mp4 --json
    """
    from edge_ser.capture.recording import Recording
    from edge_ser.cli.live.profile import LiveProfile
    from edge_ser.cli.live.sources import Wanted, ask_consent, make_sources, start
    from edge_ser.cli.live.view import Meter
    from edge_ser.errors import CaptureError
    from edge_ser.recognizer import EdgeRecognizer

    wanted = Wanted(
        microphone=mic,
        camera=camera,
        listen=listen,
        look=look,
        replay=replay,
        loop=loop,
        url=url,
        pcm=pcm,
        pcm_rate=pcm_rate,
        transcript=_words(transcript, replay),
    )
    notes = Console(stderr=True, highlight=False)
    sources = make_sources(wanted)
    if wanted.live:
        ask_consent(consent, record)
    with ExitStack() as stack:
        recognizer = stack.enter_context(EdgeRecognizer(bundle, backend=backend))
        person = LiveProfile(recognizer.bundle, profile, enroll)
        stream = stack.enter_context(
            recognizer.stream(
                window=window,
                hop=hop,
                smoothing=smoothing,  # type: ignore[arg-type]
                speech_gate=speech_gate,
                consent=True,  # a replay needs none, and everything else was asked for above
                profile=person.profile,
            )
        )
        sink: Sink = stream
        recording = None
        if record is not None:
            sink = recording = stack.enter_context(Recording(sink, record))
            notes.print(f"[bold red]RECORDING[/] sound, pictures and decisions to {record}")
        sink = meter = Meter(sink)
        ending = ExitStack()
        if asr:
            sink = _transcribing(sink, ending)
        for source in sources:
            stack.callback(source.stop)
        person.begin(stream, notes)
        needed = not wanted.live or mic is not None or camera is not None or not (listen and look)
        for line in start(sources, sink, all_needed=needed):
            notes.print(line, style="yellow", markup=False)
        threading.Thread(target=_close_at_end, args=(sources, ending, stream), daemon=True).start()
        preview = None if headless or as_json else _preview(recognizer, meter, notes)
        try:
            for decision in _shown(stream, sources, meter, preview, as_json=as_json):
                if recording is not None:
                    recording.note(decision)
                person.look(notes)
            person.end(notes)
        except KeyboardInterrupt:
            notes.print("stopped")
    failed = [s for s in sources if s.health.state == "failed" and s.health.error]
    if failed:
        raise CaptureError("; ".join(f"{s.name}: {s.health.error}" for s in failed))
    if recording is not None and recording.error is not None:
        notes.print(recording.error, style="red", markup=False)


def _words(path: Path | None, replay: Path | None) -> Transcript | None:
    """Words with times for a replay; words without times cannot be said at their time."""
    from edge_ser.errors import ConfigError
    from edge_ser.media.transcript import find_sidecar, read_transcript

    if path is not None and replay is None:
        raise ConfigError("--transcript belongs to --replay; live words come from --asr")
    found = path if path is not None else (find_sidecar(replay) if replay is not None else None)
    if found is None:
        return None
    words = read_transcript(found)
    if path is not None and not words.words:
        raise ConfigError(f"{path} has no times: a replay needs an .srt, .vtt or .json transcript")
    return words


def _transcribing(sink: Sink, ending: ExitStack) -> Sink:
    from edge_ser.speech.live_transcript import TranscribingSink
    from edge_ser.speech.speech_to_text import SpeechToText

    return ending.enter_context(TranscribingSink(sink, SpeechToText()))


def _close_at_end(sources: Sequence[LiveSource], ending: ExitStack, stream: EmotionStream) -> None:
    """Close the stream when every source has ended, so that what waits is still decided."""
    for source in sources:
        source.wait()
    ending.close()
    stream.close()


def _preview(recognizer: EdgeRecognizer, meter: Meter, notes: Console) -> _Preview | None:
    from edge_ser.cli.live.preview import why_no_window

    reason = why_no_window()
    if reason is not None:
        notes.print(f"no preview window: {reason} (--headless says nothing of it)", style="dim")
        return None
    return _Preview(recognizer, meter)


class _Preview:
    """Shows the newest picture with the faces that the front-end finds in it."""

    def __init__(self, recognizer: EdgeRecognizer, meter: Meter) -> None:
        self._faces = recognizer.encoders.face_frontend
        self._meter = meter

    def update(self, decision: LiveDecision) -> bool:
        """Show a decision; False once the user closed the window."""
        from edge_ser.cli.live.preview import annotated, show

        image = self._meter.picture()
        if image is None:
            return True
        return show(annotated(image, self._faces.faces(image), decision.steady_label))


def _shown(
    stream: EmotionStream,
    sources: Sequence[LiveSource],
    meter: Meter,
    preview: _Preview | None,
    *,
    as_json: bool,
) -> Iterator[LiveDecision]:
    """Show every decision, then give it; ends with the stream, or when the window is closed."""
    from rich.live import Live

    from edge_ser.cli.live.view import view

    screen = None if as_json else Live(console=Console(highlight=False), auto_refresh=False)
    with ExitStack() as stack:
        if screen is not None:
            stack.enter_context(screen)
        for decision in stream:
            if screen is None:
                typer.echo(decision.to_json())
            else:
                screen.update(view(decision, meter.level_dbfs(), sources), refresh=True)
            yield decision
            if preview is not None and not preview.update(decision):
                return
