"""The form that strangers' bytes come in by."""

from typing import Any

from django import forms

from uploads.images import Rebuilt, refuse, sanitize
from uploads.models import Photo
from users.models import User


class UploadForm(forms.Form):
    # Before the file, so that the title is read even when the file is too large.
    title = forms.CharField(max_length=120, help_text="Shown with the photo. 120 characters at most.")
    image = forms.FileField(
        label="Photo",
        required=False,  # asked for below: a file that was cut off is not the same as none
        allow_empty_file=True,  # refused by the gate, with its own words
        widget=forms.FileInput(attrs={"accept": ".jpg,.jpeg,.png,.webp", "required": True}),
        help_text="JPEG, PNG or WebP.",
    )

    def __init__(self, *args: Any, too_large: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.too_large = too_large

    def clean_image(self) -> Rebuilt:
        if self.too_large:
            raise refuse("too_large")
        file = self.cleaned_data["image"]
        if file is None:
            raise refuse("missing")
        self.original_name: str = file.name
        return sanitize(file.file, file.name, file.size)

    def save(self, owner: User) -> Photo:
        """Raises QuotaExceeded."""
        return Photo.objects.accept(owner, self.cleaned_data["title"], self.original_name, self.cleaned_data["image"])

    def refusals(self) -> list[str]:
        """Returns the codes of why the photo was refused."""
        return [str(error.code) for error in self.errors.as_data().get("image", [])]
