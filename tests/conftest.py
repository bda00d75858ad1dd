"""Fixtures for all tests; what needs real data runs when EDGE_SER_DATA names its folder."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import pytest

from edge_ser.machine.inspection import cuda_device_count

pytest_plugins = ["fixtures.file_faults", "fixtures.installed_layout", "fixtures.recordings"]

REPOSITORY = Path(__file__).parent.parent
NOT_RUN = pytest.StashKey[dict[str, int]]()


def pytest_configure(config: pytest.Config) -> None:
    """Keep the graphs and engines of tests out of the user's cache."""
    folder = tempfile.TemporaryDirectory(prefix="edge-ser-tests-")
    os.environ["EDGE_SER_CACHE"] = folder.name
    config.add_cleanup(folder.cleanup)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what this machine cannot run, and tell the summary.

    Tests marked `data` need EDGE_SER_DATA, `browser` Chromium, `gpu` a CUDA device. The driver is
    asked, not a package: with a device they run, and fail where TensorRT is missing, so that no
    machine passes by skipping.
    """
    missing = {}
    if not os.environ.get("EDGE_SER_DATA"):
        missing["data"] = "EDGE_SER_DATA is not set"
    if shutil.which("chromium") is None:
        missing["browser"] = "there is no chromium"
    if cuda_device_count() == 0:
        missing["gpu"] = "there is no CUDA device"
    config.stash[NOT_RUN] = {}
    for marker, reason in missing.items():
        left_out = [item for item in items if item.get_closest_marker(marker)]
        if left_out:
            config.hook.pytest_deselected(items=left_out)
            items[:] = [item for item in items if not item.get_closest_marker(marker)]
            config.stash[NOT_RUN][f"marked {marker}: {reason}"] = len(left_out)


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Say how many tests were not run, and why."""
    for reason, count in config.stash.get(NOT_RUN, {}).items():
        terminalreporter.write_line(f"NOT RUN: {count} tests {reason}")


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
