"""The mutations of benchmarks/mutations.py fit the code; the benchmark itself applies them."""

import pytest

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
