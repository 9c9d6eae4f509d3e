"""Several objects with photos on one page."""

from collections.abc import Mapping
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.functional import cached_property

from secure_django.photos.forms import TooManyObjectsError
from secure_django.photos.limits import check_quota, upload_deadline
from secure_django.user import User

__all__ = ["PhotoFormSet"]


class KeyField(forms.ModelChoiceField):
    """The hidden key of an object in a formset, whose rows are read by one query."""

    originals: Mapping[str, Any]

    def to_python(self, value: Any) -> Any:
        if value in self.empty_values:
            return None
        original = self.originals.get(str(value))
        if original is not None:
            return original
        message = self.error_messages["invalid_choice"]
        raise ValidationError(message, code="invalid_choice", params={"value": value})


class PhotoFormSet(forms.BaseModelFormSet):
    """Several objects with photos on one page. All of them are stored, or none.

    For example: `modelformset_factory(Note, NoteForm, formset=PhotoFormSet)`, whose
    class takes `owner=request.user`. The limits count its objects and photos together.
    """

    def __init__(self, *args: Any, owner: User, **kwargs: Any) -> None:
        self.owner = owner
        super().__init__(*args, **kwargs)

    @cached_property
    def originals(self) -> dict[str, Any]:
        """Return the rows as they are stored, by their keys as texts."""
        if not self.is_bound:
            return {}
        return {str(row.pk): row for row in self.get_queryset().all()}

    def get_form_kwargs(self, index: int | None) -> dict[str, Any]:
        options = {"owner": self.owner, "originals": self.originals}
        return super().get_form_kwargs(index) | options

    def add_fields(self, form: Any, index: int | None) -> None:
        super().add_fields(form, index)
        model: Any = self.model
        name = model._meta.pk.name
        field = form.fields[name]
        if self.is_bound and isinstance(field, forms.ModelChoiceField):
            # Django's field would ask for each key.
            key_field = KeyField(
                field.queryset,
                initial=field.initial,
                required=False,
                widget=field.widget,
            )
            key_field.originals = self.originals
            form.fields[name] = key_field

    def full_clean(self) -> None:
        with upload_deadline():
            super().full_clean()

    def clean(self) -> None:
        super().clean()
        if any(self.errors):
            return
        all_forms: list[Any] = self.forms
        deleted: list[Any] = self.deleted_forms if self.can_delete else []
        changed = [form for form in all_forms if form.has_changed()]
        kept = [form for form in changed if form not in deleted]
        photos = sum(len(form.new_photos) for form in kept)
        if photos:
            check_quota(self.owner, photos)
        adding = [form for form in kept if form.adds_row()]
        if adding:
            self.check_number(adding, deleted)

    def check_number(self, adding: list[Any], deleted: list[Any]) -> None:
        """Raise ValidationError if the owner would have too many objects."""
        most = adding[0].most_per_owner
        if most is None:
            return
        keys = [form.instance.pk for form in deleted if not form.is_new]
        present = adding[0].counted_rows().exclude(pk__in=keys).count()
        if present + len(adding) > most:
            raise TooManyObjectsError(most)

    def save(self, commit: bool = True) -> Any:
        with transaction.atomic():
            return super().save(commit)
