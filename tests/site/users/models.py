from django.utils.translation import gettext_lazy as _

from secure_django.login.models import AbstractUser
from secure_django.photos.fields import PhotoField, logged_in


class User(AbstractUser):
    """A user of this site. Add your fields here."""

    # What people change on their profile.
    profile_fields = ("name", "picture")
    # What the sign-up asks for. It is on the profile, too.
    signup_fields = ()

    picture = PhotoField(_("picture"), blank=True, visible_to=logged_in)
