"""The request of a view that is for users alone."""

from secure_django.user import UserRequest

__all__ = ["UserRequest"]
