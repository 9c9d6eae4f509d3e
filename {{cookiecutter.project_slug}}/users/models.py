from django.utils.translation import gettext_lazy as _
from secure_django.login.models import AbstractUser
from secure_django.photos.fields import PhotoField, logged_in


class User(AbstractUser):
    """A user of this site. Add your fields here."""

    # What people change on their profile, and what the sign-up asks for as well.
    profile_fields = ("name", "picture")
    signup_fields = ()

    picture = PhotoField(_("picture"), blank=True, visible_to=logged_in)
