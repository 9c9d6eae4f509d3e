from typing import Any

from django import template
from django.template import Context
from django.utils.translation import gettext as _

from secure_django.mail import suppressions
from secure_django.user import User

register = template.Library()


@register.inclusion_tag("secure_django/profile/_person.html", takes_context=True)
def person(context: Context, person: User | None) -> dict[str, Any]:
    """Show a user's name, with their picture or the first letter of the name.

    A list reads the pictures at once by `select_related("owner__picture")`.
    """
    picture: Any = getattr(person, "picture", None)
    name = getattr(person, "name", "")
    return {
        "person": str(person or _("a deleted user")),
        "picture": picture,
        "initial": name[:1].upper() or "?",
        "is_shown": picture and picture.is_visible_to(context["user"], [person]),
    }


@register.inclusion_tag(
    "secure_django/profile/_returned_emails.html", takes_context=True
)
def returned_emails(context: Context) -> dict[str, Any]:
    """Say that nothing more is sent to the user's email, if so, and what to do."""
    email = context["user"].email
    return {
        "suppression": suppressions.find(email),
        "email": email,
        "security_contact": context.get("security_contact"),
        "csrf_token": context.get("csrf_token"),
    }
