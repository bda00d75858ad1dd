"""Checks of the tensors that enter a graph, and of a graph against its manifest.

Every backend checks with these before it runs anything: a wrong tensor is named in the words of
the caller, not in those of the backend.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from edge_ser.bundles.schema import TensorSpec
from edge_ser.errors import EngineError
from edge_ser.runtime.session import Tensor


def describe(spec: TensorSpec) -> str:
    """``float32 [1, 80, T]``."""
    return f"{spec.dtype} [{', '.join(str(d) for d in spec.shape)}]"


def check_inputs(
    specs: Mapping[str, TensorSpec], inputs: Mapping[str, Tensor], graph: str
) -> dict[str, Tensor]:
    """The inputs in the graph's order, C-contiguous, after every one was checked.

    A named dimension has one size in all tensors that name it, and no dimension is empty. Values
    are not looked at (that would cost a pass over the memory): a NaN that goes in comes out, and
    it is the front-ends that refuse sound and pictures which are not finite.

    Args:
        specs: what the graph takes.
        inputs: what the caller gives.
        graph: how a message names the graph.

    Raises:
        EngineError: a tensor is missing or unknown, is no numpy array, or has a wrong dtype,
            rank or size.
    """
    missing = [name for name in specs if name not in inputs]
    if missing:
        raise EngineError(
            f"{graph}: the input {_quoted(missing)} is missing; the graph takes "
            + ", ".join(f"{n!r}: {describe(s)}" for n, s in specs.items())
        )
    unknown = [name for name in inputs if name not in specs]
    if unknown:
        raise EngineError(
            f"{graph}: there is no input {_quoted(unknown)}; the graph takes {_quoted(list(specs))}"
        )
    sizes: dict[str, tuple[int, str]] = {}
    checked: dict[str, Tensor] = {}
    for name, spec in specs.items():
        value = inputs[name]
        _check_tensor(name, spec, value, sizes, graph)
        checked[name] = np.ascontiguousarray(value)
    return checked


def _check_tensor(
    name: str, spec: TensorSpec, value: object, sizes: dict[str, tuple[int, str]], graph: str
) -> None:
    if not isinstance(value, np.ndarray):
        raise EngineError(
            f"{graph}: input {name!r} is a {type(value).__name__}; "
            f"give a numpy array, {describe(spec)}"
        )
    if value.dtype != np.dtype(spec.dtype):
        raise EngineError(
            f"{graph}: input {name!r} is {value.dtype}, the graph takes {describe(spec)}; "
            f"convert it with .astype({spec.dtype!r})"
        )
    if value.ndim != len(spec.shape):
        raise EngineError(
            f"{graph}: input {name!r} has the shape {list(value.shape)} of rank {value.ndim}, "
            f"the graph takes rank {len(spec.shape)}: {describe(spec)}"
        )
    for axis, (size, wanted) in enumerate(zip(value.shape, spec.shape, strict=True)):
        if size == 0:
            raise EngineError(
                f"{graph}: input {name!r} is empty along axis {axis} (shape {list(value.shape)}); "
                "a modality that is absent is one all-zero row with mask 0"
            )
        if isinstance(wanted, int):
            if size != wanted:
                raise EngineError(
                    f"{graph}: input {name!r} has the shape {list(value.shape)}, "
                    f"axis {axis} must be {wanted}: {describe(spec)}"
                )
        elif wanted.isidentifier():
            known, owner = sizes.setdefault(wanted, (size, name))
            if known != size:
                raise EngineError(
                    f"{graph}: inputs {owner!r} and {name!r} share the dimension {wanted!r} "
                    f"but have {known} and {size} of it"
                )


def check_declared(
    declared: Mapping[str, TensorSpec],
    found: Mapping[str, TensorSpec],
    what: str,
    graph: str,
) -> None:
    """Hold the tensors that a manifest declares against those of the loaded graph.

    Two named dimensions agree whatever their names; a number agrees with itself and with a name.

    Args:
        declared: the manifest's tensors, in any order.
        found: the graph's tensors.
        what: ``input`` or ``output``, for the message.
        graph: how a message names the graph.

    Raises:
        EngineError: names, dtypes, ranks or fixed sizes differ.
    """
    if set(declared) != set(found):
        raise EngineError(
            f"{graph}: the manifest declares the {what}s {_quoted(list(declared))} "
            f"but the graph has {_quoted(list(found))}; the bundle was put together wrongly"
        )
    for name, spec in declared.items():
        actual = found[name]
        same = (
            spec.dtype == actual.dtype
            and len(spec.shape) == len(actual.shape)
            and all(
                a == b or isinstance(a, str) or isinstance(b, str)
                for a, b in zip(spec.shape, actual.shape, strict=True)
            )
        )
        if not same:
            raise EngineError(
                f"{graph}: the manifest declares the {what} {name!r} as {describe(spec)} "
                f"but the graph has {describe(actual)}; the bundle was put together wrongly"
            )


def _quoted(names: list[str]) -> str:
    return ", ".join(repr(n) for n in names)
