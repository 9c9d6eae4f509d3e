"""Who gets which response from each URL here: see secure_django/guard/access.py."""

from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage

from secure_django.guard.users import new_user
from secure_django.photos.fields import PhotoField
from secure_django.photos.images import VARIANTS
from secure_django.photos.models import Photo, Status
from secure_django.testing.photos import PIXELS, create_photo
from secure_django.user import User

ROWS = """
/photos/<photo_id>/<variant>/                           404    200    404    404    200    # reviewer: image: reviewers decide about it
/admin/<app_label>/                                     log-in log-in log-in 404    200
/admin/secure_django_photos/photo/                      log-in log-in log-in 403    200    # reviewer: title, reason, email: reviewers decide about photos and their owners
/admin/secure_django_photos/photo/<object_id>/          log-in log-in log-in away   away
/admin/secure_django_photos/photo/<object_id>/change/   log-in log-in log-in 403    200    # reviewer: original_name, reason, detail, email: reviewers decide about photos and their owners
/admin/secure_django_photos/photo/<object_id>/history/  log-in log-in log-in 403    200
/admin/secure_django_photos/photo/*                     log-in log-in log-in 403    403
"""

# The tests of this app ask about them: who sees a photo, and how often one is stored.
TESTED = {"secure_django_photos.Photo", "secure_django_photos.Verdict"}
FIELDS = {"image"}
# The code reads these texts, so the tests write no marks into them.
KEPT = {"Photo.purpose", "Verdict.kind"}


def objects(owner: User) -> dict[str, Any]:
    """Make a photo that waits for review."""
    photo = create_photo(owner)
    return {
        "photo_id": photo.pk,
        "variant": "display",
        "object_id": photo.pk,
        "app_label": "secure_django_photos",
    }


def make_reviewer() -> User:
    reviewer: User = new_user(is_staff=True)
    codenames = ["view_photo", "review_photo"]
    permissions = Permission.objects.filter(
        content_type__app_label="secure_django_photos", codename__in=codenames
    )
    reviewer.user_permissions.set(permissions)
    return reviewer


def approve_photos() -> None:
    Photo.objects.update(status=Status.APPROVED)


PEOPLE = {"reviewer": make_reviewer}
SITUATIONS = [approve_photos]


def prepare(monkeypatch: pytest.MonkeyPatch) -> None:
    """Decode no photos, and wait for no disk: both have tests, and take long."""
    monkeypatch.setattr(
        "secure_django.storage.SyncedFileSystemStorage.sync", lambda *_: None
    )
    monkeypatch.setattr(
        "secure_django.photos.forms.validate_and_reencode", lambda *_: PIXELS
    )


def equip(owner: User) -> None:
    """Make a photo for views that find photos, or files by their path."""
    create_photo(owner)


def fill(field: Any, owner: User) -> Photo | None:
    return create_photo(owner, field.purpose) if isinstance(field, PhotoField) else None


def hide(row: object, text: str) -> dict[str, list[str]]:
    """Write a text in place of each variant of a photo."""
    if not isinstance(row, Photo):
        return {}
    sizes = {f"{variant}_size": len(text) for variant in VARIANTS}
    Photo.objects.filter(pk=row.pk).update(**sizes)
    for variant in VARIANTS:
        default_storage.delete(row.path(variant))
        default_storage.save(row.path(variant), ContentFile(text.encode()))
    return {"image": [row.path("display")]}


def is_shown(row: object, field: str, user: Any) -> bool:
    """Return whether the purpose of an approved photo shows it to a user."""
    if not isinstance(row, Photo) or field not in {"title", "image"}:
        return False
    return row.is_visible_to(user)
