"""`edge-ser calibrate`: probabilities that mean what they say, for the people who will be heard."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from edge_ser.cli.options import AcceptLeak, AsJson, SpeechGate
from edge_ser.cli.progress import step_progress
from edge_ser.errors import ConfigError
from edge_ser.shown.terminal import Terminal

if TYPE_CHECKING:
    from edge_ser.calibration.fitting.result import CalibrationReport
    from edge_ser.calibration.site.calibrate_site import Site


def calibrate(
    bundle: Annotated[Path, typer.Argument(help="A bundle's folder.")],
    data: Annotated[
        Path, typer.Option(help="Labelled clips of people whom the bundle was not trained on.")
    ],
    output: Annotated[
        Path | None,
        typer.Option(help="Folder of the new version (default: BUNDLE-VERSION beside BUNDLE)."),
    ] = None,
    in_place: Annotated[
        bool, typer.Option("--in-place", help="Put the new version in the place of BUNDLE.")
    ] = False,
    risk: Annotated[
        float | None, typer.Option(help="Of what is answered at most this share may be wrong.")
    ] = None,
    abstain_share: Annotated[
        float | None, typer.Option(help="Share of the clips not to be answered (default: 0.1).")
    ] = None,
    temperature_only: Annotated[
        bool, typer.Option("--temperature-only", help="Fit no bias for each label.")
    ] = False,
    limit: Annotated[
        int | None, typer.Option(min=1, help="At most so many clips of each modality.")
    ] = None,
    accept_leak: AcceptLeak = False,
    speech_gate: SpeechGate = True,
    diagrams: Annotated[
        bool, typer.Option("--diagrams/--no-diagrams", help="Draw reliability diagrams.")
    ] = True,
    site: Annotated[
        Path | None,
        typer.Option(
            help="Calibrate a place, not the bundle: write this small file from about 20 labelled "
            "clips of it, or from recordings (--unlabelled)."
        ),
    ] = None,
    unlabelled: Annotated[
        bool,
        typer.Option(
            "--unlabelled", help="DATA are recordings of the place, about 5 minutes of speech."
        ),
    ] = False,
    neutral_share: Annotated[
        float | None,
        typer.Option(help="Share of what is said there without emotion, for --unlabelled."),
    ] = None,
    resume: Annotated[
        Path | None, typer.Option(help="Folder that lets an interrupted run go on.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Fit temperature, biases and abstention of every subset of modalities; write a new version.

    DATA is a manifest (CSV or JSONL), a folder with a folder of clips for each label, or a known
    data set. Figures after the fit are cross-fitted: on people whom the fit did not see.

    With --site the bundle stays as it is, and a small file is written that `recognize` and `live`
    take as --site: edge-ser calibrate my-bundle --data recordings --site site.json --unlabelled
    --neutral-share 0.8

    A complete command: edge-ser calibrate my-bundle --data my-clips --risk 0.2
    """
    from edge_ser.bundles.loading import load_bundle
    from edge_ser.calibration.fitting.new_version import CalibrationRequest, calibrate_bundle

    console = Terminal(stderr=True)
    if site is not None:
        from edge_ser.calibration.site.calibrate_site import calibrate_site

        if output is not None or in_place or risk is not None or abstain_share is not None:
            raise ConfigError(
                "--site writes a file beside the bundle and keeps its thresholds: leave out "
                "--output, --in-place, --risk and --abstain-share"
            )
        with step_progress(console) as tell:
            found = calibrate_site(
                load_bundle(bundle),
                data,
                unlabelled=unlabelled,
                neutral_share=neutral_share,
                accept_leak=accept_leak,
                speech_gate=speech_gate,
                progress=tell,
            )
        found.calibration.save(site)
        if as_json:
            typer.echo(found.calibration.model_dump_json(indent=1))
        else:
            _show_site(Terminal(), found)
        console.print(f"{site}: from {found.calibration.basis}")
        return
    if unlabelled or neutral_share is not None:
        raise ConfigError("--unlabelled and --neutral-share calibrate a place: give --site FILE")
    request = CalibrationRequest(
        data=data,
        output=output,
        in_place=in_place,
        risk=risk,
        abstain_share=abstain_share,
        with_bias=not temperature_only,
        limit=limit,
        accept_leak=accept_leak,
        speech_gate=speech_gate,
        diagrams=diagrams,
        resume=resume,
    )
    with step_progress(console) as tell:
        written, report = calibrate_bundle(load_bundle(bundle), request, tell)
    if as_json:
        typer.echo(report.model_dump_json(indent=1))
    else:
        _show(Terminal(), report)
    console.print(f"{written.folder}: {report.bundle} {report.new_version}")


def _show_site(console: Terminal, found: Site) -> None:
    table = Table(title="mean probability of each label at the site, before and after")
    for heading in ("modalities", "clips", "label", "before", "after"):
        table.add_column(heading)
    for fit in found.fits:
        for label, before in fit.before.items():
            row = (fit.subset, str(fit.clips), label, f"{before:.2f}", f"{fit.after[label]:.2f}")
            table.add_row(*row)
    console.print(table)
    for subset, clips in found.kept.items():
        console.print(f"{subset}: calibration kept: only {clips} clips")


def _show(console: Terminal, report: CalibrationReport) -> None:
    console.print(f"{report.data.name}: {report.data.protocol}", soft_wrap=True)
    if report.data.leak_warning:
        console.print(report.data.leak_warning, style="bold red", soft_wrap=True)
    table = Table(title="before and after, on people whom the fit did not see")
    for heading in ("modalities", "clips", "people"):
        table.add_column(heading)
    for heading in ("T", "error before", "after", "perfect", "Brier", "NLL", "accuracy"):
        table.add_column(heading, justify="right")
    for heading in ("answered", "accuracy", "80 %"):
        table.add_column(heading, justify="right")
    for fit in report.fitted:
        before, after = fit.before, fit.after
        answered = fit.accuracy_answered
        table.add_row(
            fit.subset + ("*" if fit.pairing == "label-paired" else ""),
            str(fit.clips),
            str(fit.people),
            f"{fit.temperature:.2f}",
            f"{before.calibration_error.value:.3f}",
            f"{after.calibration_error.value:.3f}",
            f"{fit.error_of_a_perfect_model:.3f}",
            f"{before.brier:.3f} {after.brier:.3f}",
            f"{before.negative_log_likelihood:.3f} {after.negative_log_likelihood:.3f}",
            f"{before.accuracy:.3f} {after.accuracy:.3f}",
            f"{fit.coverage:.0%}",
            "-" if answered is None else f"{answered:.3f}",
            f"{100 * fit.gain_without_least_certain_fifth:+.1f}",
        )
    console.print(table)
    console.print(
        "error: expected calibration error, 15 bins; perfect: what exact probabilities would show "
        "on so few clips; 80 %: points of accuracy gained without the least certain fifth.",
        soft_wrap=True,
    )
    if any(fit.pairing == "label-paired" for fit in report.fitted):
        console.print("* label-paired: modalities of different people who share a label.")
    for subset, reason in report.kept.items():
        console.print(f"{subset}: calibration kept: {reason}", soft_wrap=True)
    for note in (*report.notes, *(f"left out: {text}" for text in report.data.left_out)):
        console.print(note, soft_wrap=True)
