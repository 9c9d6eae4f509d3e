"""The user model of the project, as AUTH_USER_MODEL names it.

Modules that Django imports before all models are ready (models, fields, and what they
import) name it for types only.
"""

from typing import TYPE_CHECKING

from django.http import HttpRequest

if TYPE_CHECKING:
    from users.models import User
else:
    from django.contrib.auth import get_user_model

    User = get_user_model()

__all__ = ["User", "UserRequest"]


class UserRequest(HttpRequest):
    """A request that has passed LoginRequiredMiddleware."""

    user: User
