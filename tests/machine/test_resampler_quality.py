"""The figures of a resampler are those that its design says."""

from __future__ import annotations

import numpy as np
import pytest

from edge_ser import kernels
from edge_ser.machine.resampler_quality import measured_quality


def test_pass_band_rejection_and_latency_follow_the_options():
    for pass_band, stop_band_db in ((0.7, 60.0), (0.9, 90.0)):
        resampler = kernels.Resampler(
            kernels.ResamplerOptions(
                source_rate=48000, pass_band=pass_band, stop_band_db=stop_band_db
            )
        )
        found = measured_quality(48000, resampler.compute, resampler.accept)
        assert pass_band < found.pass_band < pass_band + 0.3 * (1 - pass_band)
        assert stop_band_db - 2 < found.rejection_db < stop_band_db + 10
        assert 0.5 < found.latency_ms < 5.5


def test_dropping_samples_stops_nothing_and_waits_for_nothing():
    def drop(samples: np.ndarray) -> np.ndarray:
        return samples[::3]

    found = measured_quality(48000, drop, drop)
    assert found.pass_band == pytest.approx(1, abs=1e-3)
    assert found.rejection_db == pytest.approx(0, abs=0.2)
    assert found.latency_ms < 0.1
    assert found.as_dict().keys() == {"pass_band", "rejection_db", "latency_ms"}
