"""The form that strangers' bytes come in by."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from uploads.images import Rebuilt, refuse, sanitize
from uploads.models import Photo, check_quota
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

    def __init__(self, *args: Any, owner: User, too_large: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.owner, self.too_large = owner, too_large

    def clean_image(self) -> Rebuilt:
        if self.too_large:
            raise refuse("too_large")
        file = self.cleaned_data["image"]
        if file is None:
            raise refuse("missing")
        # Before the work of decoding, and once more under a lock when the photo is stored.
        check_quota(self.owner)
        self.original_name: str = file.name
        return sanitize(file.file, file.name, file.size)

    def save(self) -> bool:
        """Stores the photo, and tells whether the quota still allowed it."""
        title, image = self.cleaned_data["title"], self.cleaned_data["image"]
        try:
            Photo.objects.accept(self.owner, title, self.original_name, image)
        except ValidationError as refusal:
            self.add_error("image", refusal)
        return self.is_valid()

    def refusals(self) -> list[str]:
        """Returns the codes of why the photo was refused."""
        return [str(error.code) for error in self.errors.as_data().get("image", [])]
