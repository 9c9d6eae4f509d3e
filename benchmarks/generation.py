"""Duration of generation, compared with cookiecutter on a tree without hooks.

The tree is the same, without line statements.
"""

import re
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
    """Remove the hooks and the line statements from a template."""
    for hook in (template / "hooks").iterdir():
        hook.unlink()
    answers = template / "cookiecutter.json"
    text = answers.read_text(encoding="utf-8")
    answers.write_text(re.sub(r' *"_jinja2_env_vars".*\n', "", text), encoding="utf-8")
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
            "cookiecutter alone, on the same tree": (bare, ALL_ON),
            "everything chosen": (template, ALL_ON),
            "nothing chosen": (template, ALL_OFF),
        }
        times: dict[str, list[float]] = {name: [] for name in runs}
        for _ in range(ROUNDS):
            for name, (source, answers) in runs.items():
                times[name].append(seconds(source, answers, home))
    medians = {name: statistics.median(taken) for name, taken in times.items()}
    base = medians["cookiecutter alone, on the same tree"]
    print_table(
        [f"generation, median of {ROUNDS}", "seconds", "ratio"],
        [[name, median, median / base] for name, median in medians.items()],
    )


if __name__ == "__main__":
    main()
