"""The admin answers only lookups that it offers; only superusers give permissions."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.apps import apps
from django.contrib import admin
from django.contrib.auth.models import Group, Permission
from django.db.models import Model
from django.urls import reverse

from secure_django.admin import ModelAdmin
from secure_django.testing import PASSWORD, HTTPSClient, MakePhoto, MakeUser
from secure_django.user import User

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


@pytest.mark.control("V8.2.3")
@REGISTERED
def test_admin_answers_only_the_lookups_it_offers(
    model: type[Model], rf: Any, powerful_staff: User
) -> None:
    request, model_admin = rf.get("/"), admin.site.get_model_admin(model)
    request.user = powerful_staff
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
    powerful_staff: User,
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
    client.force_login(powerful_staff)
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
