"""The field of a form for a photo, and its input.

The field checks a file. The form decodes and stores it: see
secure_django/photos/forms.py.
"""

from typing import TYPE_CHECKING, Any

from django import forms
from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.forms.widgets import Script

from secure_django.photos.images import FORMATS, NewPhoto, check_file, upload_error
from secure_django.photos.models import Photo
from secure_django.photos.purposes import Purpose

if TYPE_CHECKING:
    from secure_django.user import User


class PhotoInput(forms.ClearableFileInput):
    """Show the present photo, with its status and a checkbox that removes it.

    `upload.js` adds a preview and the progress.
    """

    template_name = "secure_django/photos/photo_input.html"
    use_fieldset = False  # the input and the checkbox have a label each

    class Media:
        js = [Script("secure_django/photos/upload.js", type="module")]

    def is_initial(self, value: Any) -> bool:
        return isinstance(value, Photo)

    def get_context(self, *args: Any) -> dict[str, Any]:
        context = super().get_context(*args)
        return context | {"max_bytes": settings.UPLOAD_MAX_BYTES}


class PhotoFormField(forms.FileField):
    widget = PhotoInput
    reencodes = True  # for the guard
    owner: "User | None" = None  # set by the form

    def __init__(self, *, purpose: Purpose, **options: Any) -> None:
        # Upload validation has a message of its own.
        super().__init__(allow_empty_file=True, **options)
        self.purpose = purpose

    def widget_attrs(self, widget: forms.Widget) -> dict[str, Any]:
        return {"accept": ",".join(FORMATS)}

    def clean(self, data: Any, initial: Any = None) -> Any:
        """Return a NewPhoto without image, the present photo, or False to remove it."""
        if self.owner is None:
            raise TypeError(
                "A form with photos must be a PhotoModelForm, or use PhotoFormMixin: "
                "it stores them."
            )
        if self.disabled:
            return initial
        if self.required and not data and not initial:
            raise upload_error("missing")
        value = super().clean(data, initial)
        if not isinstance(value, UploadedFile):
            return value
        # Before the form waits for the decoder: a file that is no photo is not charged
        # to its sender, and would keep photos waiting.
        check_file(value.read())
        return NewPhoto(value, self.purpose)
