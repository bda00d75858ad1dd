"""Writes a model repository for Triton: configuration, python model, and the bundle itself."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Final

from edge_ser.bundles.loading import load_bundle
from edge_ser.bundles.replacing import replaced_folder
from edge_ser.errors import ConfigError
from edge_ser.files import write_atomically
from edge_ser.runtime.backend import DEFAULT_BACKEND

DEFAULT_NAME: Final = "edge_ser"

_NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
_INPUTS: Final = {
    "samples": ("TYPE_FP32", "-1"),
    "sample_rate": ("TYPE_INT32", "1"),
    "frames": ("TYPE_UINT8", "-1, -1, -1, 3"),
    "frame_times": ("TYPE_FP64", "-1"),
    "transcript": ("TYPE_UINT8", "-1"),
}
_CONFIGURATION: Final = """\
name: {name}
backend: "python"
max_batch_size: 0
{inputs}output {{ name: "label" data_type: TYPE_INT32 dims: [ 1 ] }}
output {{
  name: "probabilities" data_type: TYPE_FP32 dims: [ {labels} ] label_filename: "labels.txt"
}}
output {{ name: "decision" data_type: TYPE_UINT8 dims: [ -1 ] }}
instance_group {{ count: {instances} kind: KIND_CPU }}
parameters {{ key: "backend" value {{ string_value: {backend} }} }}
parameters {{ key: "speech_gate" value {{ string_value: "{speech_gate}" }} }}
"""


def export_triton(
    bundle: str | os.PathLike[str] | None,
    repository: str | os.PathLike[str],
    *,
    name: str = DEFAULT_NAME,
    instances: int = 1,
    backend: str = DEFAULT_BACKEND,
    speech_gate: bool = True,
) -> Path:
    """Write a bundle into a model repository; a model of that name is replaced in one step.

    The server's Python needs edge-ser: the model imports it.

    Args:
        bundle: a bundle's folder; None takes the one that ships with the package.
        repository: folder of models, made if it is not there.
        name: of the model.
        instances: processes that decide at the same time.
        backend: what runs the graphs there.
        speech_gate: whether sound in which nobody speaks counts as absent.

    Returns:
        The model's folder.

    Raises:
        BundleError: if the bundle is not what its manifest says.
        ConfigError: if the name or the number is none, or the repository cannot be written.
    """
    if not _NAME.fullmatch(name):
        raise ConfigError(f"{name!r} is no name of a model: letters, digits, _ . - only")
    if isinstance(instances, bool) or not isinstance(instances, int) or instances < 1:
        raise ConfigError(f"instances must be a whole number from 1 on, not {instances!r}")
    source = load_bundle(bundle)
    inputs = "".join(
        f'input {{ name: "{tensor}" data_type: {kind} dims: [ {dims} ] optional: true }}\n'
        for tensor, (kind, dims) in _INPUTS.items()
    )
    configuration = _CONFIGURATION.format(
        name=json.dumps(name),
        inputs=inputs,
        labels=len(source.manifest.labels),
        instances=instances,
        backend=json.dumps(backend),
        speech_gate=str(speech_gate).lower(),
    )
    target = Path(repository) / name
    model = Path(__file__).with_name("model.py")
    with replaced_folder(target) as fresh:
        write_atomically(fresh / "config.pbtxt", configuration.encode())
        write_atomically(fresh / "labels.txt", "\n".join(source.manifest.labels).encode())
        write_atomically(fresh / "1" / "model.py", model.read_bytes(), parents=True)
        for path in sorted(source.folder.rglob("*")):
            if path.is_file():
                copy = fresh / "1" / "bundle" / path.relative_to(source.folder)
                write_atomically(copy, path.read_bytes(), parents=True)
    return target
