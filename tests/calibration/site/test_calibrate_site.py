"""From recordings of a site to a file that a recognizer loads, and to what it answers then."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest
from fixtures.bundle_factory import make_bundle
from fixtures.labelled_clips import write_labelled_folder, write_tone

from edge_ser.bundles.loading import load_bundle
from edge_ser.bundles.site import load_site
from edge_ser.calibration.site.calibrate_site import calibrate_site
from edge_ser.cli.main import main
from edge_ser.errors import ConfigError
from edge_ser.recognizer import EdgeRecognizer


def _calibrate(*arguments: object) -> int:
    with pytest.raises(SystemExit) as stopped:
        main(["calibrate", *map(str, arguments)])
    return int(stopped.value.code or 0)


def test_labelled_clips_of_a_site_move_its_answers_and_not_the_bundle(tmp_path: Path) -> None:
    bundle = make_bundle(tmp_path / "tiny")
    before = {file: file.read_bytes() for file in bundle.iterdir() if file.is_file()}
    clips = write_labelled_folder(tmp_path / "clips", people=4, clips=3)
    site = tmp_path / "site.json"
    assert _calibrate(bundle, "--data", clips, "--site", site, "--no-speech-gate") == 0
    assert {file: file.read_bytes() for file in bundle.iterdir() if file.is_file()} == before
    clip = next(iter(sorted(clips.rglob("*.wav"))))
    with EdgeRecognizer(bundle) as plain, EdgeRecognizer(bundle, site=site) as there:
        first, second = (
            r.recognize(clip, speech_gate=False, transcript="") for r in (plain, there)
        )
        assert second.bundle.version.startswith(f"{first.bundle.version}+site.")
        assert second.bundle.hash == first.bundle.hash
        assert second.probabilities != first.probabilities
        with pickle.loads(pickle.dumps(there)) as again:  # noqa: S301
            same = again.recognize(clip, speech_gate=False, transcript="")
            assert same.probabilities == second.probabilities


def test_unlabelled_recordings_become_as_neutral_as_the_site_is_said_to_be(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = make_bundle(tmp_path / "tiny")
    for number in range(3):
        write_tone(tmp_path / "heard" / f"{number}.wav", 100 + 70 * number, 24.0, number)
    found = calibrate_site(
        load_bundle(bundle),
        tmp_path / "heard",
        unlabelled=True,
        neutral_share=0.8,
        speech_gate=False,
    )
    assert [fit.subset for fit in found.fits] == ["audio"]
    assert found.fits[0].clips == 24
    assert found.fits[0].after["neutral"] == pytest.approx(0.8, abs=1e-6)
    site = tmp_path / "site.json"
    options = ("--site", site, "--unlabelled", "--no-speech-gate")
    assert _calibrate(bundle, "--data", tmp_path / "heard", *options) == 0
    assert "nobody said how much is neutral" in capsys.readouterr().err
    assert load_site(site).subsets.keys() == {"audio"}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--site", "s.json", "--risk", "0.2"], "keeps its thresholds"),
        (["--unlabelled"], "give --site FILE"),
        (["--site", "s.json", "--neutral-share", "0.5"], "labelled clips tell it"),
        (["--site", "s.json", "--unlabelled", "--neutral-share", "2"], "between 0 and 1"),
        (["--site", "s.json"], "6 clips or windows"),
    ],
)
def test_what_does_not_go_together_is_said(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    options: list[str],
    said: str,
) -> None:
    bundle = make_bundle(tmp_path / "tiny")
    clips = write_labelled_folder(tmp_path / "clips", people=2, clips=1)
    monkeypatch.chdir(tmp_path)
    assert _calibrate(bundle, "--data", clips, *options) == 2
    assert said in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "s.json").exists()


def test_a_file_of_another_bundle_or_no_site_calibration_is_refused(tmp_path: Path) -> None:
    bundle = make_bundle(tmp_path / "tiny")
    clips = write_labelled_folder(tmp_path / "clips", people=4, clips=2)
    site = tmp_path / "site.json"
    assert _calibrate(bundle, "--data", clips, "--site", site, "--no-speech-gate") == 0
    other = make_bundle(tmp_path / "other")
    manifest = other / "bundle.json"
    manifest.write_text(manifest.read_text().replace('"0.0.1"', '"0.0.9"'))
    with pytest.raises(ConfigError, match="another bundle"):
        EdgeRecognizer(other, site=site)
    damaged = tmp_path / "damaged.json"
    damaged.write_text(site.read_text().replace('"audio"', '"smell"'))
    with pytest.raises(ConfigError, match="damaged"):
        EdgeRecognizer(bundle, site=damaged)
    damaged.write_text("{}")
    with pytest.raises(ConfigError, match="no site calibration"):
        EdgeRecognizer(bundle, site=damaged)
    with pytest.raises(ConfigError, match="left as it is"):
        load_site(site).save(damaged)
    with pytest.raises(ConfigError, match="cannot be read"):
        EdgeRecognizer(bundle, site=tmp_path / "gone.json")
