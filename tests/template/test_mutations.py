"""The mutations of benchmarks/mutations.py, and the mutants of benchmarks/mutants.py.

Mutations fit the code. Mutants show that a test is missing.
"""

import shutil
from pathlib import Path

import pytest

from benchmarks.covering import PACKAGE, Subject
from benchmarks.mutants import NOTICED, SURVIVES, find, outcome
from benchmarks.mutations import (
    MUTATIONS,
    Mutation,
    SubjectTests,
    detect,
)
from tests.support.baking import ALL_ON, Project

SERVICES = "src/secure_django/photos/services.py"


def folder_of(mutation: Mutation, template: Path, project: Path) -> Path:
    """Return the folder that has the file of a mutation."""
    return template if mutation.is_of_package else project


@pytest.mark.tier("whole")
def test_every_mutation_changes_the_code_at_one_place(
    template: Path, pristine: Project
) -> None:
    project = pristine(ALL_ON)
    outdated = [
        mutation.name
        for mutation in MUTATIONS
        if not mutation.fits(folder_of(mutation, template, project))
    ]
    assert not outdated, "\n".join(outdated)
    assert len({mutation.name for mutation in MUTATIONS}) == len(MUTATIONS)


def test_mutation_that_breaks_no_code_is_refused(tmp_path: Path) -> None:
    (tmp_path / "module.py").write_text(
        'def work():\n    """Return 1."""\n    return 1  # the first\n',
        encoding="utf-8",
    )
    (tmp_path / "page.html").write_text("<p>{# A comment #}</p>\n", encoding="utf-8")
    for path, old in (
        ("module.py", "# the first"),
        ("module.py", "Return 1."),
        ("page.html", "A comment"),
    ):
        assert not Mutation("a comment", path, old, "").fits(tmp_path)
    assert not Mutation("no code", "module.py", "return 1", "return (").fits(tmp_path)
    assert Mutation("the result", "module.py", "return 1", "return 2").fits(tmp_path)


@pytest.mark.tier("scheduled", "benchmarks/*")
def test_mutant_survives_once_its_test_is_removed(
    template: Path, tmp_path: Path
) -> None:
    copy = shutil.copytree(template, tmp_path / "copy")
    subject = Subject(copy, is_package=True)
    (mutant,) = [
        mutant
        for mutant in find(copy)
        if mutant.path == "src/secure_django/ratelimit.py" and mutant.text == " != "
    ]
    tests = copy / "tests" / "test_ratelimit.py"
    modules = ["tests/test_ratelimit.py"]
    assert outcome(mutant, subject, modules) == NOTICED
    before, line, rest = tests.read_text(encoding="utf-8").partition(
        "    assert (response.status_code, response.headers"
    )
    tests.write_text(before + rest.partition("\n")[2], encoding="utf-8")
    assert line
    assert outcome(mutant, subject, modules) == SURVIVES


@pytest.mark.tier("scheduled", "benchmarks/*")
@pytest.mark.parametrize("path", [SERVICES, "config/settings.py"])
def test_mutation_is_detected_by_a_test_of_its_control(
    path: str, template: Path, project: Project, tmp_path: Path
) -> None:
    is_package = path.startswith(PACKAGE)
    folder = shutil.copytree(template, tmp_path / "copy") if is_package else None
    subject = Subject(folder or project(ALL_ON), is_package=is_package)
    mutation = next(mutation for mutation in MUTATIONS if mutation.path == path)
    name, _, control = detect(mutation, SubjectTests(subject))
    assert name == mutation.name
    assert control
