"""The tiers of the suite: which tests run when. README.md has their table.

A test without a marker is of the quick tier. The marker `tier` names another one, and
for the scheduled tier the files that the test is about. The guard and the controls,
which the package adds to each project's tests, are of the whole tier here: the quick
tier has them in the project that it generates.

    pytestmark = pytest.mark.tier("whole")
    pytestmark = pytest.mark.tier("scheduled", "docs/recipes/api*.md")
"""

from collections.abc import Iterable, Sequence
from fnmatch import fnmatch
from pathlib import Path

import pytest

from tests.support.baking import ROOT, run

QUICK = "quick"
WHOLE = "whole"
SCHEDULED = "scheduled"
TIERS = (QUICK, WHOLE, SCHEDULED)
TESTS = ROOT / "tests"
# The folders whose tests generate projects. Those of the others run in place.
GENERATING = {"production", "recipes", "template"}
# What every scheduled test is about: its tools.
SHARED_PATHS = ("pyproject.toml", "tests/conftest.py", "tests/support/*")


def tier_of(item: pytest.Item) -> str:
    """Return the tier of a test: that of its nearest marker."""
    if not item.nodeid.startswith("tests/"):
        return WHOLE
    marker = item.get_closest_marker("tier")
    if marker is None:
        return QUICK
    tier = str(marker.args[0])
    if tier not in (WHOLE, SCHEDULED):
        message = f"{item.nodeid}: there is no tier {tier}"
        raise pytest.UsageError(message)
    return tier


def named_paths(config: pytest.Config) -> list[Path]:
    """Return the files and folders of the command: by default, all tests."""
    names = [argument.partition("::")[0] for argument in config.args]
    return [(config.invocation_params.dir / name).resolve() for name in names]


def choose_tier(config: pytest.Config) -> None:
    """Choose the quick tier, unless a file, a name or a marker chooses the tests.

    The processes of pytest-xdist receive the option.
    """
    option = config.option
    is_file_named = not all(path.is_dir() for path in named_paths(config))
    if not (option.tier or is_file_named or option.keyword or option.markexpr):
        option.tier = QUICK


def is_in_room(path: Path) -> bool:
    """Return whether the tests at a path are of the package, and not all of them."""
    if path == TESTS or not path.is_relative_to(TESTS):
        return False
    return path.relative_to(TESTS).parts[0] not in GENERATING


def limit_of(item: pytest.Item) -> float:
    """Return the seconds of a test's own limit, or 0 if it has the common one."""
    marker = item.get_closest_marker("timeout")
    return float(marker.args[0]) if marker else 0


def paths_of(item: pytest.Item) -> Sequence[str]:
    """Return the patterns of the files that a scheduled test is about."""
    marker = item.get_closest_marker("tier")
    patterns: Sequence[str] = marker.args[1:] if marker else ()
    module = item.nodeid.partition("::")[0]
    return (*patterns, module, *SHARED_PATHS)


def changed_since(commit: str) -> list[str]:
    """Return the files that differ from a commit."""
    names = run(ROOT, "git", "diff", "--name-only", "-z", commit).split("\0")
    return [name for name in names if name]


def is_touched(patterns: Iterable[str], changed: Iterable[str]) -> bool:
    """Return whether a changed file matches a pattern, in which `*` matches `/` too."""
    return any(fnmatch(path, pattern) for path in changed for pattern in patterns)


def split(
    items: Sequence[pytest.Item], tier: str, changed: Sequence[str] | None, part: str
) -> tuple[list[pytest.Item], list[pytest.Item]]:
    """Return the tests of a tier that run, and all others.

    With `changed`, a list of files, a test of the scheduled tier runs only if one of
    them is among those that it is about. `part`, such as 2/3, selects one of several
    parts of equal size.
    """
    number, parts = (int(text) for text in part.split("/"))
    wanted = [item for item in items if tier_of(item) == tier]
    if changed is not None:
        wanted = [item for item in wanted if is_touched(paths_of(item), changed)]
    chosen = wanted[number - 1 :: parts]
    left_out = set(items) - set(chosen)
    return chosen, [item for item in items if item in left_out]
