"""Does this build still decide as before? Record what a bundle answers, or compare with a record.

    python tests/agreement/decisions.py record DATA decisions.json
    python tests/agreement/decisions.py compare DATA decisions.json

DATA holds `clips/` and `ravdess_speech/`; the demo clip of the repository comes first, then every
file of `clips/`, then 200 RAVDESS clips, evenly spread over actors and emotions.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from edge_ser import EdgeRecognizer

REPOSITORY = Path(__file__).resolve().parents[2]
RECORDED = Path(__file__).with_name("decisions.json")
RAVDESS_CLIPS = 200
LARGEST_DIFFERENCE = 1e-6
"""Of one probability; the same graphs on the same ONNX Runtime agree to the last digit."""


def clips_of(data: Path) -> dict[str, Path]:
    """Name to file, in the order in which they are decided."""
    ravdess = sorted((data / "ravdess_speech").rglob("*.flac"))
    # 1440 clips, 60 an actor: a step that is no divisor of 60 meets every actor and emotion.
    chosen = [ravdess[number * len(ravdess) // RAVDESS_CLIPS] for number in range(RAVDESS_CLIPS)]
    films = [path for path in sorted((data / "clips").iterdir()) if path.suffix in (".mp4", ".mpg")]
    demo = REPOSITORY / "edge_ser" / "demo_clip" / "astronaut.mp4"
    return {f"{path.parent.name}/{path.name}": path for path in (demo, *films, *chosen)}


def decide(data: Path) -> dict[str, dict[str, float]]:
    """Clip name to label to probability, of the default bundle on the CPU."""
    with EdgeRecognizer() as recognizer:
        return {
            name: dict(recognizer.recognize(path).probabilities)
            for name, path in clips_of(data).items()
        }


def differences(
    before: dict[str, dict[str, float]], after: dict[str, dict[str, float]]
) -> dict[str, float]:
    """Clip name to the largest difference of a probability; a clip in one alone differs by 1."""
    found: dict[str, float] = {}
    for name in before.keys() | after.keys():
        one, other = before.get(name, {}), after.get(name, {})
        labels = one.keys() | other.keys()
        found[name] = max(
            (abs(one[x] - other[x]) if x in one and x in other else 1.0 for x in labels),
            default=1.0,
        )
    return found


def main() -> int:
    """Record or compare, as the command line says; 1 if a decision differs."""
    if len(sys.argv) != 4 or sys.argv[1] not in ("record", "compare"):
        print(__doc__)
        return 2
    decided, file = decide(Path(sys.argv[2])), Path(sys.argv[3])
    if sys.argv[1] == "record":
        file.write_text(json.dumps(decided, indent=1) + "\n")
        print(f"{len(decided)} decisions are in {file}")
        return 0
    found = differences(json.loads(file.read_text()), decided)
    worst = max(found, key=lambda name: found[name])
    print(f"{len(found)} clips, largest difference {found[worst]:.1e} ({worst})")
    return int(found[worst] > LARGEST_DIFFERENCE)


if __name__ == "__main__":
    sys.exit(main())
