from django import template

from uploads.models import Photo
from uploads.moderation.backends import get_moderation_backend

register = template.Library()


@register.simple_tag
def image_url(photo: Photo, variant: str) -> str:
    """Return the URL of the image for a visitor who may see the photo."""
    return get_moderation_backend().image_url(photo, variant)
