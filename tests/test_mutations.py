"""The mutations of benchmarks/mutations.py fit the code, and benchmarks/mutants.py finds missing tests."""

from pathlib import Path

import pytest

from benchmarks.mutants import NOTICED, SURVIVES, equivalent, find, find_all, outcome
from benchmarks.mutations import FEATURES, FOUNDATION, Mutation
from tests.support.baking import ALL_OFF, ALL_ON, Answers, Project


@pytest.mark.parametrize(("answers", "mutations"), [(ALL_OFF, FOUNDATION), (ALL_ON, FEATURES)], ids=["off", "on"])
def test_every_mutation_changes_the_code_at_one_place(
    answers: Answers, mutations: list[Mutation], pristine: Project
) -> None:
    project = pristine(answers)
    outdated = [mutation.name for mutation in mutations if not mutation.fits(project)]
    assert not outdated, "\n".join(outdated)


def test_mutations_have_unique_names() -> None:
    mutations = FOUNDATION + FEATURES
    assert len({mutation.name for mutation in mutations}) == len(mutations)


def test_mutation_that_breaks_no_code_is_refused(tmp_path: Path) -> None:
    (tmp_path / "module.py").write_text(
        'def work():\n    """Return 1."""\n    return 1  # the first\n', encoding="utf-8"
    )
    (tmp_path / "page.html").write_text("<p>{# A comment #}</p>\n", encoding="utf-8")
    for path, old in (("module.py", "# the first"), ("module.py", "Return 1."), ("page.html", "A comment")):
        assert not Mutation("a comment", path, old, "").fits(tmp_path)
    assert not Mutation("no code", "module.py", "return 1", "return (").fits(tmp_path)
    assert Mutation("the result", "module.py", "return 1", "return 2").fits(tmp_path)


def test_pull_request_runs_the_mutations_of_what_it_changes() -> None:
    mutation = Mutation("an upload", "uploads/services.py", "old")
    assert mutation.is_about(["uploads/services.py"])
    assert mutation.is_about(["uploads/tests/test_services.py"])
    assert not mutation.is_about(["uploads/views.py", "core/tests/test_headers.py"])


def test_listed_equivalent_mutants_are_in_the_code(pristine: Project) -> None:
    found = {mutant.describe(source) for mutant, source in find_all(pristine(ALL_ON))}
    outdated = [it for it in equivalent() if (it["path"], it["change"], it["line"]) not in found or not it["reason"]]
    assert not outdated


@pytest.mark.slow
def test_mutant_survives_once_its_test_is_removed(project: Project) -> None:
    site = project(ALL_OFF)
    (mutant,) = [it for it in find(site) if it.path == "core/ratelimit.py" and it.text == " != "]
    tests = site / "core" / "tests" / "test_ratelimit.py"
    modules = ["core/tests/test_ratelimit.py"]
    assert outcome(mutant, site, modules) == NOTICED
    before, line, rest = tests.read_text(encoding="utf-8").partition(
        "    assert (response.status_code, response.headers"
    )
    tests.write_text(before + rest.partition("\n")[2], encoding="utf-8")
    assert line
    assert outcome(mutant, site, modules) == SURVIVES
