"""Duration of generation, relative to cookiecutter alone that writes the same files.

Its tree has the package's source in vendor/, and neither hooks nor line statements.
"""

import json
import shutil
import statistics
import tempfile
import time
from pathlib import Path

from benchmarks import generate, print_table
from tests.support.baking import (
    ALL_OFF,
    ALL_ON,
    RAW,
    Answers,
    copy_template,
    is_text,
)

ROUNDS = 15


def strip(template: Path) -> None:
    """Put the package into the tree; remove the hooks and the line statements."""
    for hook in (template / "hooks").iterdir():
        hook.unlink()
    shutil.copytree(template / "src", template / RAW / "vendor" / "secure-django")
    path = template / "cookiecutter.json"
    answers = json.loads(path.read_text(encoding="utf-8"))
    del answers["_jinja2_env_vars"]
    answers["_copy_without_render"].append("vendor")
    path.write_text(json.dumps(answers), encoding="utf-8")
    for path in (template / RAW).rglob("*"):
        if is_text(path):
            lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
            path.write_text(
                "".join(line for line in lines if "# %" not in line), encoding="utf-8"
            )


def seconds(template: Path, answers: Answers, home: Path) -> float:
    """Generate a project, and return the duration."""
    with tempfile.TemporaryDirectory() as output:
        started = time.perf_counter()
        generate(template, Path(output), answers, home)
        return time.perf_counter() - started


def main() -> None:
    """Alternate the runs, so that other load affects all alike; print the medians."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        template, bare = copy_template(home / "template"), copy_template(home / "bare")
        strip(bare)
        runs = {
            "cookiecutter alone, the same files": (bare, ALL_ON),
            "everything chosen": (template, ALL_ON),
            "nothing chosen": (template, ALL_OFF),
        }
        times: dict[str, list[float]] = {name: [] for name in runs}
        for _ in range(ROUNDS):
            for name, (source, answers) in runs.items():
                times[name].append(seconds(source, answers, home))
    medians = {name: statistics.median(taken) for name, taken in times.items()}
    base = medians["cookiecutter alone, the same files"]
    print_table(
        [f"generation, median of {ROUNDS}", "seconds", "ratio"],
        [[name, median, median / base] for name, median in medians.items()],
    )


if __name__ == "__main__":
    main()
