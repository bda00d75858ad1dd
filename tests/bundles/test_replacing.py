"""Whatever fails and whenever a process is killed: a whole bundle, old or new, is there."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from fixtures.bundle_factory import make_bundle

from edge_ser.bundles import replacing
from edge_ser.bundles.loading import load_bundle
from edge_ser.bundles.replacing import recover, replaced_folder
from edge_ser.errors import ConfigError

CALLS = ("mkdir", "rename", "fsync", "open", "unlink", "rmdir")
"""What a replacement asks of the file system, beside the exchange and the writing of files."""

Old = New = str


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("bundles")
    newer = make_bundle(folder / "two", lambda manifest: manifest.update(version="9.9.9"))
    return make_bundle(folder / "one"), newer


@pytest.fixture(params=["exchange", "no exchange"])
def _system(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "no exchange":
        monkeypatch.setattr(replacing, "_exchange", lambda *_: False)


@contextmanager
def intercepted(at: int, act: Callable[[], None]) -> Iterator[list[int]]:
    """Call `act` before the call number `at` of all that are made; counts them."""
    made = [0]
    saved: dict[str, Any] = {name: getattr(os, name) for name in CALLS}
    exchange = replacing._exchange

    def counted(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            made[0] += 1
            if made[0] == at:
                act()
            return real(*arguments, **options)

        return call

    try:
        for name, real in saved.items():
            setattr(os, name, counted(real))
        replacing._exchange = counted(exchange)
        yield made
    finally:
        for name, real in saved.items():
            setattr(os, name, real)
        replacing._exchange = exchange


def _replace(target: Path, source: Path) -> None:
    with replaced_folder(target) as fresh:
        shutil.copytree(source, fresh, dirs_exist_ok=True)


def _there(target: Path, *versions: str) -> str:
    found = load_bundle(target).manifest.version
    assert found in versions
    return found


def _versions(bundles: tuple[Path, Path]) -> tuple[Old, New]:
    old, new = (load_bundle(folder).manifest.version for folder in bundles)
    assert old != new
    return old, new


def _fail() -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def _litter(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir() if p.name.startswith("."))


@pytest.mark.usefixtures("_system")
def test_a_folder_is_replaced_and_nothing_is_left(
    bundles: tuple[Path, Path], tmp_path: Path
) -> None:
    old, new = _versions(bundles)
    target = tmp_path / "deep" / "bundle"
    _replace(target, bundles[0])
    assert _there(target, old) == old
    _replace(target, bundles[1])
    assert _there(target, new) == new
    assert [p.name for p in target.parent.iterdir()] == ["bundle"]


@pytest.mark.usefixtures("_system")
def test_when_any_call_fails_once_the_old_or_the_new_bundle_is_whole(
    bundles: tuple[Path, Path], tmp_path: Path
) -> None:
    old, new = _versions(bundles)
    at, outcomes = 0, set()
    while True:
        at += 1
        target = tmp_path / str(at) / "bundle"
        shutil.copytree(bundles[0], target)
        failed = False
        with intercepted(at, _fail) as made:
            try:
                _replace(target, bundles[1])
            except ConfigError:
                failed = True
        if made[0] < at:
            break
        found = _there(target, old, new)
        outcomes.add((failed, found == new))
        # The next run works and leaves nothing behind.
        _replace(target, bundles[1])
        assert _there(target, new) == new
        assert _litter(target.parent) == []
        shutil.rmtree(target.parent)
    assert at > 10
    assert (False, True) in outcomes  # a rest that could not be removed
    assert (True, False) in outcomes
    assert (False, False) not in outcomes


@pytest.mark.usefixtures("_system")
def test_killed_at_any_call_a_whole_bundle_is_there_for_whoever_comes_next(
    bundles: tuple[Path, Path], tmp_path: Path
) -> None:
    old, new = _versions(bundles)
    at, found = 0, set()
    while True:
        at += 1
        target = tmp_path / str(at) / "bundle"
        shutil.copytree(bundles[0], target)
        child = os.fork()
        if child == 0:
            code = 1
            try:
                with intercepted(at, lambda: os._exit(9)):
                    _replace(target, bundles[1])
                code = 0
            finally:
                os._exit(code)
        ended = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        assert ended in (0, 9)
        if ended == 0:
            break
        found.add(_there(target, old, new))
        recover(target)
        assert _litter(target.parent) == []
        assert _there(target, old, new) in found
        shutil.rmtree(target.parent)
    assert at > 10
    assert found == {old, new}


def test_a_rest_that_a_living_process_writes_is_left_alone(
    bundles: tuple[Path, Path], tmp_path: Path
) -> None:
    target = tmp_path / "bundle"
    shutil.copytree(bundles[0], target)
    with replaced_folder(target) as first:
        shutil.copytree(bundles[0], first, dirs_exist_ok=True)
        _replace(target, bundles[1])
        assert first.is_dir()
    assert _there(target, *_versions(bundles)) == _versions(bundles)[0]
    assert _litter(tmp_path) == []


def test_an_error_of_the_writer_leaves_the_old_bundle(
    bundles: tuple[Path, Path], tmp_path: Path
) -> None:
    target = tmp_path / "bundle"
    shutil.copytree(bundles[0], target)
    with pytest.raises(KeyError), replaced_folder(target):
        raise KeyError
    assert _there(target, _versions(bundles)[0])
    assert _litter(tmp_path) == []


def test_names_as_long_as_the_system_allows_work(
    bundles: tuple[Path, Path], tmp_path: Path
) -> None:
    for name in ("b" * 255, "\u00e4" * 127):
        target = tmp_path / name
        _replace(target, bundles[0])
        _replace(target, bundles[1])
        assert _there(target, _versions(bundles)[1])
    with pytest.raises(ConfigError, match="too long"):
        _replace(tmp_path / ("b" * 256), bundles[0])


def test_a_place_that_refuses_is_named(bundles: tuple[Path, Path], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    for target in (tmp_path / "file" / "bundle", Path("/proc/none/bundle")):
        with pytest.raises(ConfigError, match="cannot be written"):
            _replace(target, bundles[0])
