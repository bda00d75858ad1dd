"""A recognizer that knows nothing, and quickly."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from fixtures.bundle_factory import make_bundle

from edge_ser import EdgeRecognizer


@pytest.fixture(scope="session")
def tiny_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_bundle(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="session")
def recognizer(tiny_bundle: Path) -> Iterator[EdgeRecognizer]:
    with EdgeRecognizer(tiny_bundle) as made:
        yield made
