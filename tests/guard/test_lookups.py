"""What the guard reads in a view's code: which row a parameter of its URL names."""

from functools import wraps
from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission
from django.db.models import Q
from django.shortcuts import get_object_or_404
from django.views.generic import DetailView, View

from secure_django.guard.keys import is_named_as_owner, leads_to_user
from secure_django.guard.lookups import Lookup, lookup_of, model_of_view
from secure_django.guard.parameters import follow


def decorated(view: Any) -> Any:
    @wraps(view)
    def inner(*args: Any) -> Any:
        return view(*args)

    return inner


@decorated
def by_shortcut(request: Any, group_id: int) -> Any:
    return get_object_or_404(Group, pk=group_id)


def by_manager(request: Any, name: str) -> Any:
    return Group.objects.filter(permissions=None).get(name__iexact=name)


def by_condition(request: Any, name: str) -> Any:
    return Group.objects.filter(Q(name=name) | Q(pk=1))


def by_relation(request: Any, kind: Any, code: str) -> Any:
    group: Any = get_object_or_404(Group, pk=kind)
    return get_object_or_404(group.content_type.permission_set, codename=code)


def by_two_models(request: Any, group: str, code: str) -> Any:
    return get_object_or_404(
        Permission, codename=code, group=get_object_or_404(Group, name=group)
    )


class ByModel(DetailView):
    model = Group
    slug_field = "name"
    slug_url_kwarg = "name"


class ByMethod(DetailView):
    def get_queryset(self) -> Any:
        return Permission.objects.all()


class ByKeywords(View):
    def get(self, request: Any, **kwargs: Any) -> Any:
        return Group.objects.get(name=self.kwargs["title"])


@pytest.mark.parametrize(
    ("view", "parameter", "expected"),
    [
        (by_shortcut, "group_id", Lookup(Group, "pk")),
        (by_manager, "name", Lookup(Group, "name__iexact")),
        (by_condition, "name", Lookup(Group, "name")),
        (by_relation, "code", Lookup(Permission, "codename")),
        (by_two_models, "group", Lookup(Group, "name")),
        (by_two_models, "code", Lookup(Permission, "codename")),
        (ByModel.as_view(), "pk", Lookup(Group, "pk")),
        (ByModel.as_view(), "name", Lookup(Group, "name")),
        (decorated(ByModel.as_view(model=Permission)), "pk", Lookup(Permission, "pk")),
        (ByMethod.as_view(), "pk", Lookup(Permission, "pk")),
        (ByKeywords.as_view(), "title", Lookup(Group, "name")),
        (by_shortcut, "year", None),
        (print, "pk", None),
    ],
)
def test_parameter_is_looked_up_as_the_view_does(
    view: Any, parameter: str, expected: Lookup | None
) -> None:
    assert lookup_of(view, parameter) == expected


def test_view_shows_the_first_model_that_it_searches() -> None:
    assert model_of_view(by_relation) is Group
    assert model_of_view(ByKeywords.as_view()) is Group
    assert model_of_view(print) is None


def test_path_is_followed_to_a_value() -> None:
    group = Group(pk=3, name="readers")
    assert follow(group, "name__iexact") == "readers"
    assert follow(group, "pk") == 3
    assert follow(group, "missing__pk") is None
    assert follow(group, "delete") is None


@pytest.mark.parametrize(
    ("name", "expected"),
    {
        "owner": True,
        "created_by": True,
        "from_user": True,
        "blog_author": True,
        "receiver": False,
        "to_user": False,
        "assigned_to": False,
        "reviewer": False,
        "approved_by": False,
    }.items(),
)
def test_owner_is_known_by_the_name_of_a_key(name: str, expected: bool) -> None:
    assert is_named_as_owner(name) is expected


def test_row_without_a_user_belongs_to_nobody() -> None:
    assert not leads_to_user(Permission)
