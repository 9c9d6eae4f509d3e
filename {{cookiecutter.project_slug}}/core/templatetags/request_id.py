from django import template

from core import logging

register = template.Library()


@register.simple_tag
def request_id() -> str:
    """Return the request's id. Unlike a context processor, a tag also works on the page of a server error."""
    return logging.request_id.get()
