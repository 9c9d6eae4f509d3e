from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Info, register


class CloudinaryConfig(AppConfig):
    name = "uploads.moderation.cloudinary"
    # The SDK is installed as a Django app too and has the plain label.
    label = "cloudinary_moderation"


@register
def report_missing_url(**kwargs: Any) -> list[CheckMessage]:
    info = Info("CLOUDINARY_URL is not set: photos wait for staff review.", id="cloudinary.I001")
    return [] if settings.CLOUDINARY else [info]
