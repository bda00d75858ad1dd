"""Decisions from a Ray cluster: as many recognizers as there is to do, behind one address.

pip install "edge-ser" "ray[serve]"
serve run examples.ray_serve.deployment:app
curl --data-binary @clip.mp4 "http://127.0.0.1:8000/?transcript=We+made+it+to+orbit"
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from ray import serve
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse

from edge_ser import Decision, EdgeRecognizer, EdgeSerError, Transcript

LARGEST = 64 * 2**20
"""Bytes of a clip; a longer one is refused."""


@serve.deployment(
    ray_actor_options={"num_cpus": 1},
    autoscaling_config={"min_replicas": 1, "max_replicas": 8, "target_ongoing_requests": 2},
    max_ongoing_requests=4,
    max_queued_requests=32,
)
class Emotions:
    """A replica: one process with one recognizer."""

    def __init__(self, bundle: str | None = None) -> None:
        """Open a bundle that every machine of the cluster sees; None: the one that ships."""
        self._recognizer = EdgeRecognizer(bundle)

    async def __call__(self, request: Request) -> JSONResponse:
        """Answer with the decision for the clip in the body, or say what is wrong with it."""
        content = bytearray()
        async for piece in request.stream():
            content += piece
            if len(content) > LARGEST:
                return JSONResponse({"error": f"a clip has at most {LARGEST} bytes"}, 413)
        words = request.query_params.get("transcript")
        try:
            decision = await run_in_threadpool(self._decide, bytes(content), words)
        except EdgeSerError as error:
            return JSONResponse({"error": str(error)}, 422)
        return JSONResponse(decision.to_dict())

    def _decide(self, content: bytes, words: str | None) -> Decision:
        with tempfile.TemporaryDirectory() as folder:
            clip = Path(folder) / "clip"
            clip.write_bytes(content)
            return self._recognizer.recognize(clip, None if words is None else Transcript(words))


app = Emotions.bind()
