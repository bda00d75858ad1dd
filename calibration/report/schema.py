"""The published JSON schema of a report.

    python -m edge_ser.calibration.report.schema docs/report.schema.json

writes it, from the models that reports are made of.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from edge_ser.calibration.report.result import Report
from edge_ser.files import write_atomically


def schema_text() -> str:
    """The schema as the file holds it."""
    schema = Report.model_json_schema(mode="serialization")
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["title"] = "Report of edge-ser"
    return json.dumps(schema, indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    write_atomically(Path(sys.argv[1]), schema_text().encode())
