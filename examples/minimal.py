"""Recognise a clip, then the same clip as if it happened now.

python examples/minimal.py clip.mp4
"""

from __future__ import annotations

import sys

from edge_ser import EdgeRecognizer, LiveDecision, ReplaySource


def show(decision: LiveDecision) -> None:
    """Called for every decision, on a thread of its own."""
    seconds = decision.window.end / 16000
    label = decision.steady_label or "no emotion is named"
    print(f"{seconds:5.1f} s  {label:20s} from {', '.join(decision.present) or 'nothing'}")


def main(clip: str) -> None:
    """Decide for the whole clip, then along it."""
    with EdgeRecognizer() as recognizer:
        whole = recognizer.recognize(clip)
        print(f"whole clip: {whole.label or whole.abstain_reason}")
        with recognizer.stream(on_decision=show) as stream, ReplaySource(clip) as source:
            source.start(stream)
            source.wait()
    # Closing a stream decides for what waits: nothing is lost here.


if __name__ == "__main__":
    main(sys.argv[1])
