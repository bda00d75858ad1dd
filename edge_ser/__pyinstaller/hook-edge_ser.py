# ruff: noqa: N999 - the name that PyInstaller looks for
"""PyInstaller reads imports alone: the files beside the code, and what is imported by name."""

from pathlib import Path

import edge_ser

_FOLDER = Path(edge_ser.__file__).parent

datas = [
    (str(_FOLDER / folder), f"edge_ser/{folder}")
    for folder in ("bundles/default", "demo_clip", "serve/page", "speech/weights")
]
hiddenimports = [
    "onnxruntime",
    "edge_ser._kernels",
    *sorted({f"edge_ser.{home}" for home in edge_ser._HOMES.values()}),
]
