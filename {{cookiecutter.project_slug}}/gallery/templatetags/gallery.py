from functools import lru_cache
from uuid import UUID

from django import template
from django.conf import settings
from django.template.loader import render_to_string

from uploads.models import Photo
from uploads.templatetags.photos import image_url

register = template.Library()


@register.simple_tag
def card(photo: Photo, number: int) -> str:
    return render_card(photo.id, photo.title, photo.width, photo.height, image_url(photo, "thumbnail"), number > 8)


# What depends on the arguments alone is rendered once. In DEBUG each time, so that a change of the template shows.
@lru_cache(maxsize=0 if settings.DEBUG else 4096)
def render_card(photo_id: UUID, title: str, width: int, height: int, url: str, lazy: bool) -> str:
    context = {"photo_id": photo_id, "title": title, "width": width, "height": height, "url": url, "lazy": lazy}
    return render_to_string("gallery/_card.html", context)
