"""Write a bundle that differs from another in the precision of its graphs."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from edge_ser.bundles.loading import Bundle, load_bundle
from edge_ser.bundles.schema import MANIFEST_NAME, BundleManifest, FileEntry, GraphName, Precision
from edge_ser.errors import BundleError, ConfigError
from edge_ser.export.bundles.card import GRAPHS_HEAD, graphs_section

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
    path = bundle.path(entry)
    try:
        report = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
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
    if not output.exists():
        return
    if not output.is_dir() or (any(output.iterdir()) and not (output / MANIFEST_NAME).is_file()):
        raise ConfigError(
            f"{output} is there and is no bundle: it is not replaced; name another folder"
        )


def write_derived(
    source: Bundle,
    output: Path,
    graphs: Mapping[GraphName, NewGraph],
    report: Mapping[str, Any],
    *,
    version: str | None = None,
) -> Bundle:
    """Write a bundle with these graphs and everything else of the source, whole or not at all.

    A bundle that is already there is replaced once the new one is complete and verified.

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
    output = output.absolute()
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=output.parent, prefix=".bundle-") as folder:
            fresh = Path(folder) / "new"
            _fill(source, fresh, graphs, report, version or source.manifest.version)
            load_bundle(fresh)
            if output.exists():
                output.rename(Path(folder) / "old")
            fresh.rename(output)
    except OSError as error:
        raise ConfigError(f"{output} cannot be written: {error.strerror}") from error
    return load_bundle(output)


def _fill(
    source: Bundle,
    folder: Path,
    graphs: Mapping[GraphName, NewGraph],
    report: Mapping[str, Any],
    version: str,
) -> None:
    manifest = source.manifest
    changed = {manifest.graphs[name].file for name in graphs}
    for entry in manifest.files():
        if entry.file not in changed and entry.file != REPORT_NAME:
            target = folder / entry.file
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source.path(entry), target)
    entries = dict(manifest.graphs)
    for name, graph in graphs.items():
        target = folder / entries[name].file
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(graph.content)
        entries[name] = entries[name].model_copy(
            update={
                "sha256": hashlib.sha256(graph.content).hexdigest(),
                "precision": graph.precision,
            }
        )
    text = json.dumps(report, indent=1, sort_keys=True).encode()
    (folder / REPORT_NAME).write_bytes(text)
    documents = dict(manifest.documents)
    documents[REPORT_DOCUMENT] = FileEntry(
        file=REPORT_NAME, sha256=hashlib.sha256(text).hexdigest()
    )
    new = manifest.model_copy(
        update={"version": version, "graphs": entries, "documents": documents}
    )
    checked = BundleManifest.model_validate(new.model_dump(mode="json"))
    card = documents.get("card")
    if card is not None and (folder / card.file).is_file():
        entry = _refreshed_card(folder, card.file, checked)
        checked = checked.model_copy(update={"documents": {**documents, "card": entry}})
    (folder / MANIFEST_NAME).write_text(checked.model_dump_json(indent=1), "utf-8")


def _refreshed_card(folder: Path, file: str, manifest: BundleManifest) -> FileEntry:
    """Write the card anew with the version, arithmetic and sizes that the bundle has now."""
    path = folder / file
    lines = path.read_text("utf-8").split("\n")
    if lines[0].startswith("# "):
        lines[0] = f"# {manifest.name} {manifest.version}"
    heads = [i for i, line in enumerate(lines) if line.startswith("## ")]
    start = next((i for i in heads if lines[i] == GRAPHS_HEAD), None)
    if start is not None:
        end = next((i for i in heads if i > start), len(lines))
        sizes = {e.file: (folder / e.file).stat().st_size for e in manifest.files()}
        # The card counts itself out, as where it was first written.
        del sizes[file]
        lines[start:end] = [*graphs_section(manifest, sizes), ""]
        path.write_text("\n".join(lines), "utf-8")
    return FileEntry(file=file, sha256=hashlib.sha256(path.read_bytes()).hexdigest())
