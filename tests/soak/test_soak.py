"""Half an hour of what `fixtures/soak_days.py` runs for days: nothing grows, wraps or lags."""

from __future__ import annotations

import pytest
from fixtures.soak_days import DRIFT_PPM, FAULTS, Days
from fixtures.stream_simulation import SECOND


@pytest.mark.parametrize("start", [2**31 - 600 * SECOND, 2**53 - 600 * SECOND])
def test_live_sound_pictures_words_and_faults(start: int) -> None:
    days = Days(start)
    days.run(400)
    first, second = days.run(600), days.run(600)
    assert first.decisions >= 1198
    assert second.decisions >= 1198
    assert second.objects - first.objects < 50
    assert second.resident_bytes - first.resident_bytes < 1e6
    assert second.largest_lag <= SECOND
    assert second.drift_ppm == pytest.approx(DRIFT_PPM, abs=3)
    assert second.lost_samples == pytest.approx(days.dropped, rel=0.05)
    health = days.simulation.decisions[-1].health
    assert health.encoder_errors == pytest.approx(4 * days.steps / FAULTS, abs=4)
    assert health.audio_late_samples == health.hops_skipped == 0
