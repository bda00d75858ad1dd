"""Write a bundle that differs from another in the precision of its graphs."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from edge_ser.bundles.loading import Bundle, load_bundle
from edge_ser.bundles.replacing import replaced_folder
from edge_ser.bundles.schema import BundleManifest, FileEntry, GraphName, Precision
from edge_ser.errors import BundleError, ConfigError
from edge_ser.export.bundles.card import renewed_card
from edge_ser.export.bundles.writer import require_replaceable, write_manifest

REPORT_DOCUMENT: Final = "precision"
REPORT_NAME: Final = "precision.json"
"""Document of a derived bundle: what was done to its graphs, and what it costs."""


@dataclass(frozen=True)
class NewGraph:
    """A graph of the derived bundle."""

    content: bytes
    precision: Precision


def read_report(bundle: Bundle) -> dict[str, Any]:
    """What was done to the graphs of a derived bundle; empty where nothing is noted.

    Raises:
        BundleError: the report cannot be read.
    """
    entry = bundle.manifest.documents.get(REPORT_DOCUMENT)
    if entry is None:
        return {}
    path = bundle.folder / entry.file
    try:
        report = json.loads(bundle.read(entry))
    except ValueError as error:
        raise BundleError(f"{path}: this report cannot be read ({error})") from error
    if not isinstance(report, dict):
        raise BundleError(f"{path}: this report cannot be read (it is no object)")
    return report


def check_output(output: Path, source: Bundle) -> None:
    """Refuse an output folder that must not be replaced.

    Raises:
        ConfigError: it is the source, or is there and holds something other than a bundle.
    """
    if output.resolve() == source.folder.resolve():
        raise ConfigError(f"{output} is the bundle itself; name another folder with --output")
    require_replaceable(output)


def write_changed(source: Bundle, output: Path, change: Callable[[Path], BundleManifest]) -> Bundle:
    """Write a bundle that has the files of another, with changes, whole or not at all.

    A bundle that is already there, be it the source itself, is replaced once the new one is
    complete and verified.

    Args:
        source: a verified bundle.
        output: the new folder; see `check_output`.
        change: gets the new folder, with every file of the source but the manifest in it; changes
            what it likes, and gives the manifest of the result.

    Returns:
        the bundle as `load_bundle` found it.

    Raises:
        ConfigError: the output cannot be written.
        BundleError: a file is not as the manifest says, or a figure is not a number.
    """
    with replaced_folder(output) as fresh:
        for entry in source.manifest.files():
            target = fresh / entry.file
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(source.read(entry))
        manifest = BundleManifest.model_validate(change(fresh).model_dump(mode="json"))
        for name in {e.file for e in source.manifest.files()} - {e.file for e in manifest.files()}:
            (fresh / name).unlink()
        card = manifest.documents.get("card")
        if card is not None:
            sizes = {e.file: (fresh / e.file).stat().st_size for e in manifest.files()}
            text = renewed_card((fresh / card.file).read_text("utf-8"), manifest, sizes)
            entry = written(fresh, card.file, text.encode())
            documents = {**manifest.documents, "card": entry}
            manifest = manifest.model_copy(update={"documents": documents})
        write_manifest(fresh, manifest.model_dump(mode="json"))
        bundle = load_bundle(fresh)
    return replace(bundle, folder=output)


def written(folder: Path, name: str, content: bytes) -> FileEntry:
    """Write a file of a bundle and give its entry in the manifest."""
    target = folder / name
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(content)
    return FileEntry(file=name, sha256=hashlib.sha256(content).hexdigest())


def write_derived(
    source: Bundle,
    output: Path,
    graphs: Mapping[GraphName, NewGraph],
    report: Mapping[str, Any],
    *,
    version: str | None = None,
) -> Bundle:
    """Write a bundle with these graphs and everything else of the source, whole or not at all.

    Args:
        source: a verified bundle.
        output: the new folder.
        graphs: content of every graph that changes.
        report: written beside the graphs as `REPORT_NAME`.
        version: of the new bundle; None keeps the source's.

    Raises:
        ConfigError: the output cannot be written, or must not be replaced.
    """
    check_output(output, source)

    def change(folder: Path) -> BundleManifest:
        manifest = source.manifest
        entries = dict(manifest.graphs)
        for name, graph in graphs.items():
            file = written(folder, entries[name].file, graph.content)
            update = {"sha256": file.sha256, "precision": graph.precision}
            entries[name] = entries[name].model_copy(update=update)
        text = json.dumps(report, indent=1, sort_keys=True).encode()
        documents = {**manifest.documents, REPORT_DOCUMENT: written(folder, REPORT_NAME, text)}
        return manifest.model_copy(
            update={
                "version": version or manifest.version,
                "graphs": entries,
                "documents": documents,
            }
        )

    return write_changed(source, output, change)
