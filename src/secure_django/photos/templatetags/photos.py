from typing import Any

from django import template
from django.db.models import Model
from django.template import Context
from django.template.defaultfilters import filesizeformat
from django.utils.formats import number_format

from secure_django.photos.models import WAITING, Photo, Status
from secure_django.photos.moderation.backends import get_moderation_backend
from secure_django.user import staff_label

register = template.Library()


@register.simple_tag
def image_url(photo: Photo, variant: str) -> str:
    """Return the URL of the image for a visitor who may see the photo."""
    return get_moderation_backend().image_url(photo, variant)


@register.filter
def size(number: int) -> str:
    """Return a number of bytes for people: 10 MB, and 1.5 MB."""
    text = filesizeformat(number)
    zero = number_format(0, 1)[1:]  # with the decimal sign of the language
    return text.replace(f"{zero}\xa0", "\xa0")


@register.filter(name="staff_label")
def label_for_staff(user: Any) -> str:
    """Return what staff see of a user, or an empty text without one."""
    return staff_label(user) if user else ""


@register.simple_tag
def waiting() -> int:
    """Return the number of photos that wait, up to 1,001: the cost is bounded."""
    return Photo.objects.waiting().order_by()[:1001].count()


@register.simple_tag
def undecided(user: Any) -> dict[str, int]:
    """Return how many of a user's photos wait or were rejected, of up to 1,001."""
    photos = Photo.objects.used().filter(
        owner=user, status__in=(*WAITING, Status.REJECTED)
    )
    statuses = list(photos.order_by().values_list("status", flat=True)[:1001])
    rejected = statuses.count(Status.REJECTED)
    return {"waiting": len(statuses) - rejected, "rejected": rejected}


@register.inclusion_tag("secure_django/photos/_photo.html", takes_context=True)
def photo(
    context: Context, object: Model, field: str, variant: str = "display", alt: str = ""
) -> dict[str, Any]:
    """Show the photo of an object's PhotoField to those who may see it.

    Until then, its owner sees it with its status.
    """
    photo: Photo | None = getattr(object, field)
    user = context["user"]
    return {
        "photo": photo,
        "variant": variant,
        "alt": alt,
        "user": user,
        "perms": context["perms"],
        "is_shown": photo and photo.is_visible_to(user, [object]),
        "is_own": photo and photo.belongs_to(user),
    }
