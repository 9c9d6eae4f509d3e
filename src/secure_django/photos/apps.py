from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _

from secure_django.extras import require_django

require_django("secure_django.photos")


class PhotosConfig(AppConfig):
    name = "secure_django.photos"
    label = "secure_django_photos"
    verbose_name = _("Photos")

    def ready(self) -> None:
        from secure_django.photos import checks, receivers, status  # noqa: F401
