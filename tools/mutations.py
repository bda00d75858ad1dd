"""Mutations of bytes and of JSON: what attackers, bad disks and wrong programs make of files."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Sequence
from typing import Any, Final

_NUMBERS: Final = (0, 1, -1, 7, 127, 128, 255, 256, 32767, 65535, 2**31 - 1, 2**31, 2**32 - 1)
_VALUES: Final[tuple[Any, ...]] = (
    None, True, False, 0, -1, 1, 2**31, 2**63, 10**400, 0.5, 1e-320, 1e300, -1e300,
    float("nan"), float("inf"), -float("inf"), "", " ", "a", "\x1b[2J", "\ud800", "é" * 300, "-1",
    "1e999", "NaN", "../../etc/passwd", "$\\frac$", "[/red]", "<b>", [], {}, [[]], [None],
    {"": None}, [0, 1, "a"], [0] * 50,
)  # fmt: skip
_TOKENS: Final = (b"\0", b"\xff\xff", b"-->", b"NaN", b"1e999", b"9" * 400, b"[" * 99)
_LONGEST: Final = 1 << 16


def mutated(draw: random.Random, seeds: Sequence[bytes]) -> bytes:
    """One of the seeds with one to a few changes, at most 64 KiB longer than it was."""
    data = draw.choice(seeds)
    if data[:1] in (b"{", b"[") and draw.random() < 0.6:
        try:
            return _mutated_json(draw, data)
        except (ValueError, RecursionError):
            pass
    out = bytearray(data)
    for _ in range(draw.choice((1, 1, 1, 2, 3, 6))):
        _change(draw, out, seeds)
    return bytes(out[: len(data) + _LONGEST])


def _change(draw: random.Random, out: bytearray, seeds: Sequence[bytes]) -> None:
    at = draw.randrange(len(out) + 1)
    length = min(len(out) - at, draw.choice((1, 1, 2, 4, 4, 8, 64)))
    kind = draw.randrange(8)
    if kind == 0 and length:
        out[at] ^= 1 << draw.randrange(8)
    elif kind == 1 and length:
        out[at : at + length] = draw.randbytes(length)
    elif kind == 2 and len(out) - at >= 4:
        number = draw.choice(_NUMBERS) & 0xFFFFFFFF
        out[at : at + 4] = number.to_bytes(4, draw.choice(("little", "big")))
    elif kind == 3:
        del out[at : at + length]
    elif kind == 4:
        out[at:at] = out[at : at + length] * draw.choice((1, 2, 30))
    elif kind == 5:
        other = draw.choice(seeds)
        start = draw.randrange(len(other) + 1)
        out[at:at] = other[start : start + draw.choice((4, 40, 400))]
    elif kind == 6 and draw.random() < 0.3:
        del out[at:]
    else:
        out[at:at] = draw.choice(
            (b"\0", b"\xff\xff", b"-->", b"NaN", b"1e999", b"9" * 400, b"[" * 99)
        )


def _mutated_json(draw: random.Random, data: bytes) -> bytes:
    document = json.loads(data)
    for _ in range(draw.choice((1, 1, 2))):
        nodes = list(_inner(document))
        if not nodes:
            break
        holder, key = draw.choice(nodes)
        kind = draw.randrange(6)
        if kind == 0:
            del holder[key]
        elif kind == 1 and isinstance(holder, dict):
            holder[str(draw.choice(_VALUES))] = holder.pop(key)
        elif kind == 2:
            other, name = draw.choice(nodes)
            if (other, name) != (holder, key):
                holder[key] = json.loads(json.dumps(other[name]))
        else:
            holder[key] = copy.deepcopy(draw.choice(_VALUES))
    return json.dumps(document).encode("utf-8", "surrogatepass")


def _inner(node: Any) -> Any:
    """Every place inside a document, as what holds it and its key."""
    keys = (
        node.keys()
        if isinstance(node, dict)
        else range(len(node))
        if isinstance(node, list)
        else ()
    )
    for key in keys:
        yield node, key
        yield from _inner(node[key])
