"""The admin site: its rules hold for the registered models of every package."""

from typing import Any

from django.conf import settings
from django.contrib import admin
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.auth.models import Group, Permission
from django.core.exceptions import BadRequest, ObjectDoesNotExist, ValidationError
from django.db import connection
from django.db.models import Model
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_http_methods

__all__ = ["AdminSite", "ModelAdmin"]

# Only superusers may change groups, permissions and who has them.
RESERVED_MODELS = {Group, Permission}
RESERVED_FIELDS = {"is_staff", "is_superuser"}


def may_change(request: HttpRequest, model: type[Model]) -> bool:
    """Return whether the user may change the objects of a model."""
    if request.user.is_superuser:
        return True
    related_models = {field.related_model for field in model._meta.fields}
    models = {model._meta.concrete_model} | related_models
    return models.isdisjoint(RESERVED_MODELS)


def reserved_fields(model: type[Model]) -> list[str]:
    """Return the names of the fields that only superusers may change."""
    return [
        field.name
        for field in (*model._meta.fields, *model._meta.many_to_many)
        if field.related_model in RESERVED_MODELS or field.name in RESERVED_FIELDS
    ]


def readonly_fields(model: type[Model]) -> list[str]:
    return [
        field.name
        for field in model._meta.fields
        if getattr(field, "readonly_in_admin", False)
    ]


def parameter_of(list_filter: Any) -> Any:
    """Return the parameter of the URL that a filter of a list reads.

    A filter is a field's name, a pair of that name and a class, or a class with the
    name of its parameter.
    """
    if isinstance(list_filter, list | tuple):
        return list_filter[0]
    return getattr(list_filter, "parameter_name", list_filter)


def lock_row(instance: Model) -> Model | None:
    """Lock an object until the end of the transaction, and read it again.

    A save writes every column: without the lock, it would undo what others have saved
    since the object was read. Return None if the object was deleted meanwhile.
    """
    rows = type(instance)._base_manager.select_for_update(no_key=True)
    try:
        instance.refresh_from_db(from_queryset=rows)
    except ObjectDoesNotExist:
        return None
    return instance


class ModelAdmin(admin.ModelAdmin):
    """Allow only the lookups of a list's own filters.

    Reserve groups and permissions for superusers.
    """

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        # Django allows lookups on every field of the model: `?session_key__gte=…` would
        # reveal a secret bit by bit.
        offered = [self.date_hierarchy, *self.get_list_filter(request)]
        names = [parameter_of(list_filter) for list_filter in offered]
        is_offered = any(
            lookup == name or lookup.startswith(f"{name}__") for name in names
        )
        return is_offered and super().lookup_allowed(lookup, value, request)

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        try:
            for key in request.POST.getlist(ACTION_CHECKBOX_NAME):
                self.opts.pk.to_python(key)
        except ValidationError:
            raise BadRequest("An id of a selected row is malformed") from None
        return super().changelist_view(request, extra_context)

    def get_object(
        self, request: HttpRequest, object_id: str, from_field: str | None = None
    ) -> Any:
        # Django would look up a field with an empty name.
        instance = super().get_object(request, object_id, from_field or None)
        if instance and request.method == "POST" and connection.in_atomic_block:
            return lock_row(instance)
        return instance

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        try:
            return super().changeform_view(request, *args, **kwargs)
        except OverflowError:
            # An id in a list's form is too large for SQLite: Django does not check it.
            raise BadRequest("Id too long") from None

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        names = [*super().get_readonly_fields(request, obj)]
        if not request.user.is_superuser:
            names += reserved_fields(self.model)
        return (*names, *readonly_fields(self.model))

    def get_inlines(self, request: HttpRequest, obj: Any) -> Any:
        inlines = super().get_inlines(request, obj)
        return [inline for inline in inlines if may_change(request, inline.model)]

    def get_inline_instances(self, request: HttpRequest, obj: Any = None) -> Any:
        inlines: list[Any] = super().get_inline_instances(request, obj)
        for inline in inlines:
            names = readonly_fields(inline.model)
            inline.readonly_fields = (*inline.readonly_fields, *names)
        return inlines

    def has_add_permission(self, request: HttpRequest) -> bool:
        is_allowed = super().has_add_permission(request)
        return is_allowed and may_change(request, self.model)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        is_allowed = super().has_change_permission(request, obj)
        return is_allowed and may_change(request, self.model)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        is_allowed = super().has_delete_permission(request, obj)
        return is_allowed and may_change(request, self.model)


class AdminSite(admin.AdminSite):
    site_header = getattr(settings, "SITE_NAME", admin.AdminSite.site_header)
    site_title = getattr(settings, "SITE_NAME", admin.AdminSite.site_title)

    def admin_view(self, view: Any, cacheable: bool = False) -> Any:
        checked_view = super().admin_view(view, cacheable)
        # Django's own views take every method.
        return require_http_methods(["GET", "HEAD", "POST"])(checked_view)

    def register(
        self, model_or_iterable: Any, admin_class: Any = None, **options: Any
    ) -> None:
        admin_class = admin_class or ModelAdmin
        if not issubclass(admin_class, ModelAdmin):
            admin_class = type(admin_class.__name__, (ModelAdmin, admin_class), {})
        super().register(model_or_iterable, admin_class, **options)
