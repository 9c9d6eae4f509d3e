"""What the site stores about a user, for that user: their fields, photos and objects.

Secrets have no place in it: of the log-in, names and dates alone are in it, and fields
that no form may have (`editable=False`) are left out.
"""

import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from django.apps import AppConfig, apps
from django.conf import settings
from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.urls import reverse

from secure_django.csv import replace_surrogates
from secure_django.deletion import CASCADING
from secure_django.login.fields import profile_fields
from secure_django.photos.fields import PhotoField
from secure_django.photos.models import Photo
from secure_django.user import User

ACCOUNT_FIELDS = ("email", "language", "decision_emails", "date_joined", "last_login")
PHOTO_FIELDS = ("title", "original_name", "status", "reason", "created_at")
FOLDERS_OF_OTHERS = {"node_modules", "site-packages", "vendor"}
ROWS_AT_ONCE = 500
# A row that stays when the person of its only key goes may be another's, whom that
# person serves. By these names of the key, it is the person's own.
OWN_NAME = re.compile(
    r"owner|author|user|customer|client|buyer|payer|sender|creator|member|uploader"
    r"|organi[sz]er|poster|reporter|requester|seller|submitter|writer"
    r"|(created|paid|posted|submitted|uploaded|written)_by"
)


def json_of(user: User) -> Iterator[str]:
    """Return the parts of a JSON file: few rows at a time are in memory."""
    yield f'{{\n"account": {encode(account(user))}'
    yield from json_of_rows("photos", photos(user))
    for name, rows in log_in_data(user):
        yield from json_of_rows(name, rows)
    for kind in own_kinds():
        yield from json_of_rows(kind.label, objects(user, kind))
    yield "\n}\n"


def json_of_rows(name: str, rows: Iterable[dict[str, Any]]) -> Iterator[str]:
    yield f",\n{encode(name)}: ["
    separator = "\n"
    for row in rows:
        yield separator + encode(row)
        separator = ",\n"
    yield "\n]"


def encode(value: Any) -> str:
    return replace_surrogates(json.dumps(value, cls=Encoder, ensure_ascii=False))


class Encoder(DjangoJSONEncoder):
    def default(self, o: Any) -> Any:
        try:
            return super().default(o)
        except TypeError:  # such as a file, or a value of a field of a package
            return str(o)


def account(user: User) -> dict[str, Any]:
    names = dict.fromkeys([*ACCOUNT_FIELDS, *profile_fields()])
    return {name: value_of(user, User._meta.get_field(name)) for name in names}


def photos(user: User) -> Iterator[dict[str, Any]]:
    rows = Photo.objects.filter(owner=user).not_deleted().order_by("created_at", "pk")
    for photo in rows.iterator(ROWS_AT_ONCE):
        values = {name: getattr(photo, name) for name in PHOTO_FIELDS}
        yield {"purpose": photo.purpose_label, **values, "url": url_of(photo)}


def log_in_data(user: User) -> Iterator[tuple[str, Iterator[dict[str, Any]]]]:
    """Return what the log-in stores about a user, by name and date, without secrets."""
    yield "devices", values_of("secure_django_login.Device", user, ["used_at"])
    emails = ["email", "verified", "primary"]
    yield "emails", values_of("account.EmailAddress", user, emails)
    if apps.is_installed("allauth.usersessions"):
        names = ["user_agent", "ip", "created_at", "last_seen_at"]
        yield "sessions", values_of("usersessions.UserSession", user, names)
    if apps.is_installed("allauth.mfa"):
        names = ["created_at", "last_used_at"]
        factors = apps.get_model("mfa.Authenticator")._base_manager.filter(user=user)
        yield (
            "second_factors",
            (
                {"name": str(factor), **{name: getattr(factor, name) for name in names}}
                for factor in factors.order_by("pk").iterator(ROWS_AT_ONCE)
            ),
        )


def values_of(label: str, user: User, names: list[str]) -> Iterator[dict[str, Any]]:
    rows = apps.get_model(label)._base_manager.filter(user=user).order_by("pk")
    yield from rows.values(*names).iterator(ROWS_AT_ONCE)


def url_of(photo: Photo) -> str | None:
    """Return the path of the image, or None if its files are deleted."""
    if not photo.has_files:
        return None
    return reverse("uploads:file", args=[photo.pk, "display"])


class Kind(NamedTuple):
    """Rows of a model that are a person's, and the ways from a row to the person."""

    model: type[models.Model]
    paths: list[str]

    @property
    def label(self) -> str:
        return str(self.model._meta.label_lower)


class UnclearOwnerError(Exception):
    """A row may be of one person and about another."""


def own_kinds() -> list[Kind]:
    """Return the models of the project whose rows are a person's.

    A row is, by its key to a user, or by its parents: it is deleted with each of them.
    A model whose rows name others as well says in `not_exported` why they are left out.
    """
    own = [
        model
        for model in apps.get_models(include_auto_created=True)
        if is_own(model) and model is not User
    ]
    kinds = [Kind(model, paths_to_owner(model)) for model in own]
    return sorted((it for it in kinds if it.paths), key=lambda kind: kind.label)


def is_own(model: type[models.Model]) -> bool:
    """Return whether a table is the project's own, and not one of rights in general."""
    if model._meta.proxy or not is_of_project(model._meta.app_config):
        return False
    targets = [field.related_model for field in model._meta.concrete_fields]
    if not model._meta.auto_created:
        return True
    return all(is_of_project(it._meta.app_config) for it in targets if it)


def paths_to_owner(model: type[models.Model]) -> list[str]:
    try:
        return list(find_paths((model,)))
    except UnclearOwnerError:
        return []


def find_paths(steps: tuple[type[models.Model], ...]) -> Iterator[str]:
    model = steps[-1]
    if getattr(model, "not_exported", ""):
        raise UnclearOwnerError
    if any(map(is_key_to_user, model._meta.concrete_fields)):
        key = key_of_owner(model)
        if key is None:
            raise UnclearOwnerError
        yield key.name
        return
    for key in keys_to_parents(model):
        parent = key.related_model
        if parent not in steps and is_of_project(parent._meta.app_config):
            yield from (f"{key.name}__{path}" for path in find_paths((*steps, parent)))


def keys_to_parents(model: type[models.Model]) -> list[Any]:
    keys: list[Any] = [
        field for field in model._meta.concrete_fields if field.remote_field
    ]
    return [key for key in keys if key.remote_field.on_delete in CASCADING]


def key_of_owner(model: type[models.Model]) -> Any:
    """Return the key to the user whose rows they are, or None.

    Of several keys to users, it is `owner`: without that name, a row may be of one user
    and about another. A single one says so by its name, or since the row goes with it.
    """
    keys = [field for field in model._meta.concrete_fields if is_key_to_user(field)]
    if len(keys) == 1:
        return keys[0] if leads_to_owner(keys[0]) else None
    return next((key for key in keys if key.name == "owner"), None)


def leads_to_owner(key: Any) -> bool:
    goes_along = key.remote_field.on_delete in CASCADING
    return goes_along or bool(OWN_NAME.fullmatch(key.name))


def is_of_project(app: AppConfig) -> bool:
    """Return whether an app is the project's own, and not of a package."""
    path = Path(app.path).resolve()
    root = Path(settings.BASE_DIR).resolve()
    if not path.is_relative_to(root):
        return False
    folders = path.relative_to(root).parts
    return not any(name in FOLDERS_OF_OTHERS or name[0] == "." for name in folders)


def is_key_to_user(field: models.Field) -> bool:
    related: Any = field.related_model
    return isinstance(related, type) and issubclass(related, User)


def objects(user: User, kind: Kind) -> Iterator[dict[str, Any]]:
    """Return the values of a person's rows, by the names of their fields."""
    meta = kind.model._meta
    fields: list[Any] = [*meta.concrete_fields, *meta.many_to_many]
    exported = [field for field in fields if is_exported(field)]
    photo_fields = [field.name for field in exported if isinstance(field, PhotoField)]
    lists = [field.name for field in exported if field.many_to_many]
    rows = rows_of(user, kind).order_by("pk").prefetch_related(*lists)
    if photo_fields:
        rows = rows.select_related(*photo_fields)
    for row in rows.iterator(ROWS_AT_ONCE):
        yield {field.name: value_of(row, field) for field in exported}


def rows_of(user: User, kind: Kind) -> models.QuerySet[Any]:
    """Return the rows that lead to a person, and to nobody else."""
    is_theirs = models.Q()
    is_of_others = models.Q()
    for path in kind.paths:
        is_theirs |= models.Q(**{path: user})
        is_named = models.Q(**{f"{path}__isnull": False})
        is_of_others |= is_named & ~models.Q(**{path: user})
    return kind.model._base_manager.filter(is_theirs).exclude(is_of_others)


def is_exported(field: models.Field) -> bool:
    """Return whether a form may have the field, or whether it says when the row came.

    A key to a user is either the person's own, or names somebody else.
    """
    # A model that extends the user's has the account's fields too, such as the hash of
    # the password.
    if field.model is User:
        return False
    is_time = getattr(field, "auto_now_add", False)
    return (field.editable or is_time) and not is_key_to_user(field)


def value_of(row: models.Model, field: Any) -> Any:
    """Return a value for JSON. Of a row of another model, it is the key alone."""
    if isinstance(field, PhotoField):
        photo: Photo | None = getattr(row, field.name)
        return photo and {"url": url_of(photo), "status": photo.status}
    if field.many_to_many:
        return [related.pk for related in getattr(row, field.name).all()]
    if field.is_relation:
        return getattr(row, field.attname)
    return getattr(row, field.name)
