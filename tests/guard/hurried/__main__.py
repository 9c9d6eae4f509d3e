"""Measure what a project's checks notice of features that were written in a hurry.

Each feature goes into a copy of a generated project. Its exploits show that each of its
weaknesses is there. Then the project's own checks run. A weakness is noticed when a
failure names its place with a fitting word.

With --fixed, it counts the weaknesses that are left in the variants whose checks pass.

uv run python -m tests.guard.hurried [--feature shop] [--fixed] [--show]
"""

import argparse
import shutil
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

from benchmarks import generated, print_table
from tests.guard.hurried import Feature, Weakness, read_features
from tests.guard.hurried.checks import (
    Notice,
    add_feature,
    find_notice,
    run_checks,
    run_exploits,
    show_failures,
)
from tests.support.baking import ALL_ON

# What stands in the table for a weakness that no check names.
NOTHING = Notice("", 0.0, "")


class Result(NamedTuple):
    """What the checks notice of a feature."""

    feature: Feature
    notices: dict[str, Notice]  # by the name of the weakness

    def add_up(self, *, serious_only: bool = False) -> "Total":
        """Return how many weaknesses are noticed and prevented, of how many."""
        chosen = [
            weakness
            for weakness in self.feature.weaknesses
            if weakness.is_serious or not serious_only
        ]
        return Total(
            noticed=sum(it.name in self.notices for it in chosen if not it.prevented),
            prevented=sum(bool(weakness.prevented) for weakness in chosen),
            number=len(chosen),
        )


class Total(NamedTuple):
    """How many weaknesses there are, and what happens to them."""

    noticed: int  # by a check, of those that are not prevented
    prevented: int
    number: int

    def __str__(self) -> str:
        """Return it in words."""
        return f"{self.noticed} noticed, {self.prevented} prevented of {self.number}"


def parse_arguments() -> argparse.Namespace:
    """Return the options of the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.guard.hurried")
    parser.add_argument("--feature", action="append", help="only this one")
    parser.add_argument(
        "--exploits-only", action="store_true", help="run no check of the project"
    )
    parser.add_argument(
        "--fixed", action="store_true", help="count what is left once all checks pass"
    )
    parser.add_argument(
        "--show", action="store_true", help="print the lines that name a weakness"
    )
    parser.add_argument(
        "--project", type=Path, help="a generated project, in place of a new one"
    )
    return parser.parse_args()


def choose(names: list[str] | None) -> list[Feature]:
    """Return the named features, by default all."""
    features = read_features()
    known = [feature.name for feature in features]
    unknown = set(names or []) - set(known)
    if unknown:
        sys.exit(f"Unknown features: {', '.join(sorted(unknown))}. Known: {known}.")
    return [feature for feature in features if not names or feature.name in names]


def prove(feature: Feature, project: Path) -> None:
    """Stop unless exactly the exploits fail that the project prevents."""
    texts = run_exploits(project, feature)
    wrong: dict[str, str] = {}
    for weakness in feature.weaknesses:
        text = texts.get(weakness.exploit, "It did not run.")
        if bool(text) != bool(weakness.prevented):
            wrong[weakness.name] = text or "It is prevented no more."
    if wrong:
        details = "\n\n".join(f"{name}:\n{text}" for name, text in wrong.items())
        sys.exit(f"{feature.name}: {', '.join(wrong)}\n\n{details}")


def measure(feature: Feature, project: Path, options: argparse.Namespace) -> Result:
    """Prove the weaknesses of a feature, and return which of them are noticed."""
    notices: dict[str, Notice] = {}
    with tempfile.TemporaryDirectory() as folder:
        copy = shutil.copytree(project, Path(folder) / "my-secure-site")
        add_feature(feature, copy)
        prove(feature, copy)
        tell(f"{feature.name}: {len(feature.weaknesses)} weaknesses are there")
        if options.exploits_only:
            return Result(feature, notices)
        outcomes = run_checks(copy, feature)
        for outcome in outcomes:
            number = len(outcome.failures)
            tell(
                f"  {outcome.check}: {number} failures, {outcome.seconds:.1f} s of CPU"
            )
        for weakness in feature.weaknesses:
            notice = find_notice(feature, weakness, outcomes)
            if notice:
                notices[weakness.name] = notice
        if options.show:
            tell(show_failures(outcomes, feature))
            for name, notice in notices.items():
                tell(f"  {name}: {notice.check}: {notice.line}")
    return Result(feature, notices)


def measure_fixed(feature: Feature, project: Path) -> list[Weakness]:
    """Return the weaknesses that are left in a feature whose checks must all pass."""
    with tempfile.TemporaryDirectory() as folder:
        copy = shutil.copytree(project, Path(folder) / "my-secure-site")
        add_feature(feature, copy, "fixed")
        texts = run_exploits(copy, feature)
        outcomes = run_checks(copy, feature)
    failures = [
        line
        for outcome in outcomes
        for failure in outcome.failures
        for line in [f"{outcome.check}: {failure.title}", *failure.lines]
    ]
    if failures:
        sys.exit("\n".join([f"{feature.name} is not fixed:", *failures]))
    left = [it for it in feature.weaknesses if not texts[it.exploit]]
    tell(f"{feature.name}: {len(left)} of {len(feature.weaknesses)} are left")
    return left


def count_what_is_left(features: list[Feature], options: argparse.Namespace) -> None:
    """Print the weaknesses that are left, and their number."""
    left = measure_all(measure_fixed, features, options.project)
    rows: list[list[object]] = [
        [feature.name, weakness.name, "serious" if weakness.is_serious else ""]
        for feature, weaknesses in zip(features, left, strict=True)
        for weakness in weaknesses
    ]
    if rows:
        print_table(["feature", "weakness that is left", ""], rows)
    all_left = [weakness for weaknesses in left for weakness in weaknesses]
    serious = sum(weakness.is_serious for weakness in all_left)
    number = sum(len(feature.weaknesses) for feature in features)
    print(f"\n{len(all_left)} of {number} are left, {serious} of them serious.")


def tell(text: str) -> None:
    """Print what happens beside the tables."""
    print(text, file=sys.stderr, flush=True)


def print_results(results: list[Result]) -> None:
    """Print what is noticed by which check, for each feature, and the totals."""
    rows: list[list[object]] = []
    for result in results:
        for weakness in result.feature.weaknesses:
            notice = result.notices.get(weakness.name)
            rows.append(
                [
                    result.feature.name,
                    weakness.name,
                    weakness.kind,
                    "serious" if weakness.is_serious else "",
                    "prevented" if weakness.prevented else (notice or NOTHING).check,
                    f"{notice.seconds:.1f}" if notice else "",
                ]
            )
    print_table(["feature", "weakness", "kind", "", "noticed by", "CPU seconds"], rows)
    print()
    totals: list[list[object]] = [
        [
            result.feature.name,
            str(result.add_up()),
            str(result.add_up(serious_only=True)),
        ]
        for result in results
    ]
    print_table(["feature", "weaknesses", "serious ones"], totals)


def add_up_all(results: list[Result], *, serious_only: bool) -> Total:
    """Return the total of all features."""
    totals = [result.add_up(serious_only=serious_only) for result in results]
    return Total(*map(sum, zip(*totals, strict=True)))


def measure_all[T](
    measure_one: Callable[[Feature, Path], T],
    features: list[Feature],
    project: Path | None,
) -> list[T]:
    """Measure features on copies of one project, by default of a new one."""
    if project:
        return [measure_one(feature, project) for feature in features]
    with generated(ALL_ON) as new:
        return [measure_one(feature, new) for feature in features]


def main() -> None:
    """Measure the chosen features."""
    options = parse_arguments()
    features = choose(options.feature)
    if options.fixed:
        count_what_is_left(features, options)
        return
    results = measure_all(partial(measure, options=options), features, options.project)
    if options.exploits_only:
        number = sum(len(result.feature.weaknesses) for result in results)
        print(f"{number} weaknesses of {len(results)} features are shown.")
        return
    print_results(results)
    total = add_up_all(results, serious_only=False)
    serious = add_up_all(results, serious_only=True)
    print(f"\nAll weaknesses: {total}. The serious ones: {serious}.")


if __name__ == "__main__":
    main()
