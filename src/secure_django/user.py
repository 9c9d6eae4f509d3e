"""The user model of the project, as AUTH_USER_MODEL names it.

Modules that Django imports before all models are ready (models, fields, and what they
import) name it for types only.
"""

from typing import TYPE_CHECKING, Any

from django.http import HttpRequest

if TYPE_CHECKING:
    from users.models import User
else:
    from django.contrib.auth import get_user_model

    User = get_user_model()

__all__ = ["User", "UserRequest", "staff_label"]


class UserRequest(HttpRequest):
    """A request that has passed LoginRequiredMiddleware."""

    user: User


def staff_label(user: Any) -> str:
    """Return what staff see of a user: the name, if any, and what logs in."""
    name = user.get_full_name() if hasattr(user, "get_full_name") else ""
    login = user.get_username()
    return f"{name} ({login})" if name else login
