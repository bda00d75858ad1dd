"""Reader of CTranslate2 model files, without CTranslate2.

Layout of binary version 6, all little-endian (OpenNMT/CTranslate2, ``python/ctranslate2/specs/
model_spec.py``): uint32 version, string specification, uint32 revision, uint32 count of variables;
then per variable a string name, uint8 rank, uint32 per dimension, uint8 element type, uint32 bytes
and the elements; at the end uint32 count of aliases and two strings (alias, variable) for each. A
string is a uint16 length that counts a closing zero byte, then the bytes.
"""

from __future__ import annotations

import struct
import zipfile
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from edge_ser.errors import ConfigError

_VERSION: Final = 6
_ELEMENTS: Final = {0: "<f4", 1: "i1", 2: "<i2", 3: "<i4", 4: "<f2"}


def read_ctranslate2(data: bytes, *, specification: str) -> dict[str, npt.NDArray[Any]]:
    """Variables of a CTranslate2 ``model.bin`` by name, in their stored element type.

    Args:
        data: the whole file.
        specification: what the file must say it is, for instance ``WhisperSpec``.

    Returns:
        Arrays that own their memory; an alias has the same array as its variable.

    Raises:
        ConfigError: if the data is no such file, is cut short, or holds bytes too many.
    """
    cursor = _Cursor(data)
    version = cursor.number("I")
    if version != _VERSION:
        raise ConfigError(
            f"this is no CTranslate2 model of binary version {_VERSION} (it starts with {version})"
        )
    name = cursor.string()
    if name != specification:
        raise ConfigError(f"the CTranslate2 model is a {name}, not a {specification}")
    cursor.number("I")  # revision of the specification: only the names matter here
    variables: dict[str, npt.NDArray[Any]] = {}
    for _ in range(cursor.number("I")):
        key = cursor.string()
        shape = tuple(cursor.number("I") for _ in range(cursor.number("B")))
        element = cursor.number("B")
        size = cursor.number("I")
        if element not in _ELEMENTS:
            raise ConfigError(f"{key} of the CTranslate2 model has unknown element type {element}")
        dtype = np.dtype(_ELEMENTS[element])
        if size != int(np.prod(shape, dtype=np.int64)) * dtype.itemsize:
            raise ConfigError(f"{key} of the CTranslate2 model has {size} bytes for {shape}")
        variables[key] = np.frombuffer(cursor.take(size), dtype).reshape(shape).copy()
    for _ in range(cursor.number("I")):
        alias, key = cursor.string(), cursor.string()
        if key not in variables:
            raise ConfigError(f"the CTranslate2 model's alias {alias} names no variable: {key}")
        variables[alias] = variables[key]
    if cursor.left:
        raise ConfigError(f"the CTranslate2 model has {cursor.left} bytes too many: it is damaged")
    return variables


def read_model_file(path: Path) -> bytes:
    """The bytes of ``model.bin``: the file itself, one in a folder, or one in a wheel.

    Raises:
        ConfigError: if there is no such file.
    """
    try:
        if path.is_dir():
            return (path / "model.bin").read_bytes()
        if path.suffix in (".whl", ".zip"):
            with zipfile.ZipFile(path) as archive:
                names = [n for n in archive.namelist() if n.rsplit("/", 1)[-1] == "model.bin"]
                if len(names) != 1:
                    raise ConfigError(f"{path} holds {len(names)} files model.bin, not one")
                return archive.read(names[0])
        return path.read_bytes()
    except (OSError, zipfile.BadZipFile) as error:
        raise ConfigError(
            f"{path} cannot be read: {error}; give a CTranslate2 model.bin, its folder, or a wheel "
            "that holds one"
        ) from error


class _Cursor:
    """Reads forward and refuses to read past the end."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    @property
    def left(self) -> int:
        return len(self._data) - self._at

    def take(self, count: int) -> bytes:
        if count > self.left:
            raise ConfigError(
                f"the CTranslate2 model is cut short: {count} bytes wanted, {self.left} left"
            )
        piece = self._data[self._at : self._at + count]
        self._at += count
        return piece

    def number(self, code: str) -> int:
        return int(struct.unpack("<" + code, self.take(struct.calcsize("<" + code)))[0])

    def string(self) -> str:
        raw = self.take(self.number("H"))
        try:
            return raw.rstrip(b"\0").decode("utf-8")
        except UnicodeDecodeError as error:
            raise ConfigError("a name in the CTranslate2 model is no UTF-8") from error
