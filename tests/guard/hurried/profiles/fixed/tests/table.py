"""Who gets which response from each URL of this app: see secure_django/guard/access.py."""

from typing import Any

from profiles.models import Profile
from users.models import User

ROWS = """
/profiles/                                   200     200     200     200     200
/profiles/edit/                              log-in  200     200     200     200
/profiles/preview/                           log-in  200     200     200     200
/profiles/<nickname>/                        200     200     200     200     200  # all: bio, website, title, image: profiles are public
"""


def objects(owner: User) -> dict[str, Any]:
    profile = Profile.objects.create(user=owner, nickname=f"ann{owner.pk}")
    return {"nickname": profile.nickname}
