"""Photos in the forms of any app.

`is_valid()` checks and decodes them, and stores their files. `save()` stores the photos
with their object. The files of a form that is not saved are deleted at the end of the
request.
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
from django.db import OperationalError
from django.db.models import CheckConstraint, Manager, Q, QuerySet
from django.forms.formsets import DELETION_FIELD_NAME
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.log import log_response
from django.utils.translation import gettext_lazy as _

from secure_django.forms import BoundedFormMixin
from secure_django.logging import log_event
from secure_django.photos.fields import is_as_at_start
from secure_django.photos.form_fields import PhotoFormField
from secure_django.photos.images import (
    ERROR_MESSAGES,
    NewPhoto,
    retry_after,
    upload_error,
    validate_and_reencode,
)
from secure_django.photos.limits import check_quota, decoding_turn
from secure_django.photos.models import Photo
from secure_django.photos.services import (
    delete_unused,
    saving_photos,
    store_files,
)
from secure_django.user import User
from secure_django.web.error_pages import UnavailableError

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

# By the number of an OSError: why no photo can be stored, for visitors and in the log.
STORAGE_ERRORS = {
    errno.ENOSPC: ("storage_full", "no space left for photos"),
    errno.EDQUOT: ("storage_full", "no space left for photos"),
    errno.EROFS: ("unavailable", "the storage of photos is read-only"),
    errno.EIO: ("unavailable", "the disk of the photos fails"),
}
# The same of the database: the names are SQLite's and PostgreSQL's.
FULL_DATABASE = {"SQLITE_FULL", "SQLITE_READONLY", "53100"}
FULL_DATABASE_REASON = ("storage_full", "no space left for rows")
STORAGE_RETRY_SECONDS = 300

logger = logging.getLogger(__name__)


class PhotoFormMixin(BoundedFormMixin):
    """A form with photos of `owner`, a user. Put it before Django's form class.

    It also refuses what `BoundedFormMixin` refuses.
    """

    stored_photos: dict[str, Photo] | None = None  # until they are saved

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
        if not self.is_bound:
            return
        if self.empty_permitted and not self.has_changed():
            return  # an empty form of a formset
        if self.cleaned_data.get(DELETION_FIELD_NAME):
            return  # a form of a formset whose object is to be deleted
        steps = [self.check_object]
        if self.new_photos:
            # Decoding takes seconds, in which the object may be deleted, and another
            # upload of the account may be stored.
            steps += [self.decode_photos, self.check_object, self.check_quota]
            steps.append(self.store_files)
        for step in steps:
            if self.errors:
                return
            try:
                step()
            except ValidationError as error:
                self.add_error(None, error)

    def check_object(self) -> None:
        """Raise ValidationError if `save` would refuse the object."""

    def decode_photos(self) -> None:
        new_photos = self.new_photos
        try:
            with decoding_turn(self.owner, len(new_photos)) as used:
                for name, photo in new_photos.items():
                    self.decode_photo(name, photo, used)
                    if self.non_field_errors():
                        break  # a temporary error, which the others would have too
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

    def check_quota(self) -> None:
        new_photos = self.new_photos
        try:
            check_quota(self.owner, len(new_photos))
        except ValidationError as error:
            self.add_error(next(iter(new_photos)), error)

    def store_files(self) -> None:
        try:
            self.stored_photos = store_files(self.owner, self.new_photos)
        except OSError as error:
            code = log_storage_error(error)
            if not code:
                raise
            raise upload_error(code, retry_after=STORAGE_RETRY_SECONDS) from None

    def save(self, commit: bool = True) -> Any:
        """Store the photos and the object in one transaction, and return the object.

        What happens after `is_valid()` raises UnavailableError: the object is deleted,
        a parallel request uses up a limit, or no space is left. Then neither photos nor
        files stay.
        """
        if not commit:
            raise TypeError(
                "Photos are stored with their object: "
                "give the form an instance with all other values."
            )
        if self.errors:
            raise ValueError("A form with errors cannot be saved.")
        title = self.photo_title()
        try:
            photos = self.take_photos()
            with saving_photos(self.owner, title, photos):
                self.read_again()
                return self.save_with(photos)
        except ValidationError as error:
            code = getattr(error, "code", None)
            if code not in {"deleted", "too_many", "quota"}:  # raised by the object
                raise
            logger.warning("a form was valid, but could not be saved: %s", code)
            raise UnavailableError(code) from error
        except User.DoesNotExist:
            raise PermissionDenied from None  # the account was deleted meanwhile
        except (OSError, OperationalError) as error:
            code = log_storage_error(error)
            if not code:
                raise
            raise UnavailableError(code, retry_after=STORAGE_RETRY_SECONDS) from error

    def take_photos(self) -> dict[str, Photo]:
        """Return the photos whose files are stored.

        After an error, and if the form is saved twice, they are stored again.
        """
        photos = self.stored_photos
        self.stored_photos = None
        if photos is None:
            return store_files(self.owner, self.new_photos)
        return {name: photos[name] for name in self.new_photos}

    def read_again(self) -> None:
        """Lock what `save_with` changes: it may have changed since the form began."""

    def save_with(self, photos: Mapping[str, Photo]) -> Any:
        """Save what belongs to the photos, by their fields' names, and return it."""
        return photos


def log_storage_error(error: OSError | OperationalError) -> str:
    """Log that no photo can be stored, and return why: a code of ERROR_MESSAGES.

    Return an empty string for any other error.
    """
    reason = None
    if isinstance(error, OSError):
        reason = STORAGE_ERRORS.get(error.errno or 0)
    elif is_full(error):
        reason = FULL_DATABASE_REASON
    if reason is None:
        return ""
    code, text = reason
    logger.exception(text)
    return code


def is_full(error: OperationalError) -> bool:
    """Return whether the database has no space left."""
    cause = error.__cause__
    names = {getattr(cause, name, "") for name in ("sqlite_errorname", "sqlstate")}
    return not names.isdisjoint(FULL_DATABASE)


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

    Others may change or delete the object after it was read: decoding takes seconds.
    `save()` stores what the form shows, new photos and files, and what code has changed
    in the instance. All other fields keep their values in the database.

    The form gives a new object its owner, unless code has, or a field of the form does.

    `most_per_owner` limits the objects of an owner, and if the model says
    `open_rows = Q(…)`, of its own fields, those of its rows that are open.
    """

    # The row when the form was made. Code has changed the values that differ from it.
    original: Any = None
    stored: Any = None  # the row of an object that exists, locked by `save()`
    most_per_owner: int | None = None  # objects
    # If it is neither `owner`, nor the model's one key to a user, or one required key.
    owner_field: str = ""

    def __init__(
        self, *args: Any, originals: Mapping[str, Any] | None = None, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.is_new = self.instance._state.adding
        self.is_of_formset = originals is not None
        manager = self.instance._meta.model._base_manager
        self.rows = manager.filter(pk=self.instance.pk)
        if self.is_new:
            self.set_owner()
        elif originals is not None:
            self.original = originals.get(str(self.instance.pk))
        elif self.is_bound:
            self.original = self.rows.first()

    def set_owner(self) -> None:
        """Give a new object its owner.

        A key that may be null is only set if it is called `owner`, or if the form
        counts by it. Raise ImproperlyConfigured if it is not clear which key to set.
        """
        empty_keys = [
            field
            for field in self.keys_to_users()
            if getattr(self.instance, field.attname) is None
            and field.name not in self.fields
        ]
        is_required = any(
            field.name == "owner" or not field.null for field in empty_keys
        )
        is_counted = self.most_per_owner is not None
        if not (is_required or is_counted or self.owner_field):
            return
        name = self.key_of_owner()
        if name in {field.name for field in empty_keys}:
            setattr(self.instance, name, self.owner)

    def check_object(self) -> None:
        if not self.is_new:
            is_there = self.original is not None
            if self.new_photos and is_there:
                is_there = self.rows.exists()
            if not is_there:
                raise ObjectDeletedError
        # A formset counts its forms together.
        if not self.is_of_formset and self.adds_row():
            self.check_number()

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
            if not (field.name in form_names or self.is_changed_by_code(name)):
                setattr(self.instance, name, getattr(self.stored, name))
        if self.adds_row():
            self.check_number()

    def is_changed_by_code(self, name: str) -> bool:
        """Return whether the request's own code has changed a value of the instance.

        The row may have changed between its reading and the making of the form.
        """
        if is_as_at_start(self.instance, name):
            return False
        return bool(getattr(self.instance, name) != getattr(self.original, name))

    def names_shown(self) -> list[str]:
        """Return the names of the fields whose values the form shows and takes."""
        return [
            name
            for name, field in self.fields.items()
            if not (field.disabled or isinstance(field, forms.FileField))
        ]

    def adds_row(self) -> bool:
        """Return whether `most_per_owner` counts one row more after this form."""
        if self.is_new:
            return True
        if self.most_per_owner is None or self.open_rows is None:
            return False
        if self.rows.filter(self.open_rows).exists():
            return False
        condition = CheckConstraint(condition=self.open_rows, name="open")
        try:
            condition.validate(type(self.instance), self.instance)
        except ValidationError:
            return False
        return True

    @property
    def open_rows(self) -> Q | None:
        """Return which rows count, if the model says so."""
        rows: Q | None = getattr(self.instance, "open_rows", None)
        return rows

    def check_number(self) -> None:
        """Refuse one object too many.

        The owner is locked, so parallel requests are counted one after the other.
        """
        if self.most_per_owner is None:
            return
        if self.counted_rows().count() >= self.most_per_owner:
            raise TooManyObjectsError(self.most_per_owner)

    def counted_rows(self) -> QuerySet[Any]:
        """Return the objects of the owner that `most_per_owner` limits."""
        return self.objects_of_owner().filter(self.open_rows or Q())

    def objects_of_owner(self) -> QuerySet[Any]:
        manager: Manager[Any] = self.instance._meta.model._base_manager
        return manager.filter(**{self.key_of_owner(): self.owner})

    def key_of_owner(self) -> str:
        """Return the name of the field that leads to the owner."""
        if self.owner_field:
            return self.owner_field
        keys: list[str] = [field.name for field in self.keys_to_users()]
        if len(keys) == 1:
            return keys[0]
        if "owner" in keys:
            return "owner"
        required: list[str] = [
            field.name for field in self.keys_to_users() if not field.null
        ]
        if len(required) == 1:
            return required[0]
        name = type(self).__name__
        message = f"{name}: set owner_field to the key of the owner, of {keys}."
        raise ImproperlyConfigured(message)

    def keys_to_users(self) -> list[Any]:
        """Return the keys of the model that lead to a user."""
        return [
            field
            for field in self.instance._meta.concrete_fields
            if field.related_model is User and not field.remote_field.parent_link
        ]

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
