from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class ProfileConfig(AppConfig):
    name = "secure_django.profile"
    label = "secure_django_profile"
    verbose_name = _("Profile")
