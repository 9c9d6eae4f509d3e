"""Who gets which response from each URL of this app: see secure_django/guard/access.py."""

from typing import Any

from django.core.files.base import ContentFile

from profiles.models import Profile
from users.models import User

ROWS = """
/profiles/                                   200     200     200     200     200
/profiles/edit/                              log-in  200     200     200     200
/profiles/preview/                           log-in  200     200     200     200
/profiles/files/<pk>/<kind>/                 200     200     200     200     200
/profiles/<nickname>/                        200     200     200     200     200
"""


def objects(owner: User) -> dict[str, Any]:
    profile = Profile.objects.create(
        user=owner, nickname="ann", banner=ContentFile(b"pixels", name="banner.png")
    )
    return {"pk": profile.pk, "nickname": profile.nickname, "kind": "banner"}
