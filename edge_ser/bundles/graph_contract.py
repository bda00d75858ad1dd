"""What the five graphs of a bundle take and give: the pipeline knows these tensors and no others.

A manifest that declares others is refused when the bundle is opened, not at the first decision.
Every backend then holds the graphs themselves against what the manifest declares.
"""

from __future__ import annotations

from typing import Final

from edge_ser.bundles.schema import BundleManifest, GraphName, TensorSpec
from edge_ser.constants import MODALITIES, Modality
from edge_ser.errors import BundleError

_Tensors = dict[str, tuple[str, tuple[int | None, ...]]]
"""Type and shape by name; None is any size."""

_TOKENS: Final[dict[Modality, tuple[GraphName, int]]] = {
    "audio": ("acoustic", 3),
    "text": ("text", 3),
    "video": ("face", 2),
}
"""Which graph gives a modality's tokens, and their rank."""


def check_graphs(manifest: BundleManifest) -> None:
    """Hold the tensors that a manifest declares against those that the pipeline uses.

    Raises:
        BundleError: if a tensor is missing, is one too many, or has another type or shape; if the
            widths of the encoders do not fit the fusion, or its answers do not fit the labels.
    """
    widths = {modality: _width(manifest, modality) for modality in MODALITIES}
    size = manifest.frontend.video.face_size
    words: _Tensors = dict.fromkeys(("input_ids", "attention_mask"), ("int64", (1, None)))
    inputs: dict[GraphName, _Tensors] = {
        "acoustic": {
            "log_mel": ("float32", (1, None, None)),
            "prosody": ("float32", (1, None, None)),
        },
        "text": words,
        "face": {"faces": ("float32", (None, 3, size, size))},
        "detector": {"image": ("float32", (1, 3, 128, 128))},
        "fusion": {},
    }
    outputs: dict[GraphName, _Tensors] = {
        "detector": {
            "boxes": ("float32", (1, 896, 16)),
            "scores": ("float32", (1, 896, 1)),
        },
        "fusion": {"logits": ("float32", (None, len(manifest.labels)))},
    }
    for modality, (graph, rank) in _TOKENS.items():
        width = widths[modality]
        outputs[graph] = {f"{modality}_tokens": ("float32", (None,) * (rank - 1) + (width,))}
        inputs["fusion"][f"{modality}_tokens"] = ("float32", (None, None, width))
        inputs["fusion"][f"{modality}_mask"] = ("float32", (None, None))
    for graph, wanted in inputs.items():
        declared = manifest.graphs[graph].inputs
        odd = sorted(set(wanted) ^ set(declared))
        if odd:
            raise BundleError(
                f"the {graph} graph takes {', '.join(map(repr, declared)) or 'nothing'}; it must "
                f"take {', '.join(map(repr, wanted))} (the difference: {', '.join(odd)})"
            )
        _check(graph, "input", wanted, declared)
    for graph, wanted in outputs.items():
        declared = manifest.graphs[graph].outputs
        missing = [name for name in wanted if name not in declared]
        if missing:
            raise BundleError(f"the {graph} graph does not give {', '.join(missing)}")
        _check(graph, "output", wanted, declared)


def _width(manifest: BundleManifest, modality: Modality) -> int:
    """Columns of a modality's tokens, which must be a number."""
    graph, _ = _TOKENS[modality]
    spec = manifest.graphs[graph].outputs.get(f"{modality}_tokens")
    width = spec.shape[-1] if spec is not None and spec.shape else None
    if not isinstance(width, int):
        raise BundleError(
            f"the {graph} graph does not state the width of its output {modality}_tokens; export "
            "the bundle again"
        )
    return width


def _check(graph: str, what: str, wanted: _Tensors, declared: dict[str, TensorSpec]) -> None:
    for name, (dtype, shape) in wanted.items():
        spec = declared[name]
        fits = (
            spec.dtype == dtype
            and len(spec.shape) == len(shape)
            # A named size may be any: only of what is learned must the number be stated.
            and all(
                size is None or own == size or (isinstance(own, str) and axis < len(shape) - 1)
                for axis, (size, own) in enumerate(zip(shape, spec.shape, strict=True))
            )
        )
        if not fits:
            listed = ", ".join("any" if size is None else str(size) for size in shape)
            own = ", ".join(map(str, spec.shape))
            raise BundleError(
                f"the {what} {name} of the {graph} graph is {spec.dtype} [{own}]; it must be "
                f"{dtype} [{listed}]" + _advice(name)
            )


def _advice(name: str) -> str:
    if name == "logits":
        return ": the bundle's labels do not fit its fusion"
    return ": the graphs of this bundle do not belong together"
