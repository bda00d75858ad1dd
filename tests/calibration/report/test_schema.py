"""The published schema is the one of the models, and reports follow it."""

from __future__ import annotations

import json
from pathlib import Path

from fixtures.report_factory import full_report

from edge_ser.calibration.report.result import Report
from edge_ser.calibration.report.schema import schema_text


def test_the_published_schema_is_current(repository: Path) -> None:
    published = (repository / "docs" / "report.schema.json").read_text("utf-8")
    assert published == schema_text(), (
        "run: python -m edge_ser.calibration.report.schema docs/report.schema.json"
    )


def test_the_schema_describes_every_field_and_allows_no_other() -> None:
    schema = json.loads(schema_text())
    assert set(schema["properties"]) == set(json.loads(full_report().model_dump_json()))
    for name, part in {"Report": schema, **schema["$defs"]}.items():
        assert part["additionalProperties"] is False, name
    assert "newest sample" in schema["$defs"]["LiveLatency"]["description"]


def test_a_report_with_the_older_name_of_lost_audio_is_read() -> None:
    report = full_report()
    older = report.model_dump_json().replace('"audio_lost_ms"', '"sound_lost_ms"')
    assert Report.model_validate_json(older) == report
