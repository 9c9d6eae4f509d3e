"""Publish a photo on a site as staff do, and see whether everyone sees it."""

import re
import time

from tests.support.images import encode, landscape
from tests.support.live import ADMIN, Site

TITLE = "First light"
QUEUE = "/admin/secure_django_photos/photo/"


def publish(site: Site) -> None:
    """Upload a photo, and approve it."""
    admin = site.visitor(ADMIN)
    content = encode(landscape(1, (320, 240)))
    assert admin.upload(content, title=TITLE).location == "/photos/mine/"
    assert TITLE not in site.visitor().get("/").text
    queue = admin.get(QUEUE).text
    (photo,) = re.findall(r'name="_selected_action" value="([0-9a-f-]{36})"', queue)
    admin.post(QUEUE, {"action": "approve", "_selected_action": photo})
    assert is_published(site)


def is_published(site: Site) -> bool:
    """Return whether a visitor sees the photo and its file, on a new page of nginx."""
    time.sleep(2)
    page = site.visitor().get("/").text
    if TITLE not in page:
        return False
    name = page.partition('src="/photos/')[2].partition('"')[0]
    content = site.visitor().get(f"/photos/{name}").body
    return content.startswith(b"\xff\xd8")
