"""Photos in the forms of any app.

`is_valid()` checks and decodes them, and only `save()` stores them.
"""

import errno
import logging
from collections.abc import Mapping
from itertools import chain
from typing import Any

from django import forms
from django.core.exceptions import (
    NON_FIELD_ERRORS,
    ImproperlyConfigured,
    PermissionDenied,
    ValidationError,
)
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.log import log_response
from django.utils.translation import gettext_lazy as _

from secure_django.logging import log_event
from secure_django.photos.form_fields import PhotoFormField
from secure_django.photos.images import (
    ERROR_MESSAGES,
    NewPhoto,
    retry_after,
    upload_error,
    validate_and_reencode,
)
from secure_django.photos.limits import decoding_turn
from secure_django.photos.models import Photo
from secure_django.photos.services import delete_unused, storing_photos
from secure_django.user import User

__all__ = [
    "STATUSES",
    "PhotoFormField",
    "PhotoFormMixin",
    "PhotoModelForm",
    "TooManyObjectsError",
    "render_form",
]

# The status of a response with one of these errors. With any other, it is 200.
STATUSES = {
    "too_large": 413,
    "quota": 429,
    "budget": 429,
    "in_progress": 429,
    "busy": 503,
    "unavailable": 503,
    "storage_full": 503,
}

logger = logging.getLogger(__name__)


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
        if self.is_bound and not self.errors:
            self.decode_photos(self.new_photos)

    def decode_photos(self, new_photos: dict[str, NewPhoto]) -> None:
        if not new_photos:
            return
        try:
            with decoding_turn(self.owner, len(new_photos)) as used:
                for name, photo in new_photos.items():
                    self.decode_photo(name, photo, used)
        except ValidationError as error:
            self.add_error(next(iter(new_photos)), error)

    def decode_photo(self, name: str, photo: NewPhoto, used: list[float]) -> None:
        try:
            content = photo.file.open().read()
            photo.image = validate_and_reencode(content, used)
        except ValidationError as error:
            self.add_error(name, error)

    def add_error(self, field: str | None, error: Any) -> None:
        if getattr(error, "code", None) in ERROR_MESSAGES:
            log_event("upload_validation", user=self.owner.pk, code=error.code)
            # A traceback would keep the file in memory until the garbage collection.
            error.with_traceback(None)
            if retry_after(error):
                # A temporary error is not about the file: upload.js can resend it.
                field = None
        super().add_error(field, error)

    def save(self, commit: bool = True) -> Any:
        """Store the photos and the object in one transaction, and return the object.

        Return None, with an error on the form, if the photos cannot be stored, if the
        object was deleted in the meantime, or if the owner has the allowed number.
        """
        if not commit:
            raise TypeError(
                "Photos are stored with their object: "
                "give the form an instance with all other values."
            )
        try:
            title = self.photo_title()
            with storing_photos(self.owner, title, self.new_photos) as photos:
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
    instance. All other fields keep their values in the database.
    """

    # The row when the form was made. Code has changed the values that differ from it.
    original: Any = None
    stored: Any = None  # the row of an object that exists, locked by `save()`
    most_per_owner: int | None = None  # objects
    owner_field: str = ""  # if it is not `owner`, nor the model's one key to a user

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.is_new = self.instance._state.adding
        manager = self.instance._meta.model._base_manager
        self.rows = manager.filter(pk=self.instance.pk)
        if self.is_bound and not self.is_new:
            self.original = self.rows.first()

    def read_again(self) -> None:
        if self.is_new:
            self.check_number()
            return
        self.stored = self.rows.select_for_update(no_key=True).first()
        if not (self.original and self.stored):
            raise ObjectDeletedError
        form_names = {*self.names_shown(), *self.changed_data}
        for field in self.instance._meta.concrete_fields:
            name = field.attname
            original_value = getattr(self.original, name)
            is_changed = getattr(self.instance, name) != original_value
            if not (is_changed or field.name in form_names):
                setattr(self.instance, name, getattr(self.stored, name))

    def names_shown(self) -> list[str]:
        """Return the names of the fields whose values the form shows and takes."""
        return [
            name
            for name, field in self.fields.items()
            if not (field.disabled or isinstance(field, forms.FileField))
        ]

    def check_number(self) -> None:
        """Refuse one object too many.

        The owner is locked, so parallel requests are counted one after the other.
        """
        if self.most_per_owner is None:
            return
        manager = self.instance._meta.model._base_manager
        objects = manager.filter(**{self.key_of_owner(): self.owner})
        if objects.count() >= self.most_per_owner:
            raise TooManyObjectsError(self.most_per_owner)

    def key_of_owner(self) -> str:
        """Return the name of the field that leads to the owner."""
        if self.owner_field:
            return self.owner_field
        fields = self.instance._meta.concrete_fields
        keys: list[str] = [
            field.name for field in fields if field.related_model is User
        ]
        if len(keys) == 1:
            return keys[0]
        if "owner" in keys:
            return "owner"
        name = type(self).__name__
        message = f"{name}: set owner_field to the key of the owner, of {keys}."
        raise ImproperlyConfigured(message)

    def save_with(self, photos: Mapping[str, Photo]) -> Any:
        for name, photo in photos.items():
            setattr(self.instance, name, photo)
        saved = forms.ModelForm.save(self)
        old_values = [getattr(self.stored, name, None) for name in self.changed_data]
        old_photos = [value for value in old_values if isinstance(value, Photo)]
        delete_unused(old_photos)
        return saved


def render_form(
    request: HttpRequest, template: str, form: forms.BaseForm
) -> HttpResponse:
    """Render a form that was not saved.

    Errors of photos can set the status 413, 429 or 503, and the header Retry-After.
    """
    errors = list(chain.from_iterable(form.errors.as_data().values()))
    statuses = [STATUSES.get(str(error.code), 200) for error in errors]
    response = render(
        request, template, {"form": form}, status=max(statuses, default=200)
    )
    wait_seconds = max(map(retry_after, errors), default=0)
    if wait_seconds:
        response.headers["Retry-After"] = str(wait_seconds)
    if form.has_error(NON_FIELD_ERRORS, "busy"):
        # A busy site is not an error. Without this line, Django would log one for each
        # response 503.
        log_response(
            "Busy: %s", request.path, response=response, request=request, level="info"
        )
    return response
