"""Every number of a manifest or a profile has two ends, and every text of it can be shown."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from edge_ser.bundles.loading import default_bundle_path
from edge_ser.bundles.schema import BundleManifest
from edge_ser.speaker.profile import Document

SHIPPED: dict[str, Any] = json.loads((default_bundle_path() / "bundle.json").read_text())
# Options of the kernels: the kernels check them.
FREE = {"log_mel", "mfcc", "pitch"}
LOWER = {"minimum", "exclusiveMinimum", "const", "enum"}
UPPER = {"maximum", "exclusiveMaximum", "const", "enum"}


def _numbers(node: Any, at: str) -> Iterator[tuple[str, dict[str, Any]]]:
    if isinstance(node, dict):
        if node.get("type") in ("number", "integer"):
            yield at, node
        for key, value in node.items():
            yield from _numbers(value, f"{at}.{key}")
    elif isinstance(node, list):
        for item in node:
            yield from _numbers(item, at)


@pytest.mark.parametrize("model", [BundleManifest, Document])
def test_every_number_has_two_ends(model: Any) -> None:
    numbers = dict(_numbers(model.model_json_schema(), ""))
    assert len(numbers) >= 5
    open_ended = [at for at, n in numbers.items() if not (LOWER & set(n) and UPPER & set(n))]
    assert open_ended == []


def _places(node: Any, *at: str | int) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    """Every value and, as a place that ends in its name, every key; of lists the first entry."""
    if isinstance(node, dict):
        for key, value in node.items():
            if key not in FREE:
                yield from _places(value, *at, key)
    elif isinstance(node, list):
        for index, value in enumerate(node[:1]):
            yield from _places(value, *at, index)
    else:
        yield at, node


def _with(at: tuple[str | int, ...], value: Any) -> str:
    changed = copy.deepcopy(SHIPPED)
    node: Any = changed
    for step in at[:-1]:
        node = node[step]
    node[at[-1]] = value
    return json.dumps(changed)


PLACES = dict(_places(SHIPPED))
NUMBERS = [p for p, v in PLACES.items() if isinstance(v, (int, float)) and not isinstance(v, bool)]
TEXTS = [p for p, v in PLACES.items() if isinstance(v, str)]


@pytest.mark.parametrize("value", [float("inf"), -float("inf"), float("nan"), 1e300, -1e300])
def test_no_number_may_be_beyond_all_sense(value: float) -> None:
    assert len(NUMBERS) > 30
    for place in NUMBERS:
        with pytest.raises(ValidationError):
            BundleManifest.model_validate_json(_with(place, value))


@pytest.mark.parametrize(
    "text", ["\x1b[2J", "a\x07", "a\r", "\u202egpj.exe", "a\x9b31m", "a\u2028b", "x" * 50_000]
)
def test_no_text_may_do_more_than_be_seen(text: str) -> None:
    assert len(TEXTS) > 40
    for place in TEXTS:
        with pytest.raises(ValidationError):
            BundleManifest.model_validate_json(_with(place, text))


@pytest.mark.parametrize("place", [("graphs", "face", "inputs"), ("documents",), ("splits",)])
def test_nor_may_a_name(place: tuple[str, ...]) -> None:
    inside: Any = SHIPPED
    for step in place:
        inside = inside[step]
    renamed = {f"\x1b[2J{key}": value for key, value in inside.items()}
    assert renamed
    with pytest.raises(ValidationError, match="control characters"):
        BundleManifest.model_validate_json(_with(place, renamed))


@pytest.mark.parametrize("label", ["", " ", " happy", "happy\n", "y" * 41])
def test_a_label_is_a_short_word(label: str) -> None:
    with pytest.raises(ValidationError, match="labels"):
        BundleManifest.model_validate_json(_with(("labels", 0), label))


@pytest.mark.parametrize("label", ["froh", "радость", "喜び", "शांत", "آرام‌تر", "not happy", "a/b"])
def test_a_label_may_be_of_any_language(label: str) -> None:
    assert BundleManifest.model_validate_json(_with(("labels", 0), label)).labels[0] == label


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("calibration", "audio", "temperature"), 1e-320),
        (("calibration", "audio", "temperature"), 1e6),
        (("calibration", "text", "bias", 0), 400.0),
        (("frontend", "audio", "silence_dbfs"), -400.0),
        (("frontend", "audio", "minimum_seconds"), 20.0),
        (("frontend", "video", "frames_per_second"), 1e-9),
        (("frontend", "video", "minimum_face_pixels"), 20_000),
        (("version",), "1.2.٣"),
        (("version",), "1.2." + "9" * 5000),
    ],
)
def test_values_that_would_decide_nonsense(place: tuple[str | int, ...], value: Any) -> None:
    with pytest.raises(ValidationError):
        BundleManifest.model_validate_json(_with(place, value))


def test_the_manifest_that_ships_is_let_through() -> None:
    text = (Path(default_bundle_path()) / "bundle.json").read_text()
    assert len(BundleManifest.model_validate_json(text).labels) == 7
