from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register
from django.core.exceptions import ValidationError
from django.db import connection

from secure_django.photos import defaults
from secure_django.photos.images import VARIANTS, validate_and_reencode
from secure_django.photos.models import Photo
from secure_django.photos.purposes import PURPOSES

SIZES = {"display", "thumbnail"}
# A file of one pixel.
WEBP = b"RIFF\x1a\0\0\0WEBPVP8L\r\0\0\0/\0\0\0\x10\x07\x10\x11\x11\x88\x88\xfe\x07\0"
# What secure_django.photos.defaults cannot know.
OWN_SETTINGS = (
    "DOMAIN_NAME",
    "FIELD_ENCRYPTION_KEYS",
    "SECURITY_CONTACT",
    "SITE_NAME",
)


@register
def check_settings(**kwargs: Any) -> list[CheckMessage]:
    """Name the missing settings, which would fail at the first upload."""
    names = [*OWN_SETTINGS, *filter(str.isupper, vars(defaults))]
    missing = [name for name in names if not hasattr(settings, name)]
    if not missing:
        return []
    hint = "docs/photos.md of secure_django says what to import, and what to write."
    text = f"Photos need settings: {', '.join(missing)}."
    return [Error(text, hint=hint, id="secure_django.E203")]


@register(Tags.security, deploy=True)  # not before each command: it starts a process
def check_decoder(**kwargs: Any) -> list[CheckMessage]:
    """Decode a tiny photo, so that a failure shows before the first upload."""
    if not settings.DEBUG:
        try:
            validate_and_reencode(WEBP)
        except ValidationError as error:
            hint = (
                "The process that decodes needs Linux on x86-64 or 64-bit ARM, with "
                "seccomp, and a container image built for this processor."
            )
            text = f"Uploads are refused ({error.code}): the log says why."
            return [Warning(text, hint=hint, id="secure_django.W202")]
    return []


@register()
def check_variants(**kwargs: Any) -> list[CheckMessage]:
    """Refuse a third size, which no decoder makes."""
    if VARIANTS.keys() == SIZES:
        return []
    hint = (
        "Take it out of VARIANTS. For another size, make it from `display` in a job,"
        " or let Cloudinary's URL name it."
    )
    text = f"Photos have the sizes {' and '.join(sorted(SIZES))} alone."
    return [Error(text, hint=hint, id="secure_django.E202")]


@register(Tags.database)
def check_purposes(
    databases: Sequence[str] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    """Find photos whose model or field was renamed or removed.

    `migrate` and `check --database default` run this.
    """
    if not databases:
        return []
    if Photo._meta.db_table not in connection.introspection.table_names():
        return []
    photos = Photo.objects.not_deleted().order_by()
    used_names = set(photos.values_list("purpose", flat=True).distinct())
    unknown = sorted(used_names - PURPOSES.keys())
    if not unknown:
        return []
    text = (
        "Photos have an unknown purpose, so only owners and reviewers see them: "
        f"{', '.join(unknown)}."
    )
    hint = (
        "After a model or field was renamed: "
        "Photo.objects.filter(purpose=OLD).update(purpose=NEW)."
    )
    return [Warning(text, hint=hint, id="secure_django.W201")]
