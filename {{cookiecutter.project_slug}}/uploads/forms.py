from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from uploads.images import ReencodedImage, upload_error, validate_and_reencode
from uploads.services import check_quota, create_photo
from users.models import User


class UploadForm(forms.Form):
    # Before the file, so that the title is kept even when the file is too large.
    title = forms.CharField(max_length=120, help_text="Shown with the photo. Up to 120 characters.")
    image = forms.FileField(
        label="Photo",
        required=False,  # clean_image() tells a missing file from one that was cut off
        allow_empty_file=True,  # upload validation has a message of its own
        widget=forms.FileInput(attrs={"accept": ".jpg,.jpeg,.png,.webp", "required": True}),
        help_text="JPEG, PNG or WebP.",
    )

    def __init__(self, *args: Any, owner: User, too_large: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.owner, self.too_large = owner, too_large

    def clean_image(self) -> ReencodedImage:
        if self.too_large:
            raise upload_error("too_large")
        file = self.cleaned_data["image"]
        if file is None:
            raise upload_error("missing")
        # Before the file is decoded. create_photo() checks again under a lock.
        check_quota(self.owner)
        self.original_name: str = file.name
        return validate_and_reencode(file.file, file.name, file.size)

    def save(self) -> bool:
        """Create the photo. Return False, with an error on the form, if the quota was reached meanwhile."""
        title, image = self.cleaned_data["title"], self.cleaned_data["image"]
        try:
            create_photo(self.owner, title, self.original_name, image)
        except ValidationError as error:
            self.add_error("image", error)
        return self.is_valid()

    def error_codes(self) -> list[str]:
        """Return the codes of the errors of the file."""
        return [str(error.code) for error in self.errors.as_data().get("image", [])]
