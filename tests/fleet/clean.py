"""The evidence of a project without a problem."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from secure_django.fleet.forms import SCHEMA
from secure_django.fleet.problems import digest_list

HASHES = {"pyproject.toml": "1" * 64, "src/secure_django/csv.py": "2" * 64}
NOW = datetime.now(UTC)
TOMORROW = (NOW + timedelta(days=1)).isoformat()
TEST = "tests/test_shop.py::test_login"
CONTROL = {"id": "V1.1.1", "level": 1, "state": "shown", "tests": {TEST: "passed"}}
CLEAN: dict[str, Any] = {
    "schema_version": SCHEMA,
    "project": "site",
    "package": "1.0.1+vendored",
    "package_sha256": digest_list(HASHES),
    "upstream_release": "1.0.1",
    "fixes": ["GHSA-2222-3333-4444"],
    "commit": "5af3e0a61d0c58ac81c24b5b77e1d29a54b1f9c3",
    "time": NOW.isoformat(),
    "ci_run": None,
    "complete": True,
    "exit_status": 0,
    "result": "green",
    "totals": {"passed": 211, "failed": 0},
    "failed": [],
    "did_not_run": {},
    "left_out": {},
    "exempt": {},
    "guard": {},
    "accepted": {"scans/suppressions.xml": 0},
    "problems": [],
    "controls": [CONTROL],
}


def write_project(folder: Path, name: str, **changes: object) -> Path:
    """Write the evidence of a project, with changes; return its file."""
    project = name.rpartition("/")[2]
    target = folder / "evidence" / name
    target.mkdir(parents=True, exist_ok=True)
    file = target / "controls.json"
    text = json.dumps(CLEAN | {"project": project} | changes)
    file.write_text(text, encoding="utf-8")
    return file
