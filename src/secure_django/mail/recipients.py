"""Who gets what a user gives to another, by the email that was typed."""

from django.apps import apps
from django.conf import settings
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.db.models.functions import Lower

from secure_django.user import User

__all__ = ["find_recipient"]


def find_recipient(email: str) -> User | None:
    """Return the active user who has proved this email, or None.

    Its case does not matter, as at the log-in. In a project that verifies emails, an
    account whose email is not proved is nobody's. What belongs to two accounts is
    nobody's either. Show visitors the same answer for None: it tells who has an
    account.
    """
    address = email.strip().lower()
    if not address.isprintable():  # no database has NUL or half a character
        return None
    field = User.get_email_field_name()
    lookup = field if is_lower_case(field) else f"{field}__iexact"
    found = with_proved_email(User._default_manager.filter(**{lookup: address}))
    users = list(found.filter(is_active=True)[:2])
    # Databases take other characters for equal, such as a dotless i and an i.
    equal = [user for user in users if getattr(user, field).lower() == address]
    return equal[0] if len(users) == len(equal) == 1 else None


def is_lower_case(field: str) -> bool:
    """Return whether the database has emails in lower case alone."""
    condition = Q(**{field: Lower(field)})
    constraints = User._meta.constraints
    return any(getattr(each, "condition", None) == condition for each in constraints)


def with_proved_email(users: QuerySet[User]) -> QuerySet[User]:
    """Return those of some users whose email is proved.

    Where no email is verified, staff vouch for an account, unless a sign-up from
    before has left its email without a proof.
    """
    if not apps.is_installed("allauth.account"):
        return users
    rows = apps.get_model("account", "EmailAddress")._default_manager.filter(
        user=OuterRef("pk"), email__iexact=OuterRef(User.get_email_field_name())
    )
    if getattr(settings, "ACCOUNT_EMAIL_VERIFICATION", "optional") == "none":
        return users.exclude(Exists(rows.filter(verified=False)))
    return users.filter(Exists(rows.filter(verified=True)))
