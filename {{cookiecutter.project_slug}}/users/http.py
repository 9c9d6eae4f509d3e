from django.http import HttpRequest

from users.models import User


class UserRequest(HttpRequest):
    """A request that has passed LoginRequiredMiddleware."""

    user: User
