"""Score the features that the authors of the guard have not read.

Each feature goes into a copy of a generated project. Its exploits show which of its
weaknesses are there. Then somebody in a hurry pastes its access table, and the
project's checks and other tools run once. A weakness is noticed when a failure names
its place with a fitting word, as in tests.guard.hurried.

uv run python -m benchmarks.unseen [--feature polls] [--save FILE] [--folder FOLDER]
"""

import argparse
import json
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import NamedTuple

from benchmarks import generated, print_table
from benchmarks.unseen import FOLDER
from benchmarks.unseen.others import run_others
from benchmarks.unseen.pasting import add_tests, paste_table
from benchmarks.unseen.schemathesis import run_schemathesis
from benchmarks.unseen.words import KINDS, SCHEMATHESIS
from tests.guard.hurried import Feature, Weakness, read_features
from tests.guard.hurried.checks import (
    Outcome,
    add_feature,
    find_notices,
    run_checks,
    run_exploits,
)
from tests.support.baking import ALL_ON

GUARD = "the project"  # its own checks: the guard, Ruff, Bandit and the others
OTHERS = ["Bandit", "Bandit -ll", "Ruff S", "check --deploy", "Schemathesis"]
TOOLS = [GUARD, *OTHERS]
# What the project says when the guard itself breaks.
BROKEN = ("INTERNALERROR", "Traceback", "was not asked")


class Scored(NamedTuple):
    """A weakness, and the lines by which each tool names it."""

    feature: str
    name: str
    kind: str
    is_serious: bool
    is_there: bool  # its exploit has passed
    is_prevented: bool  # by the project, as the feature's file says
    lines: dict[str, list[str]]  # by the name of the tool

    def is_noticed_by(self, tool: str) -> bool:
        """Return whether a tool names it, and it is there."""
        return self.is_there and bool(self.lines.get(tool))


def parse_arguments() -> argparse.Namespace:
    """Return the options of the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.unseen")
    parser.add_argument("--feature", action="append", help="only this one")
    parser.add_argument(
        "--folder", type=Path, default=FOLDER, help="of other features in this form"
    )
    parser.add_argument(
        "--exploits-only", action="store_true", help="only prove the weaknesses"
    )
    parser.add_argument(
        "--own-words",
        action="store_true",
        help="let a weakness name words of its own, as the features in a hurry do",
    )
    parser.add_argument(
        "--show", action="store_true", help="print the lines that name a weakness"
    )
    parser.add_argument(
        "--save", type=Path, help="write each weakness with its lines to this file"
    )
    parser.add_argument(
        "--read", type=Path, help="only print the tables of what --save has written"
    )
    return parser.parse_args()


def choose(options: argparse.Namespace) -> list[Feature]:
    """Return the named features of the folder, by default all."""
    features = read_features(options.folder.resolve(), KINDS)
    if not options.own_words:
        features = [with_words_of_kinds(feature) for feature in features]
    names = options.feature or [feature.name for feature in features]
    unknown = set(names) - {feature.name for feature in features}
    if unknown:
        sys.exit(f"Unknown features: {', '.join(sorted(unknown))}.")
    return [feature for feature in features if feature.name in names]


def with_words_of_kinds(feature: Feature) -> Feature:
    """Return a feature whose weaknesses are found by the words of their kinds alone."""
    weaknesses = [
        weakness._replace(words=KINDS[weakness.kind]) for weakness in feature.weaknesses
    ]
    return feature._replace(weaknesses=weaknesses)


def score(feature: Feature, project: Path, options: argparse.Namespace) -> list[Scored]:
    """Return what each tool notices of a feature, in a copy of a project."""
    with tempfile.TemporaryDirectory() as folder:
        copy = shutil.copytree(project, Path(folder) / "my-secure-site")
        add_feature(feature, copy)
        forget_table(feature, copy)
        add_tests(feature, copy)
        texts = run_exploits(copy, feature)
        there = {it.name for it in feature.weaknesses if not failure_of(it, texts)}
        tell_of_exploits(feature, texts)
        if options.exploits_only:
            outcomes: dict[str, list[Outcome]] = {}
        else:
            outcomes = run_tools(feature, copy)
    return [
        Scored(
            feature=feature.name,
            name=weakness.name,
            kind=weakness.kind,
            is_serious=weakness.is_serious,
            is_there=weakness.name in there,
            is_prevented=bool(weakness.prevented) and weakness.name not in there,
            lines=find_lines(feature, weakness, outcomes),
        )
        for weakness in feature.weaknesses
    ]


def forget_table(feature: Feature, project: Path) -> None:
    """Delete the access table of a feature that has one, so that it is unseen too."""
    (project / feature.name / "tests" / "table.py").unlink(missing_ok=True)


def failure_of(weakness: Weakness, texts: dict[str, str]) -> str:
    """Return why the exploit of a weakness has failed, nothing if it passed."""
    return texts.get(weakness.exploit, "It did not run.")


def tell_of_exploits(feature: Feature, texts: dict[str, str]) -> None:
    """Tell which exploits do not pass, or pass though they were prevented."""
    for weakness in feature.weaknesses:
        text = failure_of(weakness, texts)
        if text and not weakness.prevented:
            tell(f"{feature.name}: {weakness.exploit} fails:\n{text}")
        if weakness.prevented and not text:
            tell(f"{feature.name}: {weakness.exploit} is prevented no more")


def run_tools(feature: Feature, project: Path) -> dict[str, list[Outcome]]:
    """Run all tools, and return what each says. The others know of no access table."""
    outcomes = {outcome.check: [outcome] for outcome in run_others(project, feature)}
    for problem in paste_table(feature, project):
        tell(f"{feature.name}: not made mechanically: {problem}")
    outcomes["Schemathesis"] = [run_schemathesis(project, feature)]
    outcomes[GUARD] = run_checks(project, feature)
    for check in [*outcomes[GUARD], *outcomes["Schemathesis"]]:
        number = len(check.failures)
        tell(f"{feature.name}: {check.check}: {number} failures, {check.seconds:.0f} s")
    for line in broken_lines(outcomes[GUARD]):
        tell(f"{feature.name}: broken: {line}")
    return outcomes


def broken_lines(outcomes: list[Outcome]) -> list[str]:
    """Return the lines that tell of an error of a check itself."""
    return [
        f"{failure.title}: {line}"
        for outcome in outcomes
        for failure in outcome.failures
        for line in failure.lines
        if any(word in line for word in BROKEN)
    ]


def find_lines(
    feature: Feature, weakness: Weakness, outcomes: dict[str, list[Outcome]]
) -> dict[str, list[str]]:
    """Return the lines of each tool that name a weakness, each once."""
    lines: dict[str, list[str]] = {}
    for tool, found in outcomes.items():
        further = SCHEMATHESIS.get(weakness.kind) if tool == "Schemathesis" else None
        words = f"{weakness.words}|{further}" if further else weakness.words
        notices = find_notices(feature, weakness._replace(words=words), found)
        own_lines = list(dict.fromkeys(notice.line for notice in notices))
        if own_lines:
            lines[tool] = own_lines
    return lines


def tell(text: str) -> None:
    """Print what happens beside the tables."""
    print(text, file=sys.stderr, flush=True)


def count(scored: Iterable[Scored], is_counted: Callable[[Scored], bool]) -> str:
    """Return how many are counted, and how many of them are serious."""
    counted = [it for it in scored if is_counted(it)]
    serious = sum(it.is_serious for it in counted)
    return f"{len(counted)} ({serious})"


def row_of(name: str, scored: list[Scored]) -> list[object]:
    """Return the numbers of a row: of a feature, of a kind, or of all."""
    return [
        name,
        count(scored, lambda _: True),
        count(scored, lambda it: it.is_prevented),
        count(scored, lambda it: not it.is_there and not it.is_prevented),
        *[count(scored, partial(Scored.is_noticed_by, tool=tool)) for tool in TOOLS],
    ]


def print_results(scored: list[Scored]) -> None:
    """Print a table by features, and one by kinds."""
    names = {
        "feature": [it.feature for it in scored],
        "kind": [it.kind for it in scored],
    }
    for title, names_of_scored in names.items():
        groups: dict[str, list[Scored]] = {}
        for name, it in zip(names_of_scored, scored, strict=True):
            groups.setdefault(name, []).append(it)
        rows = [row_of(name, groups[name]) for name in sorted(groups)]
        header = [title, "weaknesses (serious)", "prevented", "not shown"]
        print_table([*header, *TOOLS], [*rows, row_of("all", scored)])
        print()


def print_lines(scored: list[Scored]) -> None:
    """Print the line of each tool that names a weakness."""
    for it in scored:
        print(f"{it.feature}: {it.name}, {it.kind}")
        for tool, lines in it.lines.items():
            for line in lines:
                print(f"    {tool}: {line}")
    print()


def score_all(options: argparse.Namespace) -> list[Scored]:
    """Score the chosen features, and go on after one that breaks the tool."""
    scored: list[Scored] = []
    with generated(ALL_ON) as project:
        for feature in choose(options):
            try:
                scored += score(feature, project, options)
            except (Exception, SystemExit) as error:  # noqa: BLE001 - it is told
                tell(f"{feature.name} was not scored: {type(error).__name__}: {error}")
            if options.save:
                content = [it._asdict() for it in scored]
                options.save.write_text(json.dumps(content, indent=1), encoding="utf-8")
    return scored


def main() -> None:
    """Score the chosen features, or read what was scored."""
    options = parse_arguments()
    if options.read:
        content = json.loads(options.read.read_text(encoding="utf-8"))
        scored = [Scored(**it) for it in content]
    else:
        scored = score_all(options)
    if options.show:
        print_lines(scored)
    print_results(scored)


if __name__ == "__main__":
    main()
