"""Made-up evidence of fifty projects, and the page of docs/evidence.md."""

import copy
import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from hashlib import sha1
from itertools import product
from pathlib import Path
from typing import Any

from secure_django.fleet.problems import digest_list
from tests.support.baking import ROOT, clean_environment

type Evidence = dict[str, Any]

GUIDE = (ROOT / "docs" / "evidence.md").read_text(encoding="utf-8")
HASHES = {"src/secure_django/csv.py": "1" * 64}
# It is about one release.
ADVISORY = {
    "id": "GHSA-2222-3333-4444",
    "summary": "The place of a photo is kept",
    "affected": [
        {
            "package": {"ecosystem": "PyPI", "name": "secure-django"},
            "ranges": [
                {
                    "type": "ECOSYSTEM",
                    "events": [{"introduced": "1.0.1"}, {"fixed": "1.0.2"}],
                }
            ],
        }
    ],
}
SUBJECTS = "archive birds coins ferry glass herbarium maps press shells tickets"
KINDS = "admin booking catalog events shop"
NAMES = [
    f"museum/{subject}-{kind}"
    for subject, kind in product(SUBJECTS.split(), KINDS.split())
]
RELEASES = ["1.0.0", "1.0.1", "1.0.2"]

# These projects have a problem each. The others have none.
VULNERABLE = "museum/archive-catalog"
EDITED = "museum/birds-admin"
UNMARKED = "museum/coins-shop"
DIRTY = "museum/ferry-admin"
PARTIAL = "museum/herbarium-events"
BEHIND = "museum/press-booking"
LEFT_OUT = "museum/tickets-admin"
RED = "museum/birds-shop"
SKIPPED_CONTROL = "museum/ferry-booking"
UNLISTED = "museum/glass-events"
OLD = "museum/maps-catalog"
MISSING = "museum/shells-admin"
# A requirement of level 1, with one test or more in every project.
CONTROL = "V3.3.1"

ONE_FAILED = {"passed": 1000, "failed": 1}
# What their files have.
CHANGES: dict[str, Evidence] = {
    VULNERABLE: {"package": "1.0.1+vendored", "upstream_release": "1.0.1", "fixes": []},
    BEHIND: {"package": "1.0.0+vendored", "upstream_release": "1.0.0"},
    EDITED: {"package_sha256": "0" * 64},
    UNMARKED: {
        "result": "red",
        "exit_status": 1,
        "failed": ["tests/test_shop.py::test_price"],
        "totals": ONE_FAILED,
    },
    PARTIAL: {"complete": False},
    LEFT_OUT: {"left_out": {"test_texts_are_limited": "the archive has long texts"}},
}


def green(evidence: Evidence) -> Evidence:
    """Return the evidence of a run in which every listed control was shown."""
    copied = copy.deepcopy(evidence)
    for control in copied["controls"]:
        if control["state"] in {"red", "not shown"}:
            control["state"] = "shown"
            control["tests"] = dict.fromkeys(control["tests"], "passed")
    return copied | {
        "result": "green",
        "exit_status": 0,
        "failed": [],
        "totals": {"passed": 1000},
        "did_not_run": {},
        "problems": [],
    }


def of_folder(evidence: Evidence, folder: Path) -> Evidence:
    """Return evidence about the project of a folder."""
    commit = sha1(folder.name.encode(), usedforsecurity=False).hexdigest()
    return evidence | {"project": folder.name, "commit": commit}


def vary(evidence: Evidence, name: str, number: int) -> Evidence:
    """Return the evidence of one of the fifty projects, derived from a real one."""
    varied = green(evidence) | {
        "package_sha256": digest_list(HASHES),
        "upstream_release": "1.0.2",
        "fixes": ["GHSA-2222-3333-4444"],
        "ci_run": None,
    }
    age = timedelta(hours=5 * number)
    (control,) = (it for it in varied["controls"] if it["id"] == CONTROL)
    if name == RED:
        failed = [*control["tests"]]
        varied |= {"result": "red", "exit_status": 1, "failed": failed}
        varied["totals"] = {"passed": 1000, "failed": len(failed)}
        control["state"] = "red"
    if name == SKIPPED_CONTROL:
        varied |= {"result": "red", "exit_status": 1}
        control["state"] = "not shown"
    if name == UNLISTED:
        varied["controls"].remove(control)
    if name == OLD:
        age = timedelta(days=95)
    commit = sha1(name.encode(), usedforsecurity=False).hexdigest()
    varied |= {"package": "1.0.2+vendored", "commit": commit}
    if name == DIRTY:
        varied["commit"] += "-dirty"
    varied |= CHANGES.get(name, {})
    return varied | {
        "project": name.rpartition("/")[2],
        "template_release": varied["package"].partition("+")[0],
        "time": (datetime.now(UTC) - age).isoformat(timespec="seconds"),
    }


def write_fleet(folder: Path, evidence: Evidence) -> None:
    """Write the evidence of fifty projects, as the commands of the guide collect it."""
    for number, name in enumerate(NAMES):
        target = folder / "evidence" / name
        target.mkdir(parents=True)
        if name != MISSING:
            text = json.dumps(vary(evidence, name, number))
            (target / "controls.json").write_text(text, encoding="utf-8")

    (folder / "advisories.json").write_text(json.dumps([ADVISORY]), encoding="utf-8")
    lines = [f"{sha256}  {name}\n" for name, sha256 in HASHES.items()]
    for release in RELEASES:
        file = folder / f"secure-django-{release}.sha256"
        file.write_text("".join(lines), encoding="utf-8")


def compare_fleet(folder: Path) -> subprocess.CompletedProcess[str]:
    """Compare the fifty projects, with all that the program compares."""
    hashes = [f"--hashes=secure-django-{release}.sha256" for release in RELEASES]
    advisories = "--advisories=advisories.json"
    return compare(folder, "--release=1.0.1", advisories, *hashes)


def compare(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Run the program of the guide, which writes evidence.html."""
    return subprocess.run(
        [sys.executable, "-m", "secure_django.fleet", "evidence", *options],
        cwd=folder,
        env=clean_environment(),
        check=False,
        capture_output=True,
        encoding="utf-8",
    )
