"""What Triton's python backend runs: sound, pictures and words come in, a decision goes out.

`edge-ser export-triton` copies this file beside the bundle that it opens. Texts are UTF-8 bytes
(UINT8), and tensors pass by DLPack: of NumPy 2, Triton's python backend misreads the arrays, up to
2.51 at least.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import triton_python_backend_utils as pb_utils

from edge_ser import Decision, EdgeRecognizer, EdgeSerError, MediaError, clip_from_arrays
from edge_ser.media.transcript import Transcript


class TritonPythonModel:
    """One instance of the model, in a process of its own."""

    def initialize(self, args: dict[str, str]) -> None:
        """Open the bundle that lies beside this file, as the model's configuration says."""
        parameters = json.loads(args["model_config"])["parameters"]
        told = {name: value["string_value"] for name, value in parameters.items()}
        self._speech_gate = told["speech_gate"] == "true"
        self._recognizer = EdgeRecognizer(Path(__file__).parent / "bundle", backend=told["backend"])

    def execute(self, requests: Sequence[Any]) -> list[Any]:
        """Answer requests; one that cannot be used costs no other."""
        return [self._answer(request) for request in requests]

    def finalize(self) -> None:
        """Free the graphs."""
        self._recognizer.close()

    def _answer(self, request: Any) -> Any:
        try:
            decision = self._decide(request)
        except EdgeSerError as error:
            return pb_utils.InferenceResponse(error=pb_utils.TritonError(str(error)))
        labels = self._recognizer.labels
        number = -1 if decision.label is None else labels.index(decision.label)
        probabilities = [decision.probabilities[label] for label in labels]
        told = np.frombuffer(bytearray(decision.to_json().encode()), np.uint8)
        return pb_utils.InferenceResponse(
            output_tensors=[
                pb_utils.Tensor.from_dlpack("label", np.array([number], np.int32)),
                pb_utils.Tensor.from_dlpack("probabilities", np.array(probabilities, np.float32)),
                pb_utils.Tensor.from_dlpack("decision", told),
            ]
        )

    def _decide(self, request: Any) -> Decision:
        samples, rate, frames, times, words = (
            None if tensor is None else np.array(np.from_dlpack(tensor))
            for tensor in (
                pb_utils.get_input_tensor_by_name(request, name)
                for name in ("samples", "sample_rate", "frames", "frame_times", "transcript")
            )
        )
        if samples is not None and rate is None:
            raise MediaError("samples need their sample_rate, in Hz")
        clip = clip_from_arrays(
            samples=samples,
            sample_rate=None if rate is None else int(rate[0]),
            frames=frames,
            frame_times=times,
        )
        spoken = None if words is None else Transcript(words.tobytes().decode("utf-8", "replace"))
        return self._recognizer.recognize(clip, spoken, speech_gate=self._speech_gate)
