"""One fresh process: import, load, decide; `edge_ser.calibration.performance.cold` starts it.

    python -m edge_ser.calibration.performance.process CLIP BUNDLE BACKEND THREADS DECISIONS

prints milliseconds and megabytes as one JSON object. Nothing of edge-ser is imported before the
clock runs.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path


def run(
    clip: str, folder: str, backend: str, threads: int, decisions: int
) -> dict[str, float | None]:
    """Load a bundle, decide about a clip once, and `decisions` times more.

    Returns:
        milliseconds of ``imports``, ``load``, ``first_decision`` and the ``repeated`` decisions,
        megabytes of ``resident_...``.
    """
    begun = time.perf_counter()
    from edge_ser.recognizer import EdgeRecognizer

    imported = time.perf_counter()
    from edge_ser.calibration.device.process_memory import peak_megabytes, resident_megabytes

    memory = [resident_megabytes()]
    before_load = time.perf_counter()
    recognizer = EdgeRecognizer(Path(folder), backend=backend, threads=threads)
    loaded = time.perf_counter()
    memory.append(resident_megabytes())
    before_first = time.perf_counter()
    recognizer.recognize(clip)
    decided = time.perf_counter()
    for _ in range(decisions):
        recognizer.recognize(clip)
    repeated = time.perf_counter()
    memory.append(resident_megabytes())
    return {
        "imports": (imported - begun) * 1000,
        "load": (loaded - before_load) * 1000,
        "first_decision": (decided - before_first) * 1000,
        "repeated": (repeated - decided) * 1000,
        "resident_imported": memory[0],
        "resident_loaded": memory[1],
        "resident_deciding": memory[2],
        "resident_peak": peak_megabytes(),
    }


if __name__ == "__main__":
    _, clip_path, bundle_folder, backend_name, thread_count, more = sys.argv
    print(json.dumps(run(clip_path, bundle_folder, backend_name, int(thread_count), int(more))))
