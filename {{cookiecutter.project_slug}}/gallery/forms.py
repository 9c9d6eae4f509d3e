from django import forms
from django.utils.translation import gettext_lazy as _
from secure_django.photos.forms import PhotoFormField, PhotoFormMixin
from secure_django.validators import validate_one_line

from gallery.apps import GALLERY


class UploadForm(PhotoFormMixin, forms.Form):
    title = forms.CharField(
        label=_("Title"),
        max_length=120,
        help_text=_("Shown with the photo. Up to 120 characters."),
        validators=[validate_one_line],
    )
    image = PhotoFormField(purpose=GALLERY, label=_("Photo"))

    def photo_title(self) -> str:
        return str(self.cleaned_data["title"])
