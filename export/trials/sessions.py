"""A bundle in one precision on one backend, opened only if something is really left to compute."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from contextlib import ExitStack
from functools import cached_property
from pathlib import Path
from typing import Any

import edge_ser._kernels as kernels
from edge_ser import __version__
from edge_ser.bundles.loading import Bundle
from edge_ser.bundles.schema import GraphName
from edge_ser.export.variants.variant import Variant, bundle_of, check_precision
from edge_ser.files import temporary_folder
from edge_ser.frontends.video import FaceFrontend
from edge_ser.runtime.backend import check_backend
from edge_ser.runtime.bundle_sessions import open_graphs
from edge_ser.runtime.closing import ClosedOnExit
from edge_ser.runtime.onnxruntime_sessions import onnxruntime
from edge_ser.runtime.session import Session


class VariantSessions(ClosedOnExit):
    """The sessions of a variant. A context manager; belongs to one thread."""

    def __init__(
        self,
        bundle: Bundle,
        variant: Variant,
        int8_clips: Path | None = None,
        ready: Bundle | None = None,
    ) -> None:
        """Check names; nothing is opened yet.

        Args:
            bundle: a verified bundle.
            variant: which precision on which backend.
            int8_clips: clips to calibrate int8 on, where the bundle carries no ranges.
            ready: the bundle in that precision, if it was written already: int8 is chosen by what
                is faster, so writing it again may give other graphs.

        Raises:
            ConfigError: the precision or the backend is unknown.
        """
        check_precision(variant.precision)
        check_backend(variant.backend)
        self.bundle = bundle
        self.variant = variant
        self._int8_clips = int8_clips
        self._ready = ready
        self._stack = ExitStack()

    def close(self) -> None:
        """Free the graphs that were opened."""
        self._stack.close()

    @cached_property
    def key(self) -> dict[str, Any]:
        """Everything about the variant that decides what its graphs answer here."""
        return {
            "bundle": self.bundle.digest,
            "precision": self.variant.precision,
            "written": None if self._ready is None else self._ready.digest,
            "backend": self.variant.backend,
            "int8_clips": None if self._int8_clips is None else _digest_of_set(self._int8_clips),
            "edge_ser": __version__,
            "kernels": _digest(Path(kernels.__file__)),
            "onnxruntime": onnxruntime().__version__,
        }

    @cached_property
    def sessions(self) -> Mapping[GraphName, Session]:
        """Every graph, opened with one thread.

        Raises:
            ConfigError: int8 has nothing to calibrate with.
            EngineError: a graph cannot be made or run here.
            MissingExtraError: what makes the precision or runs the backend is not installed.
        """
        derived = self._ready if self._ready is not None else self._written()
        return open_graphs(derived, self.variant.backend, self._stack, passing=True)

    def _written(self) -> Bundle:
        folder = self._stack.enter_context(temporary_folder())
        derived, _ = bundle_of(self.bundle, self.variant, folder / "bundle", self._int8_clips)
        return derived

    @cached_property
    def faces(self) -> FaceFrontend:
        """What finds faces, with this variant's detector."""
        return FaceFrontend(self.bundle.manifest.frontend.video, self.sessions["detector"])


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _digest_of_set(folder: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(folder.glob("*.npz")):
        digest.update(path.name.encode())
        digest.update(_digest(path).encode())
    return digest.hexdigest()
