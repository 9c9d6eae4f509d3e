"""Forms take the fields that they offer, whatever else a request has."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from django.db import transaction
from django.urls import get_resolver

from secure_django.testing import PASSWORD, HTTPSClient, MakePhoto
from users.models import User

pytestmark = pytest.mark.tier("whole")


def urls(
    patterns: list[Any], values: Mapping[str, object], prefix: str = "/"
) -> Iterator[str]:
    """Yield the URL of every view, with these values for its parameters, or else 1."""
    for pattern in patterns:
        parameter = r"\(\?P<(\w+)>.*?\)|<(?:\w+:)?(\w+)>"
        part = re.sub(
            parameter,
            lambda it: str(values.get(it[1] or it[2], 1)),
            str(pattern.pattern),
        )
        if hasattr(pattern, "url_patterns"):
            yield from urls(pattern.url_patterns, values, prefix + part)
        else:
            yield prefix + part.strip("^$")


@pytest.mark.parametrize("target", ["photo", "user"])
def test_forms_ignore_fields_that_they_do_not_offer(
    target: str,
    client: HTTPSClient,
    user: User,
    other_user: User,
    make_photo: MakePhoto,
) -> None:
    new_phrase = "a harbor at noon"
    photo = make_photo()
    fields = dict.fromkeys(("password", "old_password", "oldpassword"), PASSWORD)
    fields |= dict.fromkeys(
        ("new_password1", "new_password2", "password1", "password2"), new_phrase
    )
    fields |= {
        "is_staff": "1",
        "is_superuser": "1",
        "user_permissions": "1",
        "groups": "1",
        "status": "approved",
    }
    fields |= {"owner": str(other_user.pk), "user": str(other_user.pk)}
    object_id = photo.pk if target == "photo" else user.pk
    values = {
        "photo_id": photo.pk,
        "object_id": object_id,
        "variant": "display",
        "app_label": "secure_django_photos",
    }
    for url in urls(get_resolver().url_patterns, values):
        with transaction.atomic():
            client.force_login(user)
            client.post(url, fields)
            user.refresh_from_db()
            photo.refresh_from_db()
            assert (
                user.is_staff,
                user.is_superuser,
                user.user_permissions.count(),
            ) == (False, False, 0), url
            assert (photo.status != "approved", photo.owner) == (True, user), url
            transaction.set_rollback(True)
