"""Made-up evidence of fifty projects, and the page that docs/evidence.md makes."""

import copy
import json
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from hashlib import sha1
from itertools import product
from pathlib import Path
from typing import Any

from tests.support.baking import ROOT, clean_environment

type Evidence = dict[str, Any]

GUIDE = (ROOT / "docs" / "evidence.md").read_text(encoding="utf-8")
(COMPARE,) = re.findall(r"```python\n(.*?)```", GUIDE, re.DOTALL)
SUBJECTS = "archive birds coins ferry glass herbarium maps press shells tickets"
KINDS = "admin booking catalog events shop"
NAMES = [
    f"museum/{subject}-{kind}"
    for subject, kind in product(SUBJECTS.split(), KINDS.split())
]
RELEASES = ["1.2.0", "1.2.0", "1.1.0"]

# Five projects with a problem each. The others have none.
RED = "museum/birds-shop"
SKIPPED_CONTROL = "museum/ferry-booking"
UNLISTED = "museum/glass-events"
OLD = "museum/maps-catalog"
MISSING = "museum/shells-admin"
# A requirement of level 1, with one test or more in every project.
CONTROL = "V3.3.1"


def green(evidence: Evidence) -> Evidence:
    """Return the evidence of a run in which every listed control was shown."""
    copied = copy.deepcopy(evidence)
    for control in copied["controls"]:
        if control["state"] in {"red", "not shown"}:
            control["state"] = "shown"
    return copied | {"result": "green", "exit_status": 0, "failed": []}


def vary(evidence: Evidence, name: str, number: int) -> Evidence:
    """Return the evidence of one of the fifty projects, derived from a real one."""
    varied = green(evidence)
    age = timedelta(hours=5 * number)
    (control,) = (it for it in varied["controls"] if it["id"] == CONTROL)
    if name == RED:
        varied |= {"result": "red", "exit_status": 1, "failed": [*control["tests"]]}
        control["state"] = "red"
    if name == SKIPPED_CONTROL:
        varied |= {"result": "red", "exit_status": 1}
        control["state"] = "not shown"
    if name == UNLISTED:
        varied["controls"].remove(control)
    if name == OLD:
        age = timedelta(days=95)
    return varied | {
        "project": name.rpartition("/")[2],
        "template_release": "1.0.0" if name == OLD else RELEASES[number % 3],
        "commit": sha1(name.encode(), usedforsecurity=False).hexdigest(),
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


def compare(folder: Path) -> subprocess.CompletedProcess[str]:
    """Run the guide's program, which writes evidence.html."""
    return subprocess.run(
        [sys.executable, "-c", COMPARE],
        cwd=folder,
        env=clean_environment(),
        check=False,
        capture_output=True,
        encoding="utf-8",
    )
