"""What the site stores about a user, for that user: their fields, photos and objects.

Secrets have no place in it: those of the log-in are in no model of a project, and
fields that no form may have (`editable=False`) are left out.
"""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from django.apps import AppConfig, apps
from django.conf import settings
from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.urls import reverse

from secure_django.csv import replace_surrogates
from secure_django.login.fields import profile_fields
from secure_django.photos.fields import PhotoField
from secure_django.photos.models import Photo
from secure_django.user import User

ACCOUNT_FIELDS = ("email", "language", "decision_emails", "date_joined", "last_login")
PHOTO_FIELDS = ("title", "original_name", "status", "reason", "created_at")
FOLDERS_OF_OTHERS = {"node_modules", "site-packages", "vendor"}
ROWS_AT_ONCE = 500


def json_of(user: User) -> Iterator[str]:
    """Return the parts of a JSON file: few rows at a time are in memory."""
    yield f'{{\n"account": {encode(account(user))}'
    yield from json_of_rows("photos", photos(user))
    for model, key in own_models():
        yield from json_of_rows(model._meta.label_lower, objects(user, model, key))
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


def url_of(photo: Photo) -> str | None:
    """Return the path of the image, or None if its files are deleted."""
    if not photo.has_files:
        return None
    return reverse("uploads:file", args=[photo.pk, "display"])


def own_models() -> list[tuple[type[models.Model], str]]:
    """Return the models of the project whose rows are a user's, and the keys to them.

    Their rows go with the account (CASCADE). A model whose rows name others as well
    says in `not_exported` why they are left out.
    """
    own = [
        model
        for model in apps.get_models()
        if model is not User and is_of_project(model._meta.app_config)
        if not getattr(model, "not_exported", "")
    ]
    found = [(model, key_of_owner(model)) for model in own if not model._meta.proxy]
    pairs = [(model, key.name) for model, key in found if key and goes_with_user(key)]
    return sorted(pairs, key=lambda pair: pair[0]._meta.label_lower)


def key_of_owner(model: type[models.Model]) -> Any:
    """Return the key to the user whose rows they are, or None.

    Of several keys to users, it is `owner`: without that name, a row may be of one user
    and about another.
    """
    keys = [field for field in model._meta.concrete_fields if is_key_to_user(field)]
    owners = [key for key in keys if key.name == "owner" or len(keys) == 1]
    return next(iter(owners), None)


def is_of_project(app: AppConfig) -> bool:
    """Return whether an app is the project's own, and not of a package."""
    path = Path(app.path).resolve()
    root = Path(settings.BASE_DIR).resolve()
    if not path.is_relative_to(root):
        return False
    folders = path.relative_to(root).parts
    return not any(name in FOLDERS_OF_OTHERS or name[0] == "." for name in folders)


def is_key_to_user(field: models.Field) -> bool:
    return field.related_model is User


def goes_with_user(key: Any) -> bool:
    return key.remote_field.on_delete is models.CASCADE


def objects(
    user: User, model: type[models.Model], key: str
) -> Iterator[dict[str, Any]]:
    """Return the values of a user's rows, by the names of their fields."""
    fields = [field for field in model._meta.concrete_fields if is_exported(field)]
    photo_fields = [field.name for field in fields if isinstance(field, PhotoField)]
    rows = model._base_manager.filter(**{key: user}).order_by("pk")
    if photo_fields:
        rows = rows.select_related(*photo_fields)
    for row in rows.iterator(ROWS_AT_ONCE):
        yield {field.name: value_of(row, field) for field in fields}


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
        return list(getattr(row, field.name).values_list("pk", flat=True))
    if field.is_relation:
        return getattr(row, field.attname)
    return getattr(row, field.name)
