"""Who gets which response from each URL of this app: see secure_django/guard/access.py."""

from typing import Any

from market.models import Offer, SavedSearch
from users.models import User

ROWS = """
/market/                                     200     200     200     200     200
/market/create/                              log-in  200     200     200     200
/market/suggest/                             log-in  200     200     200     200
/market/saved/                               log-in  200     200     200     200
/market/saved/<search_pk>/                   log-in  away    away    away    away
/market/saved/<search_pk>/delete/            log-in  away    away    away    away
/market/<pk>/                                200     200     200     200     200
/market/<pk>/edit/                           log-in  200     404     404     404
/admin/market/offer/                         log-in  log-in  log-in  403     403
/admin/market/offer/add/                     log-in  log-in  log-in  403     403
/admin/market/offer/<object_id>/delete/      log-in  log-in  log-in  403     403
/admin/market/offer/<object_id>/change/      log-in  log-in  log-in  403     403
"""


def objects(owner: User) -> dict[str, Any]:
    offer = Offer.objects.create(owner=owner, title="Bike", text="Blue")
    search = SavedSearch.objects.create(owner=owner, name="Bikes", query="q=bike")
    return {"pk": offer.pk, "search_pk": search.pk, "object_id": offer.pk}
