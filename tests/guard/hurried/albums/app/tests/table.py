"""Who gets which response from each URL of this app: see secure_django/guard/access.py."""

from typing import Any

from albums.models import Album, AlbumPhoto
from secure_django.testing.photos import create_photo
from users.models import User

ROWS = """
/albums/                                     log-in  200     200     200     200
/albums/<pk>/                                log-in  200     404     404     404
/albums/<pk>/share/                          log-in  away    404     404     404
/albums/<pk>/unshare/                        log-in  away    404     404     404
/albums/<pk>/photos/<entry_pk>/remove/       log-in  away    404     404     404
/albums/<pk>/photos/<entry_pk>/caption/      log-in  away    404     404     404
/albums/shared/<token>/                      200     200     200     200     200
/albums/shared/<token>/greet/                away    away    away    away    away
/admin/albums/album/                         log-in  log-in  log-in  403     403
/admin/albums/album/add/                     log-in  log-in  log-in  403     403
/admin/albums/album/<object_id>/delete/      log-in  log-in  log-in  403     403
/admin/albums/album/<object_id>/change/      log-in  log-in  log-in  403     403
"""


def objects(owner: User) -> dict[str, Any]:
    album = Album.objects.create(owner=owner, title="Holidays")
    entry = AlbumPhoto.objects.create(album=album, photo=create_photo(owner))
    return {
        "pk": album.pk,
        "entry_pk": entry.pk,
        "token": album.token,
        "object_id": album.pk,
    }
