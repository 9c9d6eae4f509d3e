"""The objects of this app, which has no page of its own in the site."""

from typing import Any

from example.models import Bill, Delivery, Household, Remark, Thing
from users.models import User

ROWS = ""


def objects(owner: User) -> dict[str, Any]:
    Delivery.objects.create(owner=owner)
    thing = Thing.objects.create(owner=owner, title="Teapot")
    Remark.objects.create(thing=thing, text="It leaks")
    household = Household.objects.create(owner=owner, name="Harbor Street 1")
    Bill.objects.create(household=household, payer=owner, title="Water")
    return {"pk": thing.pk}
