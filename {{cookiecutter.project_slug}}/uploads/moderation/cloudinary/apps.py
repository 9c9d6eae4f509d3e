from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Info, register


class CloudinaryConfig(AppConfig):
    name = "uploads.moderation.cloudinary"
    # The SDK is an app of Django too, under the plain name.
    label = "cloudinary_moderation"

    def ready(self) -> None:
        register(check_moderator)


def check_moderator(**kwargs: Any) -> list[CheckMessage]:
    if settings.CLOUDINARY:
        return []
    return [Info("CLOUDINARY_URL is not set, so photos wait for staff to review them.", id="cloudinary.I001")]
