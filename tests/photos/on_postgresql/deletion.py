"""An upload beside the deletion of its account or a review."""

from pathlib import Path
from threading import Thread

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import DatabaseError, connection, connections
from django.db.models.signals import pre_delete, pre_save

from secure_django.photos.images import NewPhoto, ReencodedImage
from secure_django.photos.models import Photo, Verdict
from secure_django.photos.services import delete_photo, review_photo, storing_photos
from secure_django.testing import MakeUser
from secure_django.testing.photos import PUBLIC, create_photo
from users.models import User


@pytest.mark.django_db(transaction=True)
def test_upload_during_the_deletion_leaves_nothing(
    make_user: MakeUser, reencoded_image: ReencodedImage, media: Path
) -> None:
    assert connection.vendor == "postgresql"
    owner = make_user()
    uploads = []
    errors = []

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


@pytest.mark.django_db(transaction=True)
def test_reviewer_who_replaces_a_photo_under_review_causes_no_deadlock(
    reviewer: User, reencoded_image: ReencodedImage
) -> None:
    photo = create_photo(reviewer, PUBLIC, reencoded_image)
    replacements: list[Thread] = []
    errors: list[Exception] = []

    def replace() -> None:
        try:
            with storing_photos(
                reviewer,
                "",
                {
                    "photo": NewPhoto(
                        SimpleUploadedFile("a.jpg", b""), PUBLIC, reencoded_image
                    )
                },
            ):
                delete_photo(photo)
        except DatabaseError as error:
            errors.append(error)
        finally:
            connections.close_all()

    def start_replacement(**_: object) -> None:
        if not replacements:
            replacements.append(Thread(target=replace))
            replacements[0].start()
            # It has the lock on the reviewer, and waits for the photo.
            replacements[0].join(2)

    pre_save.connect(start_replacement, sender=Verdict)
    try:
        review_photo(photo, reviewer, "approved")
    finally:
        pre_save.disconnect(start_replacement, sender=Verdict)
        replacements[0].join()
    assert not errors
