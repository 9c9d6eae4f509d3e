"""The objects of this app, which has no page of its own in the site."""

from typing import Any

from example.models import Delivery, Thing
from users.models import User

ROWS = ""


def objects(owner: User) -> dict[str, Any]:
    Delivery.objects.create(owner=owner)
    thing = Thing.objects.create(owner=owner, title="Teapot")
    return {"pk": thing.pk}
