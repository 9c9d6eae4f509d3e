"""Who gets which response from each URL of this app: see secure_django/guard/access.py."""

from typing import Any

from hooks.models import Delivery, Hook
from users.models import User

ROWS = """
/hooks/                                      log-in  200     200     200     200  # all: is_active: owners pause their hooks
/hooks/incoming/                             400     400     400     400     400  # all: tokenless: servers of hooks call it
/hooks/<pk>/                                 log-in  200     404     404     404
/hooks/<pk>/toggle/                          log-in  away    404     404     404
/hooks/<pk>/test/                            log-in  away    404     404     404
/hooks/<pk>/deliveries/<delivery_pk>/        log-in  200     404     404     404
"""


def objects(owner: User) -> dict[str, Any]:
    hook = Hook.objects.create(owner=owner, name="Mine", url="data:,ok")
    delivery = Delivery.objects.create(hook=hook, status=200, request_body="{}")
    return {"pk": hook.pk, "delivery_pk": delivery.pk}
