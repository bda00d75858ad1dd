r"""Compare the pitch kernel with Praat's autocorrelation method on real speech.

Run: python -m recipes.pitch_scorer.compare_praat RAVDESS_FOLDER [--clips 48] [--seed 7] \
         [--write docs/pitch.md]

Praat is the established reading of real recordings, not the truth: where the two differ, either may
be right. Both look at 50 to 550 Hz, every 10 ms, at the same times. To see how much of the
difference Praat's silence threshold makes (frames below 3 % of the clip's peak are unvoiced,
whatever they hold), the last line compares with Praat without one. Needs praat-parselmouth.

Source: P. Boersma, "Accurate short-term analysis of the fundamental frequency and the
harmonics-to-noise ratio of a sampled sound", Proceedings of the Institute of Phonetic Sciences 17,
1993.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Final

import numpy as np
import typer
from numpy.typing import NDArray

from edge_ser.constants import SAMPLE_RATE
from edge_ser.errors import ConfigError, MissingExtraError
from edge_ser.kernels import Pitch, PitchOptions
from edge_ser.media.media import read_clip
from recipes.command_line import run
from recipes.documents.measured_section import host, write_section

Floats = NDArray[np.float64]
HOP: Final = 160
SECTION: Final = "praat"
SILENCE_THRESHOLD: Final = 0.03
"""Praat's default, of the clip's peak."""


@dataclass(frozen=True)
class Agreement:
    """How two trackers agree over some frames; shares are 0 to 1."""

    frames: int
    voiced_praat: float
    voiced_kernel: float
    voicing_agreement: float
    only_praat: float
    """Of all frames, voiced for Praat alone."""
    only_kernel: float
    gross: float
    """Of the frames voiced in both, more than 20 % apart."""
    gross_below: float
    """Of the frames voiced in both, the kernel more than 20 % below Praat."""
    median_cents: float
    """Median distance where both are voiced and not grossly apart."""
    edge_share: float
    """Of the frames that differ in voicing, those within 30 ms of a change in Praat's voicing."""
    quiet_share: float
    """Of the frames that differ in voicing, those more than 30 dB below the clip's peak level."""
    hnr_difference_db: float
    """Median over frames voiced in both: kernel minus Praat."""


@dataclass(frozen=True)
class ClipPitch:
    """Both trackers' frames of one clip."""

    female: bool
    strong: bool
    """Spoken with RAVDESS's strong intensity."""
    praat_hz: Floats
    praat_hnr_db: Floats
    praat_hz_without_threshold: Floats
    """With a silence threshold of 0."""
    kernel_hz: Floats
    kernel_hnr_db: Floats
    level_db: Floats


def praat_frames(
    samples: NDArray[np.float32], times: Floats, silence_threshold: float
) -> tuple[Floats, Floats]:
    """Praat's f0 in Hz (0 unvoiced) and harmonics-to-noise ratio in dB at the frames nearest."""
    try:
        import parselmouth
    except ImportError as error:
        raise MissingExtraError("Comparing with Praat", "bench") from error
    audio = parselmouth.Sound(samples.astype(np.float64), SAMPLE_RATE)
    pitch = audio.to_pitch_ac(
        time_step=HOP / SAMPLE_RATE,
        pitch_floor=50,
        pitch_ceiling=550,
        silence_threshold=silence_threshold,
    )
    chosen = pitch.selected_array
    grid = np.asarray(pitch.xs())
    nearest = np.clip(np.searchsorted(grid, times), 1, len(grid) - 1)
    nearest -= (times - grid[nearest - 1] < grid[nearest] - times).astype(np.int64)
    correlation = np.clip(chosen["strength"][nearest], 1e-4, 1 - 1e-4)
    inside = (times >= grid[0] - 0.005) & (times <= grid[-1] + 0.005)
    f0 = np.where(inside, chosen["frequency"][nearest], 0.0)
    return f0, 10 * np.log10(correlation / (1 - correlation))


def clip_pitch(path: Path, pitch: Pitch) -> ClipPitch:
    """Both trackers on one recording; RAVDESS's even actors are women."""
    clip = read_clip(path, want_video=False)
    samples = clip.samples
    frames = pitch.compute(samples)
    centres = pitch.options.first_center + HOP * np.arange(len(frames))
    f0, hnr = praat_frames(samples, centres / SAMPLE_RATE, SILENCE_THRESHOLD)
    without, _ = praat_frames(samples, centres / SAMPLE_RATE, 0.0)
    power = np.convolve(samples.astype(np.float64) ** 2, np.ones(400) / 400, mode="same")[centres]
    level = 10 * np.log10(power + 1e-12)
    fields = path.stem.split("-")  # modality, channel, emotion, intensity, ..., actor
    kernel = frames.astype(np.float64)
    return ClipPitch(
        female=int(fields[-1]) % 2 == 0,
        strong=fields[3] == "02",
        praat_hz=f0,
        praat_hnr_db=hnr,
        praat_hz_without_threshold=without,
        kernel_hz=kernel[:, 0],
        kernel_hnr_db=kernel[:, 3],
        level_db=level - level.max(),
    )


def agreement(clips: Iterable[ClipPitch]) -> Agreement:
    """Pools the frames of some clips."""
    kept = list(clips)
    praat = np.concatenate([c.praat_hz for c in kept])
    kernel = np.concatenate([c.kernel_hz for c in kept])
    hnr = np.concatenate([c.kernel_hnr_db - c.praat_hnr_db for c in kept])
    level = np.concatenate([c.level_db for c in kept])
    edge = np.concatenate([_near_change(c.praat_hz > 0) for c in kept])
    both = (praat > 0) & (kernel > 0)
    differ = (praat > 0) != (kernel > 0)
    ratio = kernel[both] / praat[both]
    gross = np.abs(ratio - 1) > 0.2
    cents = np.abs(1200 * np.log2(ratio[~gross]))
    return Agreement(
        frames=len(praat),
        voiced_praat=float(np.mean(praat > 0)),
        voiced_kernel=float(np.mean(kernel > 0)),
        voicing_agreement=float(np.mean(~differ)),
        only_praat=float(np.mean((praat > 0) & ~(kernel > 0))),
        only_kernel=float(np.mean(~(praat > 0) & (kernel > 0))),
        gross=float(gross.mean()),
        gross_below=float(np.mean(gross & (ratio < 1))),
        median_cents=float(np.median(cents)),
        edge_share=float(edge[differ].mean()),
        quiet_share=float(np.mean(level[differ] < -30)),
        hnr_difference_db=float(np.median(hnr[both])),
    )


def _near_change(voiced: NDArray[np.bool_], frames: int = 3) -> NDArray[np.bool_]:
    near = np.zeros(len(voiced), bool)
    for change in np.flatnonzero(np.diff(voiced.astype(np.int8))):
        near[max(0, change + 1 - frames) : change + 1 + frames] = True
    return near


def choose(folder: Path, clips: int, seed: int) -> list[Path]:
    """Random recordings of speech, half of them by women."""
    files = sorted(folder.rglob("03-01-*.flac")) + sorted(folder.rglob("03-01-*.wav"))
    random = np.random.default_rng(seed)
    chosen: list[Path] = []
    for remainder in (0, 1):
        some = [f for f in files if int(f.stem.split("-")[-1]) % 2 == remainder]
        if len(some) < (clips + remainder) // 2:
            raise ConfigError(f"{folder} holds {len(files)} recordings 03-01-*; {clips} are needed")
        order = random.permutation(len(some))[: (clips + remainder) // 2]
        chosen += [some[i] for i in sorted(order)]
    return chosen


def compare(folder: Path, clips: int = 48, seed: int = 7) -> dict[str, Agreement]:
    """Agreement over all chosen clips and over parts of them, by the name of the part."""
    pitch = Pitch(PitchOptions())
    chosen = [clip_pitch(path, pitch) for path in choose(folder, clips, seed)]
    without = [replace(c, praat_hz=c.praat_hz_without_threshold) for c in chosen]
    return {
        "all": agreement(chosen),
        "women": agreement(c for c in chosen if c.female),
        "men": agreement(c for c in chosen if not c.female),
        "normal intensity": agreement(c for c in chosen if not c.strong),
        "strong intensity": agreement(c for c in chosen if c.strong),
        "all, Praat without its silence threshold": agreement(without),
    }


def table(results: dict[str, Agreement], clips: int, seed: int) -> str:
    """The figures as Markdown."""
    lines = [
        "| clips | frames | voicing agrees | voiced for Praat alone | for the kernel alone "
        "| f0 > 20 % apart | of these lower | median distance | kernel's HNR |",
        "|---" * 9 + "|",
    ]
    for name, a in results.items():
        lower = a.gross_below / a.gross if a.gross > 0 else 0.0
        lines.append(
            f"| {name} | {a.frames} | {a.voicing_agreement:.1%} | {a.only_praat:.1%} "
            f"| {a.only_kernel:.1%} | {a.gross:.1%} | {lower:.0%} | {a.median_cents:.1f} cents "
            f"| {a.hnr_difference_db:+.1f} dB |"
        )
    every = results["all"]
    packages = ("edge-ser", "praat-parselmouth")
    lines += [
        "",
        f"Of the frames that differ in voicing, {every.edge_share:.0%} lie within 30 ms of one of "
        f"Praat's voicing changes, and {every.quiet_share:.0%} are more than 30 dB below the "
        f"clip's peak. {clips} clips drawn with seed {seed}. {host(packages)}.",
    ]
    return "\n".join(lines)


def command(
    folder: Annotated[Path, typer.Argument(help="Holds RAVDESS's Actor_NN folders.")],
    clips: Annotated[int, typer.Option(min=1, help="How many.")] = 48,
    seed: Annotated[int, typer.Option(help="Of the choice.")] = 7,
    write: Annotated[
        Path | None, typer.Option(help="Document with the lines <!-- praat -->.")
    ] = None,
) -> None:
    """Compare the pitch kernel with Praat.

    A complete command: python -m recipes.pitch_scorer.compare_praat data/ravdess_speech
    """
    text = table(compare(folder, clips, seed), clips, seed)
    typer.echo(text)
    if write is not None:
        write_section(write, SECTION, text)


if __name__ == "__main__":
    sys.exit(run(command))
