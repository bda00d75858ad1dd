"""Print a CycloneDX bill of materials: the package, what it needs, and the weights it runs.

    python -m tools.bill_of_materials > edge-ser.cdx.json            # with the bundle that ships
    python -m tools.bill_of_materials BUNDLE > bundle.cdx.json       # with another

It describes what is installed: make it in the environment, or the image, that goes to the device.
Needs cyclonedx-python-lib (extra ``dev``).
"""

from __future__ import annotations

import re
import sys
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from typing import Final

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import HashAlgorithm, HashType
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL
from packaging.requirements import Requirement

import edge_ser
from edge_ser.bundles.loading import Bundle, load_bundle
from edge_ser.errors import EdgeSerError
from edge_ser.files import file_sha256

_PACKAGE: Final = "edge-ser"
# Weights of the package itself: file, what it is, licence.
_OWN_WEIGHTS: Final = (
    ("speech/weights/silero_vad.onnx", "Silero VAD 6.2.3, 16 kHz", "MIT"),
    ("demo_clip/astronaut.mp4", "demo clip: NASA portrait, synthetic speech", "public domain"),
)


def bill(bundle: Bundle) -> Bom:
    """The bill of the installed package with a bundle."""
    made = Bom()
    own = distribution(_PACKAGE)
    root = _package(own, ComponentType.APPLICATION)
    needed = [_package(found, ComponentType.LIBRARY) for found in _needed(own)]
    package = Path(edge_ser.__file__).parent
    weights = [
        _file(package / name, name, what, licence, ComponentType.DATA)
        for name, what, licence in _OWN_WEIGHTS
    ]
    manifest = bundle.manifest
    model = Component(
        name=manifest.name,
        version=manifest.version,
        type=ComponentType.MACHINE_LEARNING_MODEL,
        bom_ref=f"bundle:{manifest.name}@{manifest.version}",
        description=manifest.intended_use,
        licenses=[_licence(manifest.licence)],
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=bundle.digest)],
    )
    parts = []
    for name, graph in manifest.graphs.items():
        licence = graph.licence or manifest.licence
        kind = ComponentType.MACHINE_LEARNING_MODEL
        parts.append(_file(bundle.path(graph), graph.file, graph.source or name, licence, kind))
    for entry in (manifest.tokenizer, *manifest.documents.values()):
        parts.append(_file(bundle.path(entry), entry.file, "", "", ComponentType.DATA))
    made.metadata.component = root
    for component in (*needed, *weights, model, *parts):
        made.components.add(component)
    made.register_dependency(root, [*needed, *weights, model])
    made.register_dependency(model, parts)
    return made


def _needed(own: Distribution) -> list[Distribution]:
    """What the package needs without any extra, and what that needs, as far as installed."""
    found: dict[str, Distribution] = {}
    waiting = [own]
    while waiting:
        for line in waiting.pop().requires or ():
            requirement = Requirement(line)
            name = re.sub(r"[-_.]+", "-", requirement.name).lower()
            if name in found or (
                requirement.marker and not requirement.marker.evaluate({"extra": ""})
            ):
                continue
            try:
                found[name] = distribution(requirement.name)
            except PackageNotFoundError:
                continue
            waiting.append(found[name])
    return [found[name] for name in sorted(found)]


def _package(found: Distribution, kind: ComponentType) -> Component:
    name = re.sub(r"[-_.]+", "-", found.metadata["Name"]).lower()
    licence = found.metadata.get("License-Expression") or found.metadata.get("License") or ""
    address = PackageURL("pypi", None, name, found.version)
    return Component(
        name=name,
        version=found.version,
        type=kind,
        purl=address,
        bom_ref=address.to_string(),
        licenses=[_licence(licence)] if licence else [],
    )


def _file(path: Path, name: str, what: str, licence: str, kind: ComponentType) -> Component:
    return Component(
        name=name,
        type=kind,
        bom_ref=f"file:{name}",
        description=what or None,
        licenses=[_licence(licence)] if licence else [],
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=file_sha256(path))],
    )


def _licence(text: str):  # noqa: ANN202 - a private union of the library
    """An SPDX identifier where it is one, else the first line of the text as a name."""
    return LicenseFactory().make_from_string(text.strip().splitlines()[0][:300])


def main(arguments: list[str]) -> int:
    """Print the bill; exit code 2 where the bundle cannot be read."""
    try:
        bundle = load_bundle(Path(arguments[0]) if arguments else None)
        print(JsonV1Dot6(bill(bundle)).output_as_string(indent=2))
    except EdgeSerError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
