"""`edge-ser demo`: the main job on the clip that ships with the package."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edge_ser.constants import DEMO_CLIP
from edge_ser.shown.terminal import Terminal


def demo(
    output: Annotated[
        Path, typer.Option(help="Folder for the decision (JSON) and the picture.")
    ] = Path("demo-output"),
) -> None:
    """Recognise the clip that ships with edge-ser, print the decision and draw it.

    A complete command: edge-ser demo --output demo-output
    """
    from edge_ser.cli.recognize import show
    from edge_ser.files import make_folder, write_atomically
    from edge_ser.plots.clip import draw_clip
    from edge_ser.recognizer import EdgeRecognizer

    make_folder(output)
    picture = output / "decision.png"
    with EdgeRecognizer() as recognizer:
        words = recognizer.transcribe(DEMO_CLIP)
        decision = recognizer.recognize(DEMO_CLIP, words)
        draw_clip(recognizer, DEMO_CLIP, decision, words, picture)
    write_atomically(output / "decision.json", decision.to_json(indent=2).encode() + b"\n")
    console = Terminal()
    console.print(
        "The clip is made of NASA's public-domain portrait of astronaut Eileen Collins and a\n"
        "synthesised sentence that nobody spoke: it shows that every part runs, not how well.\n"
    )
    show(decision, console)
    console.print(f"\ndecision: {output / 'decision.json'}\npicture:  {picture}")
