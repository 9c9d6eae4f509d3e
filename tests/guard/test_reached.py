"""Among which models a view may search: only their keys are worth a question."""

import pytest
from django.contrib.auth.models import Permission
from django.contrib.contenttypes.models import ContentType
from django.db.models import Model

from secure_django.guard import reached
from secure_django.guard.reached import models_of_words, reached_models, reached_words

WORDS = {
    "show": {"find"},
    "find": {"Permission", "rest"},
    "Permission": {"content_type"},
    "other": {"Group"},
}


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ({"Permission"}, {Permission}),
        ({"content_type"}, {ContentType}),
        ({"permission_set"}, {Permission}),
        ({"Permission", "__all__"}, {Permission, ContentType}),
    ],
)
def test_words_name_a_model_or_lead_to_it(
    words: set[str], expected: set[type[Model]]
) -> None:
    assert {*models_of_words(words)} >= expected
    known = {Permission, ContentType}
    assert known & {*models_of_words(words)} == expected


def test_code_is_followed_as_far_as_names_lead_and_not_into_models(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(reached, "words_by_definition", lambda: WORDS)
    assert reached_words({"show"}) == {"find", "Permission", "rest"}


@pytest.mark.parametrize("start", [set(), {"show"}])
def test_code_that_cannot_be_followed_may_search_in_any_model(
    start: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    by_any_model = {"show": {"get_model", "Permission"}}
    monkeypatch.setattr(reached, "words_by_definition", lambda: by_any_model)
    monkeypatch.setattr(reached, "names_of_definitions", lambda _view: start)
    find = reached_models.__wrapped__
    assert find("/") == (Model,)
