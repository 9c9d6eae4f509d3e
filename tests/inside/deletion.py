"""Copied into a generated project: on PostgreSQL, an upload at the moment its account is deleted leaves nothing."""

# Imports are those of the generated project.
# mypy: ignore-errors
# ruff: noqa: I001, INP001

from pathlib import Path
from threading import Thread

import pytest
from django.db import connection, connections
from django.db.models.signals import pre_delete

from core.testing import MakeUser
from uploads.images import ReencodedImage
from uploads.models import Photo
from uploads.tests.photos import PUBLIC, create_photo
from users.models import User


@pytest.mark.django_db(transaction=True)
def test_upload_during_the_deletion_leaves_nothing(
    make_user: MakeUser, reencoded_image: ReencodedImage, media: Path
) -> None:
    assert connection.vendor == "postgresql"
    owner, uploads, errors = make_user(), [], []

    def upload() -> None:
        try:
            create_photo(User(pk=owner.pk), PUBLIC, reencoded_image)
        except User.DoesNotExist as error:
            errors.append(error)
        finally:
            connections.close_all()

    def start_upload(**_: object) -> None:
        uploads.append(Thread(target=upload))
        uploads[0].start()
        uploads[0].join(2)

    # After the project's own receiver, which has deleted the photos of that moment.
    pre_delete.connect(start_upload, sender=User)
    try:
        User.objects.get(pk=owner.pk).delete()
    finally:
        pre_delete.disconnect(start_upload, sender=User)
        uploads[0].join()
    assert errors
    assert not Photo.objects.exists()
    assert not [path for path in media.rglob("*") if path.is_file()]
