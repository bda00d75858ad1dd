"""Fixtures for all tests; what needs real data runs when EDGE_SER_DATA names its folder."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parent.parent


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Without EDGE_SER_DATA the tests marked `data` are left out, and the summary says so."""
    if os.environ.get("EDGE_SER_DATA"):
        return
    left_out = [item for item in items if item.get_closest_marker("data")]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if not item.get_closest_marker("data")]


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root of the source tree."""
    return REPOSITORY


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """The folder of real data; a name that leads nowhere fails the tests, it does not skip them."""
    folder = Path(os.environ["EDGE_SER_DATA"])
    assert folder.is_dir(), f"EDGE_SER_DATA names {folder}, which is not a folder"
    return folder


@pytest.fixture(scope="session")
def demo_clip() -> Path:
    """The clip that ships with the package."""
    return REPOSITORY / "edge_ser" / "demo_clip" / "astronaut.mp4"
