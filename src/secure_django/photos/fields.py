"""A photo of an object of any app.

For example: `cover = PhotoField(_("cover"), blank=True, visible_to=everyone)`.
"""

from collections.abc import Hashable
from typing import Any

from django.core import checks
from django.db import models
from django.db.models import OuterRef, Q, Subquery, signals
from django.db.models.lookups import IsNull
from django.dispatch import receiver
from django.utils.functional import lazy
from django.utils.text import capfirst

from secure_django.photos.form_fields import PhotoFormField
from secure_django.photos.images import NewPhoto
from secure_django.photos.purposes import (
    PURPOSES,
    AnyPhoto,
    Purpose,
    VisibleTo,
    everyone,
    logged_in,
    register,
)

__all__ = ["PhotoField", "everyone", "logged_in"]

# An attribute of objects. Without the underscore, django-allauth would write it into
# the session, as one more field of a user.
VALUES_AT_START = "_values_at_start"


class PhotoField(models.ForeignKey):
    """A photo that is validated, re-encoded, moderated and then shown.

    `visible_to(object, user)` returns whether the user may see the approved photo:
    `everyone`, `logged_in` or a function of your own. With `moderated=False`, the photo
    is approved at once, and neither staff nor a service see it. Then `visible_to` alone
    decides, for the owner too.

    With `stays_with_object=True`, the photo of a shared object stays with it when the
    account of whoever stored the photo is deleted, without that person's name.

    PhotoModelForm stores new photos. A photo that no object refers to is hidden at
    once, and the worker deletes it.
    """

    readonly_in_admin = (
        True  # secure_django.admin reads this: the admin's forms store no photos
    )

    def __init__(
        self,
        verbose_name: Any = None,
        *,
        visible_to: VisibleTo | None = None,
        moderated: bool = True,
        stays_with_object: bool = False,
        **options: Any,
    ) -> None:
        if visible_to is None:
            raise TypeError(
                "PhotoField needs visible_to, which says who sees the approved photo: "
                "everyone, logged_in, or a function of the object and the user."
            )
        fixed = {
            "to": "secure_django_photos.Photo",
            "on_delete": models.SET_NULL,
            "null": True,
            "related_name": "+",
        }
        super().__init__(verbose_name=verbose_name, **(options | fixed))
        self.visible_to: VisibleTo = visible_to
        self.moderated = moderated
        self.stays_with_object = stays_with_object

    def deconstruct(self) -> Any:
        # In migrations, the field is a plain foreign key: they need neither this class
        # nor `visible_to`.
        name, _, args, options = super().deconstruct()
        return name, "django.db.models.ForeignKey", args, options

    def clone(self) -> Any:
        # The models of migrations must not register purposes.
        _, _, args, options = self.deconstruct()
        return models.ForeignKey(*args, **options)

    def contribute_to_class(
        self, cls: Any, name: str, *args: Any, **options: Any
    ) -> None:
        super().contribute_to_class(cls, name, *args, **options)
        if not cls._meta.abstract:
            self.purpose = register(FieldPurpose(self))

    def check(self, **kwargs: Any) -> list[checks.CheckMessage]:
        errors: list[checks.CheckMessage] = super().check(**kwargs)
        if not self.moderated and self.visible_to is logged_in:
            message = (
                "A photo that is not moderated is not for every user: "
                "let visible_to be a function that names those who see it."
            )
            errors.append(checks.Error(message, obj=self, id="secure_django.E201"))
        return errors

    def validate(self, value: Any, model_instance: Any) -> None:
        """Leave validation to the form, which validates the file."""

    def value_from_object(self, obj: models.Model) -> Any:
        # The photo instead of its key, for the form's input.
        return getattr(obj, self.name)

    def value_to_string(self, obj: models.Model) -> str:
        # For dumpdata, which would otherwise write the photo's title.
        return str(getattr(obj, self.attname))

    def save_form_data(self, instance: Any, data: Any) -> None:
        if not isinstance(data, NewPhoto):  # the form stores it first
            setattr(instance, self.name, data or None)

    def formfield(self, **options: Any) -> Any:
        defaults = {
            "required": not self.blank,
            "label": capfirst(self.verbose_name),
            "help_text": self.help_text,
        }
        # Options of a field that chooses among objects.
        for name in ("using", "queryset", "limit_choices_to"):
            options.pop(name, None)
        return PhotoFormField(purpose=self.purpose, **(defaults | options))


def describe(field: PhotoField) -> str:
    """Return the name of the field's model, and of the field if it is one of several.

    Reviewers and owners read it.
    """
    meta = field.model._meta
    photo_fields = [other for other in meta.fields if isinstance(other, PhotoField)]
    if len(photo_fields) == 1:
        return str(meta.verbose_name)
    return f"{meta.verbose_name}: {field.verbose_name}"


class FieldPurpose(Purpose):
    """The purpose of the photos of one field."""

    def __init__(self, field: PhotoField) -> None:
        meta = field.model._meta
        name = f"{meta.label_lower}.{field.name}"
        super().__init__(name, lazy(describe, str)(field), visible_to=field.visible_to)
        self.field = field
        self.is_moderated = field.moderated
        self.stays_with_object = field.stays_with_object

    def objects(self, photo: AnyPhoto) -> models.QuerySet[Any]:
        return self.objects_with(photo.pk)

    def objects_with(self, photo_id: Any) -> models.QuerySet[Any]:
        """Return the objects that refer to a photo. An id may be an expression."""
        manager = self.field.model._base_manager
        return manager.filter(**{self.field.attname: photo_id})

    def get_url(self, photo: AnyPhoto) -> str:
        instance: Any = self.objects(photo).first()
        if not hasattr(instance, "get_absolute_url"):
            return ""
        return str(instance.get_absolute_url())

    def unused(self) -> Q:
        # Not by Exists: for it, PostgreSQL may read all objects, and expects that the
        # condition is false for half of the photos.
        objects = self.objects_with(OuterRef("pk")).order_by()
        keys = objects.values(self.field.attname)
        return Q(IsNull(Subquery(keys[:1]), True))


def fields_of_shared_photos() -> list[PhotoField]:
    """Return the fields whose photos stay when their owner's account goes."""
    purposes = [it for it in PURPOSES.values() if isinstance(it, FieldPurpose)]
    return [it.field for it in purposes if it.field.stays_with_object]


@receiver(signals.class_prepared)
def on_model(sender: Any, **kwargs: Any) -> None:
    """Let the objects of a model with photos remember their values."""
    if any(isinstance(field, PhotoField) for field in sender._meta.fields):
        signals.post_init.connect(remember_values, sender=sender)


def remember_values(instance: Any, **kwargs: Any) -> None:
    """Keep the values with which an object was made or read.

    A form compares them: what differs from the database but not from them, others have
    changed, and not the code of this request.
    """
    setattr(instance, VALUES_AT_START, {**instance.__dict__})


def is_as_at_start(instance: Any, name: str) -> bool:
    """Return whether code has certainly left the value of an object's field alone."""
    values = getattr(instance, VALUES_AT_START, {})
    # Code can change a list in place, which changes the remembered one too.
    if not isinstance(values.get(name, []), Hashable):
        return False
    return bool(values[name] == getattr(instance, name))
