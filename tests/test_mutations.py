"""The mutations of benchmarks/mutations.py fit the code, and benchmarks/mutants.py finds missing tests."""

import pytest

from benchmarks.mutants import NOTICED, SURVIVES, find, outcome
from benchmarks.mutations import FEATURES, FOUNDATION, Mutation
from tests.support.baking import ALL_OFF, ALL_ON, Answers, Project


@pytest.mark.parametrize(("answers", "mutations"), [(ALL_OFF, FOUNDATION), (ALL_ON, FEATURES)], ids=["off", "on"])
def test_every_mutation_fits_the_code_once(answers: Answers, mutations: list[Mutation], pristine: Project) -> None:
    project = pristine(answers)
    outdated = [mutation.name for mutation in mutations if not mutation.fits(project)]
    assert not outdated, "\n".join(outdated)


def test_mutations_change_the_code_and_have_unique_names() -> None:
    mutations = FOUNDATION + FEATURES
    assert len({mutation.name for mutation in mutations}) == len(mutations)
    assert not [mutation.name for mutation in mutations if mutation.old == mutation.new]


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
