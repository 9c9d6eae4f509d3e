from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Info, register


@register
def check_cloudinary_url(**kwargs: Any) -> list[CheckMessage]:
    """Report a missing CLOUDINARY_URL, which only DEBUG allows."""
    if settings.CLOUDINARY:
        return []
    return [
        Info(
            "CLOUDINARY_URL is not set: photos wait for staff review.",
            id="secure_django.I201",
        )
    ]
