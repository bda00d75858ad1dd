"""Finds out what kind of data a folder or file holds, and reads its held-out items."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from edge_ser.bundles.schema import BundleManifest
from edge_ser.constants import Modality
from edge_ser.errors import ConfigError
from edge_ser.export.data.emodb import read_emodb
from edge_ser.export.data.items import DataSet, Item, Problem, standard_label, unique_names
from edge_ser.export.data.leakage import require_no_leak
from edge_ser.export.data.manifest import read_manifest
from edge_ser.export.data.pictures import SUFFIXES as PICTURE_SUFFIXES
from edge_ser.export.data.pictures import read_pictures, without_duplicates
from edge_ser.export.data.ravdess import read_ravdess
from edge_ser.export.data.splits import by_publisher
from edge_ser.export.data.text_tables import read_goemotions
from edge_ser.export.trials.held_out import people_of_part
from edge_ser.media.folders import MEDIA_SUFFIXES

_SHOWN_PROBLEMS: Final = 5


@dataclass(frozen=True)
class Pool:
    """Items of one kind of one data set, people that the bundle never saw."""

    items: tuple[Item, ...]
    protocol: str


@dataclass(frozen=True)
class Sources:
    """What a folder holds.

    Attributes:
        name: of the data.
        clips: recordings with all the modalities that they have, or None.
        pools: items of one modality each, from different people; empty where there are clips.
        left_out: sentences.
        with_words: whether the clips' words may be used: not where everybody says the same.
        check_people: whether the people's names are to be held against the bundle's splits.
    """

    name: str
    clips: Pool | None
    pools: dict[Modality, Pool] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()
    with_words: bool = True
    check_people: bool = True


def find_sources(path: Path, manifest: BundleManifest, *, purpose: str) -> Sources:
    """Read what lies at a path.

    A manifest (``.csv``, ``.jsonl``); a folder of sets (``ravdess_speech``,
    ``fer2013_publictest.zip``, ``goemotions_ekman``); RAVDESS or Emo-DB; a zip or folder of face
    pictures, a folder a label; a folder with ``dev.tsv`` and ``labels.txt``; or a folder of clips,
    a folder a label, in it the clips or a folder for each speaker.

    Args:
        path: a folder or a file.
        manifest: of the bundle; people and parts that it was trained on are left out of the sets
            that are known by name.
        purpose: ``test`` or ``calibration``: which rows of a manifest with a column `split` are
            taken (for calibration those of the parts calibration and validation, where there are
            any).

    Raises:
        ConfigError: if nothing usable is there.
    """
    if not path.exists():
        raise ConfigError(f"{path} does not exist; name a folder of labelled clips or a manifest")
    if path.is_file():
        if path.suffix.lower() == ".zip":
            return _one_kind("video", _faces(path, manifest))
        return _manifest(path, purpose)
    collection = _collection(path, manifest)
    if collection is not None:
        return collection
    if any(path.glob("Actor_[0-9][0-9]")) or path.name == "ravdess_speech":
        pool, left_out = _ravdess(path, manifest)
        return Sources("RAVDESS speech", pool, left_out=left_out, with_words=False)
    if (path / "labels.txt").is_file() and (path / "dev.tsv").is_file():
        return _one_kind("text", _sentences(path))
    return _labelled_folder(path, manifest)


def _collection(path: Path, manifest: BundleManifest) -> Sources | None:
    pools: dict[Modality, Pool] = {}
    left_out: list[str] = []
    audio, faces = path / "ravdess_speech", path / "fer2013_publictest.zip"
    words = path / "goemotions_ekman"
    if audio.is_dir():
        pools["audio"], told = _ravdess(audio, manifest)
        left_out += told
    if (words / "dev.tsv").is_file():
        pools["text"], told = _sentences(words)
        left_out += told
    if faces.is_file():
        pools["video"], told = _faces(faces, manifest)
        left_out += told
    if not pools:
        return None
    names = {"audio": "RAVDESS speech", "text": "GoEmotions dev", "video": "FER2013 PublicTest"}
    return Sources(
        ", ".join(names[m] for m in pools),
        None,
        pools,
        tuple(left_out),
        with_words=False,
    )


def _one_kind(modality: Modality, found: tuple[Pool, tuple[str, ...]]) -> Sources:
    pool, left_out = found
    name = pool.protocol.split(",")[0]
    return Sources(name, None, {modality: pool}, left_out, check_people=False)


def _ravdess(folder: Path, manifest: BundleManifest) -> tuple[Pool, tuple[str, ...]]:
    data = read_ravdess(folder, calm_is_neutral="calm" not in manifest.labels)
    seen = {
        name
        for part in ("train", "validation")
        for name in people_of_part(manifest.splits, part, "RAVDESS")
    }
    items = tuple(item for item in data.items if item.speaker not in seen)
    if not items:
        raise ConfigError(f"{folder}: the bundle was trained on every actor in it")
    actors = sorted({item.speaker or "" for item in items})
    left_out = _told(data.problems)
    if seen & {item.speaker for item in data.items}:
        left_out = (
            f"{len(data.items) - len(items)} RAVDESS clips of actors that trained or chose the "
            "bundle's model",
            *left_out,
        )
    protocol = f"RAVDESS speech, actors {' '.join(actors)}, never seen in training"
    return Pool(items, protocol + ", whole clips"), left_out


def _faces(source: Path, manifest: BundleManifest) -> tuple[Pool, tuple[str, ...]]:
    known = any(key.startswith("FER2013") for key in manifest.splits)
    if known and "train" in source.name.lower() and "fer" in source.name.lower():
        raise ConfigError(
            f"{source} looks like FER2013's training part, which this bundle was trained on; "
            "give the public test part (fer2013_publictest.zip)"
        )
    data = without_duplicates(read_pictures(source, name=source.stem))
    name = "FER2013 PublicTest" if "publictest" in source.name.lower() else source.name
    return Pool(data.items, f"{name}, single pictures"), _told(data.problems)


def _sentences(folder: Path) -> tuple[Pool, tuple[str, ...]]:
    data = read_goemotions(folder / "dev.tsv", folder / "labels.txt", split="dev")
    items = tuple(item for item in data.items if len(item.labels) == 1)
    left_out = _told(data.problems)
    if len(items) < len(data.items):
        several = len(data.items) - len(items)
        left_out = (f"{several} sentences with more than one label", *left_out)
    name = "GoEmotions dev" if "goemotions" in folder.name else f"{folder.name} dev"
    return Pool(items, f"{name}, sentences with one label"), left_out


def _manifest(table: Path, purpose: str) -> Sources:
    data = read_manifest(table)
    items, left_out = data.items, _told(data.problems)
    parts = {item.split for item in items}
    protocol = f"{table.name}, whole clips"
    if parts != {None}:
        if parts <= {"train", "validation", "dev", "test"}:
            # People on both sides of the table's own split make its test part no test.
            require_no_leak(items, by_publisher(items), contents=False)
        wanted: set[str | None] = {"test"}
        held = parts & {"calibration", "validation", "dev"}
        if purpose == "calibration" and held:
            wanted = held
        if not parts & wanted:
            wanted = parts - {"train"}
        items = tuple(item for item in items if item.split in wanted)
        if not items:
            raise ConfigError(f"{table} holds only rows of the part train: nobody is held out")
        shown = ", ".join(sorted(str(part) for part in wanted & parts))
        protocol = f"{table.name}, rows of the part {shown}, whole clips"
        if len(items) < len(data.items):
            left_out = (f"{len(data.items) - len(items)} rows of other parts", *left_out)
    return Sources(table.stem, Pool(items, protocol), left_out=left_out)


def _labelled_folder(folder: Path, manifest: BundleManifest) -> Sources:
    inside = [p for p in sorted(folder.rglob("*")) if p.is_file() and p.parent != folder]
    if any(p.suffix.lower() in PICTURE_SUFFIXES for p in inside):
        return _one_kind("video", _faces(folder, manifest))
    data = read_labelled_clips(folder, inside)
    if data is None or not set(data.labels) & set(manifest.labels):
        try:
            spoken = read_emodb(folder)
        except ConfigError:
            raise ConfigError(
                f"{folder} holds nothing that is known: give a manifest (CSV or JSONL), a folder "
                "with a folder of clips for each label, RAVDESS's Actor_NN folders, Emo-DB's "
                "recordings, FER2013-style pictures, or dev.tsv with labels.txt"
            ) from None
        pool = Pool(spoken.items, "Emo-DB, whole clips")
        return Sources(
            "Emo-DB", pool, left_out=_told(spoken.problems), with_words=False, check_people=False
        )
    pool = Pool(data.items, f"{folder.name}, a folder a label, whole clips")
    return Sources(folder.name, pool, left_out=_told(data.problems))


def read_labelled_clips(folder: Path, files: Sequence[Path]) -> DataSet | None:
    """Clips in ``label/clip.wav`` or ``label/speaker/clip.wav``; None when there is none."""
    items: list[Item] = []
    problems: list[Problem] = []
    for path in files:
        if path.suffix.lower() not in MEDIA_SUFFIXES:
            continue
        inner = path.relative_to(folder)
        if path.stat().st_size == 0:
            problems.append(Problem(inner.as_posix(), "the file is empty"))
            continue
        items.append(
            Item(
                name=inner.as_posix(),
                kind="audio",
                labels=(standard_label(inner.parts[0]),),
                path=path,
                speaker=inner.parts[1] if len(inner.parts) > 2 else None,
            )
        )
    if not items:
        return None
    kept, repeated = unique_names(items)
    labels = tuple(sorted({item.label for item in kept}))
    return DataSet(folder.name, kept, labels, "the user's own", (*problems, *repeated))


def _told(problems: Sequence[Problem]) -> tuple[str, ...]:
    shown = [f"{problem.name}: {problem.reason}" for problem in problems[:_SHOWN_PROBLEMS]]
    more = len(problems) - len(shown)
    return (*shown, *([f"and {more} more items that cannot be used"] if more > 0 else []))
