"""Moderation: the rule, and the backends that give verdicts."""

from secure_django.photos.moderation.backends import get_moderation_backend

__all__ = ["get_moderation_backend"]
