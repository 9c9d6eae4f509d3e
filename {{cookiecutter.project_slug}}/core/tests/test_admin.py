"""The admin answers only lookups that it offers; only superusers give permissions."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.apps import apps
from django.conf import settings
from django.contrib import admin
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.models import Group, Permission
from django.db import connection
from django.db.models import Model
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from core.admin import ModelAdmin
from core.testing import PASSWORD, HTTPSClient, MakePhoto, MakeUser
from users.models import User

MODELS = [model for model in apps.get_models() if admin.site.is_registered(model)]
REGISTERED = pytest.mark.parametrize(
    "model", MODELS, ids=lambda model: model._meta.label
)
LOOKUPS = ["", "__exact", "__gte", "__startswith", "__regex", "__isnull"]


def paths(model: type[Model], levels: int = 2) -> Iterator[str]:
    """Yield the lookup of every field, those of related models included."""
    for field in model._meta.get_fields():
        yield field.name
        if levels and isinstance(field.related_model, type):
            yield from (
                f"{field.name}__{path}"
                for path in paths(field.related_model, levels - 1)
            )


def offered(model_admin: Any, request: Any) -> list[str]:
    filters = [
        list_filter[0] if isinstance(list_filter, tuple) else list_filter
        for list_filter in model_admin.get_list_filter(request)
    ]
    return [
        name for name in [*filters, model_admin.date_hierarchy] if isinstance(name, str)
    ]


@pytest.fixture
def staff(make_user: MakeUser) -> User:
    """Return a staff user with every permission who is not a superuser."""
    user = make_user("staff@example.com", is_staff=True)
    user.user_permissions.set(Permission.objects.all())
    return user


@pytest.mark.control("V8.2.3")
@REGISTERED
def test_admin_answers_only_the_lookups_it_offers(
    model: type[Model], rf: Any, staff: User
) -> None:
    request, model_admin = rf.get("/"), admin.site.get_model_admin(model)
    request.user = staff
    assert isinstance(model_admin, ModelAdmin)
    names = offered(model_admin, request)
    # A filter by a related object looks it up by its key.
    shown = {f"{name}{key}" for name in names for key in ("", "__id")}
    hidden = [
        f"{path}{lookup}"
        for path in paths(model)
        if path not in shown
        for lookup in LOOKUPS
    ]
    assert not [
        lookup for lookup in hidden if model_admin.lookup_allowed(lookup, "a", request)
    ]
    assert all(
        model_admin.lookup_allowed(f"{name}__exact", "1", request) for name in names
    )


@pytest.mark.control("V8.2.3")
def test_admin_list_refuses_a_search_by_lookup(
    client: HTTPSClient, staff: User
) -> None:
    client.force_login(staff)
    for query in (
        "date_joined__gte=2020-01-01",
        "email__startswith=a",
        "photos__original_name__isnull=0",
    ):
        assert client.get(f"/admin/users/user/?{query}").status_code == 400
    page = client.get("/admin/users/user/?is_staff__exact=1")
    assert (page.status_code, page.context["site_header"]) == (200, settings.SITE_NAME)


@pytest.mark.control("V16.4.2")
def test_account_of_former_staff_is_kept_for_its_record(
    client: HTTPSClient, staff: User, make_user: MakeUser
) -> None:
    boss = make_user("admin@example.com", is_staff=True, is_superuser=True)
    kept = [staff, boss, make_user("root@example.com", is_superuser=True)]
    other = make_user("other@example.com")
    LogEntry.objects.log_actions(
        staff.pk, [other], CHANGE, "Approved", single_object=True
    )
    User.objects.filter(pk=staff.pk).update(is_staff=False)
    client.force_login(boss)
    for user in (*kept, other):
        client.post(f"/admin/users/user/{user.pk}/delete/", {"post": "yes"})
    fields = {
        "action": "delete_selected",
        "_selected_action": [user.pk for user in kept],
        "post": "yes",
    }
    client.post("/admin/users/user/", fields)
    assert set(User.objects.all()) == set(kept)


@pytest.mark.control("edits")
def test_form_of_the_admin_undoes_nothing_that_was_saved_meanwhile(
    client: HTTPSClient, staff: User, user: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = admin.ModelAdmin.get_object

    def read_before_a_change(*args: Any) -> Any:
        instance = read(*args)
        User.objects.filter(pk=user.pk).update(password="new")
        return instance

    monkeypatch.setattr(admin.ModelAdmin, "get_object", read_before_a_change)
    client.force_login(staff)
    page = reverse("admin:users_user_change", args=[user.pk])
    with CaptureQueriesContext(connection) as queries:
        client.post(page, {"email": "new@example.com", "is_active": "on"})
    user.refresh_from_db()
    assert (user.email, user.password) == ("new@example.com", "new")
    locks = [query for query in queries if "FOR NO KEY UPDATE" in query["sql"]]
    assert locks or not connection.features.has_select_for_update


def permissions() -> list[Any]:
    """Return all groups and permissions, their holders, and staff's credentials."""
    relations: list[type[Model]] = [
        User.groups.through,
        User.user_permissions.through,
        Group.permissions.through,
        Group,
    ]
    guarded = User.objects.filter(is_staff=True) | User.objects.filter(
        is_superuser=True
    )
    credentials = guarded.values_list(
        "pk", "email", "password", "is_active", "is_staff", "is_superuser"
    )
    return [
        sorted(row)
        for row in (
            credentials,
            *(model._base_manager.values_list() for model in relations),
        )
    ]


def escalate(client: HTTPSClient, page: str) -> None:
    """Submit a form with its own values, plus permissions and credentials."""
    response = client.get(page)
    fields: dict[str, Any] = {"post": "yes"}
    if response.context and (adminform := response.context.get("adminform")):
        fields |= {name: adminform.form[name].value() for name in adminform.form.fields}
        for inline in response.context.get("inline_admin_formsets", []):
            fields |= {
                f"{inline.formset.prefix}-{name}": 0
                for name in ("TOTAL_FORMS", "INITIAL_FORMS")
            }
    fields |= dict.fromkeys(("password1", "password2"), PASSWORD + "!") | {
        "usable_password": "true"
    }
    fields |= dict.fromkeys(("is_staff", "is_superuser"), "on") | {"is_active": ""}
    fields |= {"name": "Administrators", "email": f"new{len(page)}@example.com"}
    fields["groups"] = [group.pk for group in Group.objects.all()]
    fields["permissions"] = fields["user_permissions"] = [
        permission.pk for permission in Permission.objects.all()
    ]
    client.post(
        page, {name: value for name, value in fields.items() if value is not None}
    )


@pytest.mark.control("V8.2.1")
@REGISTERED
def test_staff_cannot_give_permissions_or_take_over_staff(
    model: type[Model],
    client: HTTPSClient,
    staff: User,
    user: User,
    make_user: MakeUser,
    make_photo: MakePhoto,
) -> None:
    superuser = make_user("admin@example.com", is_staff=True, is_superuser=True)
    Group.objects.create(name="reviewers").permissions.set(
        Permission.objects.filter(codename="review_photo")
    )
    make_photo()
    name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
    client.force_login(staff)
    pages = [reverse(f"{name}_add")]
    for row in model._base_manager.order_by("pk"):
        pages += [
            reverse(f"{name}_{page}", args=[row.pk]) for page in ("change", "delete")
        ]
        pages += (
            [reverse("admin:auth_user_password_change", args=[row.pk])]
            if model is User
            else []
        )
    before = permissions()
    for page in pages:
        escalate(client, page)
        assert permissions() == before, page
    client.force_login(superuser)
    for page in pages[:2]:
        escalate(client, page)
    assert (permissions() != before) is (model in {User, Group})
