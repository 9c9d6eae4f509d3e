"""Who gets which response from each URL here: see secure_django/guard/access.py."""

from typing import Any

from django.apps import apps

from secure_django.login.models import Device
from secure_django.testing.people import prove_second_factor
from secure_django.user import User

ROWS = """
/accounts/login/                             200    away   away     away   away
/accounts/logout/                            away   200    200      200    200
/accounts/inactive/                          200    200    200      200    200
/accounts/password/change/                   log-in 200    200      200    200
/accounts/password/set/                      log-in away   away     away   away
/accounts/password/reset/*                   200    200    200      200    200
/admin/users/user/<object_id>/               log-in log-in log-in   away   away
/admin/users/user/*                          log-in log-in log-in   403    403
"""


def log_in(client: Any, user: User) -> None:
    """Prove the second factor of staff, which their pages ask for."""
    if user.is_staff and apps.is_installed("allauth.mfa"):
        prove_second_factor(client, user)


def objects(owner: User) -> dict[str, Any]:
    Device.objects.create(user=owner)
    return {"object_id": owner.pk, "id": owner.pk}
