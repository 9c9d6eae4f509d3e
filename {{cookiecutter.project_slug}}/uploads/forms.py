"""Photos in the forms of any app.

`is_valid()` checks and decodes them, and only `save()` stores them.
"""

import errno
import logging
from collections.abc import Mapping
from typing import Any

from django import forms
from django.conf import settings
from django.core.exceptions import NON_FIELD_ERRORS, PermissionDenied, ValidationError
from django.core.files.uploadedfile import UploadedFile
from django.forms.widgets import Script
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.log import log_response
from django.utils.translation import gettext_lazy as _

from core.logging import log_event
from uploads.images import (
    ERROR_MESSAGES,
    FORMATS,
    check_file,
    retry_after,
    upload_error,
    validate_and_reencode,
)
from uploads.limits import decoding_turn
from uploads.models import Photo
from uploads.purposes import Purpose
from uploads.services import NewPhoto, delete_unused, storing_photos
from users.models import User

# The status of a response with one of these errors. With any other, it is 200.
STATUSES = {
    "too_large": 413,
    **dict.fromkeys(["quota", "budget", "in_progress"], 429),
    **dict.fromkeys(["busy", "unavailable", "storage_full"], 503),
}

logger = logging.getLogger(__name__)


class PhotoInput(forms.ClearableFileInput):
    """Show the present photo, with its status and a box that removes it.

    `upload.js` adds the rest.
    """

    template_name = "uploads/photo_input.html"
    use_fieldset = False  # the label is that of the input, and the box has its own

    class Media:
        js = [Script("uploads/upload.js", defer=True)]

    def is_initial(self, value: Any) -> bool:
        return isinstance(value, Photo)

    def get_context(self, *args: Any) -> dict[str, Any]:
        return super().get_context(*args) | {"max_bytes": settings.UPLOAD_MAX_BYTES}


class PhotoFormField(forms.FileField):
    widget = PhotoInput
    owner: User | None = None  # set by the form

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
        found = super().clean(data, initial)
        if not isinstance(found, UploadedFile):
            return found
        # Before it waits for a turn: such a file costs its sender nothing, and would
        # take the place of photos.
        check_file(found.read())
        return NewPhoto(found, self.purpose)


class PhotoFormMixin(forms.BaseForm):
    """A form with photos of `owner`, a user. Put it before Django's form class."""

    def __init__(self, *args: Any, owner: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.owner = owner
        for field in self.fields.values():
            if isinstance(field, PhotoFormField):
                field.owner = owner

    @property
    def new_photos(self) -> dict[str, NewPhoto]:
        return {
            name: value
            for name, value in self.cleaned_data.items()
            if isinstance(value, NewPhoto)
        }

    def photo_title(self) -> str:
        """Return the title by which owner and reviewers know the photos."""
        return str(getattr(self, "instance", ""))

    def full_clean(self) -> None:
        super().full_clean()
        # Last, since decoding costs most.
        if self.is_bound and not self.errors and (new := self.new_photos):
            try:
                with decoding_turn(self.owner, len(new)) as used:
                    for name, photo in new.items():
                        try:
                            photo.image = validate_and_reencode(
                                photo.file.open().read(), used
                            )
                        except ValidationError as error:
                            self.add_error(name, error)
            except ValidationError as error:
                self.add_error(next(iter(new)), error)

    def add_error(self, field: str | None, error: Any) -> None:
        if getattr(error, "code", None) in ERROR_MESSAGES:
            log_event("upload_validation", user=self.owner.pk, code=error.code)
            # A traceback would keep the file in memory until the garbage collection.
            error.with_traceback(None)
            if retry_after(error):
                # A temporary error is not the file's: upload.js can resend the file.
                field = None
        super().add_error(field, error)

    def save(self, commit: bool = True) -> Any:
        """Store the photos and the object in one transaction, and return the object.

        Return None, with an error on the form, if the photos cannot be stored, if the
        object was deleted in the meantime, or if the owner has as many as allowed.
        """
        if not commit:
            raise TypeError(
                "Photos are stored with their object: "
                "give the form an instance with all other values."
            )
        try:
            with storing_photos(
                self.owner, self.photo_title(), self.new_photos
            ) as photos:
                self.read_again()
                return self.save_with(photos)
        except (ObjectDeletedError, TooManyObjectsError) as error:
            self.add_error(None, error)
        except ValidationError as error:
            if getattr(error, "code", None) != "quota":  # raised by the object
                raise
            self.add_error(next(iter(self.new_photos)), error)
        except User.DoesNotExist:
            raise PermissionDenied from None  # the account was deleted meanwhile
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            logger.exception("no space left for photos")
            self.add_error(None, upload_error("storage_full", retry_after=300))
        return None

    def read_again(self) -> None:
        """Lock what `save_with` changes: it may have changed since the form began."""

    def save_with(self, photos: Mapping[str, Photo]) -> Any:
        """Save what belongs to the photos, by their fields' names, and return it."""
        return photos


class ObjectDeletedError(ValidationError):
    def __init__(self) -> None:
        message = _("This was deleted in the meantime, so nothing was saved.")
        super().__init__(message, code="deleted")


class TooManyObjectsError(ValidationError):
    def __init__(self, most: int) -> None:
        message = _(
            "You have reached the limit of %(most)s: delete one to add another."
        )
        super().__init__(message, code="too_many", params={"most": most})


class PhotoModelForm(PhotoFormMixin, forms.ModelForm):
    """A ModelForm of a model with a PhotoField.

    For example: `PhotoModelForm(request.POST, request.FILES, owner=request.user)`.

    Decoding takes seconds, in which others may change or delete the object. `save()`
    stores what the form shows, new photos and files, and what code has changed in the
    instance; everything else stays as it is by then.
    """

    stored: Any = None  # the row of an object that exists, locked by `save()`
    most_per_owner: int | None = None  # objects; the model's field is `owner`

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.is_new = self.instance._state.adding
        self.rows = self.instance._meta.model._base_manager.filter(pk=self.instance.pk)
        # What code has changed in the instance differs from this row.
        self.original = self.rows.first() if self.is_bound and not self.is_new else None

    def read_again(self) -> None:
        if self.is_new:
            self.check_number()
            return
        self.stored = self.rows.select_for_update(no_key=True).first()
        if not (self.original and self.stored):
            raise ObjectDeletedError
        shown = {
            name
            for name, field in self.fields.items()
            if not (field.disabled or isinstance(field, forms.FileField))
        }
        for field in self.instance._meta.concrete_fields:
            name = field.attname
            is_changed = getattr(self.instance, name) != getattr(self.original, name)
            if not (is_changed or field.name in {*shown, *self.changed_data}):
                setattr(self.instance, name, getattr(self.stored, name))

    def check_number(self) -> None:
        """Refuse one object too many.

        The owner is locked, so parallel requests are counted one after the other.
        """
        if self.most_per_owner is None:
            return
        objects = self.instance._meta.model._base_manager.filter(owner=self.owner)
        if objects.count() >= self.most_per_owner:
            raise TooManyObjectsError(self.most_per_owner)

    def save_with(self, photos: Mapping[str, Photo]) -> Any:
        for name, photo in photos.items():
            setattr(self.instance, name, photo)
        saved = forms.ModelForm.save(self)
        replaced = [getattr(self.stored, name, None) for name in self.changed_data]
        delete_unused(photo for photo in replaced if isinstance(photo, Photo))
        return saved


def render_form(
    request: HttpRequest, template: str, form: forms.BaseForm
) -> HttpResponse:
    """Render a form that was not saved.

    The status is 413, 429 or 503, with Retry-After, if that is why it took no photo.
    """
    errors = [error for found in form.errors.as_data().values() for error in found]
    status = max((STATUSES.get(str(error.code), 200) for error in errors), default=200)
    response = render(request, template, {"form": form}, status=status)
    if wait := max(map(retry_after, errors), default=0):
        response.headers["Retry-After"] = str(wait)
    if form.has_error(NON_FIELD_ERRORS, "busy"):
        # A busy site is not an error. Without this line, Django would log one for each
        # response 503.
        log_response(
            "Busy: %s", request.path, response=response, request=request, level="info"
        )
    return response
