"""The preview window of `edge-ser live`: the newest picture, the face that counts, the label."""

from __future__ import annotations

import importlib.util
import os
import re
import sys
from collections.abc import Sequence

from edge_ser.frontends.faces import Face
from edge_ser.media.clip import Picture

_TITLE = "edge-ser live"
_LONGEST_SIDE = 640


def why_no_window() -> str | None:
    """Why no window can be shown; None if one can."""
    if sys.platform == "linux" and not (
        os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    ):
        return "there is no display"
    if importlib.util.find_spec("cv2") is None:
        return "OpenCV is not installed; run: pip install opencv-python"
    import cv2

    found = re.search(r"GUI:\s+(\S+)", cv2.getBuildInformation())
    if found is None or found.group(1) == "NONE":
        return (
            "the installed OpenCV has no windows; run: "
            "pip uninstall opencv-python-headless && pip install opencv-python"
        )
    return None


def annotated(image: Picture, faces: Sequence[Face], label: str | None) -> Picture:
    """A small copy of the picture, with a box around the largest face and the label above it."""
    import cv2
    import numpy as np

    height, width = image.shape[:2]
    scale = min(_LONGEST_SIDE / max(height, width), 1.0)
    size = (max(round(width * scale), 1), max(round(height * scale), 1))
    shrunk = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    small: Picture = np.ascontiguousarray(shrunk, dtype=np.uint8)
    for index, face in enumerate(faces):
        left, top, wide, high = (round(v * scale) for v in face.box)
        colour = (80, 220, 80) if index == 0 else (160, 160, 160)
        cv2.rectangle(small, (left, top), (left + wide, top + high), colour, 2)
        if index == 0 and label is not None:
            place = (max(left, 2), max(top - 8, 18))
            cv2.putText(small, label, place, cv2.FONT_HERSHEY_SIMPLEX, 0.6, colour, 2)
    return small


def show(image: Picture) -> bool:
    """Show a picture in the window, made at the first call; False once the user closed it."""
    import cv2

    cv2.imshow(_TITLE, image[:, :, ::-1])
    pressed = cv2.waitKey(1) & 0xFF
    visible: float = cv2.getWindowProperty(_TITLE, cv2.WND_PROP_VISIBLE)
    return pressed not in (27, ord("q")) and visible >= 1
