import errno
import logging
from typing import Any

from django import forms
from django.conf import settings
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.files.uploadedfile import UploadedFile
from django.forms.widgets import Script
from django.utils.translation import gettext_lazy as _

from uploads.images import FORMATS, retry_after, upload_error, validate_and_reencode
from uploads.limits import decoding_turn
from uploads.models import Photo
from uploads.services import check_quota, create_photo
from users.models import User

# The status of each error that is not about the file, and of one that is. All others are 200.
STATUSES = {
    "too_large": 413,
    **dict.fromkeys(["quota", "budget", "in_progress"], 429),
    **dict.fromkeys(["busy", "unavailable", "storage_full"], 503),
}
EXTENSIONS = ",".join(extension for _, extensions in FORMATS.values() for extension in extensions)

logger = logging.getLogger(__name__)


class PhotoInput(forms.ClearableFileInput):
    """Show the present photo, with its status and a box that removes it; upload.js adds the rest."""

    template_name = "uploads/photo_input.html"
    use_fieldset = False  # the label is that of the input, and the box has its own

    class Media:
        js = [Script("uploads/upload.js", defer=True)]

    def is_initial(self, value: Any) -> bool:
        return isinstance(value, Photo)

    def get_context(self, *args: Any) -> dict[str, Any]:
        return super().get_context(*args) | {"max_bytes": settings.UPLOAD_MAX_BYTES}


class UploadForm(forms.Form):
    # Before the file, so that the title is kept even when the file is too large.
    title = forms.CharField(
        label=_("Title"), max_length=120, help_text=_("Shown with the photo. Up to 120 characters.")
    )
    image = forms.FileField(
        label=_("Photo"),
        required=False,  # clean_image() has a message of its own
        allow_empty_file=True,  # upload validation has a message of its own
        widget=PhotoInput({"accept": EXTENSIONS, "required": True}),
    )

    def __init__(self, *args: Any, owner: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.owner = owner

    def clean_image(self) -> UploadedFile | None:
        file: UploadedFile | None = self.cleaned_data["image"]
        if file is None:
            raise upload_error("missing")
        check_quota(self.owner)  # before the file is decoded; create_photo() checks again under a lock
        return file

    def refuse(self, error: ValidationError) -> None:
        # An error that passes is not about the file, so upload.js keeps the file and can send it again.
        self.add_error(None if retry_after(error) else "image", error)

    def save(self) -> bool:
        """Create the photo. Return False, with an error on the form, if that is not possible."""
        title, file = self.cleaned_data["title"], self.cleaned_data["image"]
        try:
            with decoding_turn(self.owner):
                image = validate_and_reencode(file.read(), file.name)
            create_photo(self.owner, title, file.name, image)
        except ValidationError as error:
            self.refuse(error)
        except User.DoesNotExist:
            raise PermissionDenied from None  # the account was deleted meanwhile
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            logger.exception("no space left for photos")
            self.refuse(upload_error("storage_full", retry_after=300))
        return self.is_valid()
