from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _
from secure_django.photos.purposes import Purpose, register

# In this module, so that every process knows the purpose, the worker included.
GALLERY = register(Purpose("gallery", _("gallery"), route="gallery:photo"))


class GalleryConfig(AppConfig):
    name = "gallery"
    verbose_name = _("Gallery")
