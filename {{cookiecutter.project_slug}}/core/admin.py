"""The admin site: its rules hold for the registered models of every package."""

from typing import Any

from django.conf import settings
from django.contrib import admin
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.auth.models import Group, Permission
from django.core.exceptions import BadRequest, ValidationError
from django.db.models import Model
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_http_methods

RESERVED = (Group, Permission)


def may_change(request: HttpRequest, model: type[Model]) -> bool:
    """Return whether the user may change the model.

    Only superusers may change groups, permissions and who has them.
    """
    models = {
        model._meta.concrete_model,
        *(field.related_model for field in model._meta.fields),
    }
    return bool(request.user.is_superuser) or models.isdisjoint(RESERVED)


def readonly_fields(model: type[Model]) -> list[str]:
    return [
        field.name
        for field in model._meta.fields
        if getattr(field, "readonly_in_admin", False)
    ]


class ModelAdmin(admin.ModelAdmin):
    """Answer only lookups that the list itself offers.

    Groups and permissions are reserved for superusers.
    """

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        # Django allows lookups on every field of the model: `?session_key__gte=…` would
        # reveal a secret bit by bit. A filter is a field's name, a pair of it and a
        # class, or a class with the name of its parameter.
        offered = [self.date_hierarchy, *self.get_list_filter(request)]
        names = [
            getattr(it, "parameter_name", it[0] if isinstance(it, list | tuple) else it)
            for it in offered
        ]
        named = any(lookup == name or lookup.startswith(f"{name}__") for name in names)
        return named and super().lookup_allowed(lookup, value, request)

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
        # Django takes an empty name for a field.
        return super().get_object(request, object_id, from_field or None)

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        try:
            return super().changeform_view(request, *args, **kwargs)
        except OverflowError:
            # Too large for SQLite; Django does not check the ids of a list.
            raise BadRequest("Id too long") from None

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        fields = (
            ()
            if request.user.is_superuser
            else (*self.opts.fields, *self.opts.many_to_many)
        )
        reserved = [
            it.name
            for it in fields
            if it.related_model in RESERVED or it.name in {"is_staff", "is_superuser"}
        ]
        return (
            *super().get_readonly_fields(request, obj),
            *reserved,
            *readonly_fields(self.model),
        )

    def get_inlines(self, request: HttpRequest, obj: Any) -> Any:
        return [
            inline
            for inline in super().get_inlines(request, obj)
            if may_change(request, inline.model)
        ]

    def get_inline_instances(self, request: HttpRequest, obj: Any = None) -> Any:
        inlines: list[Any] = super().get_inline_instances(request, obj)
        for inline in inlines:
            inline.readonly_fields = (
                *inline.readonly_fields,
                *readonly_fields(inline.model),
            )
        return inlines

    def has_add_permission(self, request: HttpRequest) -> bool:
        return super().has_add_permission(request) and may_change(request, self.model)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_change_permission(request, obj) and may_change(
            request, self.model
        )

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_delete_permission(request, obj) and may_change(
            request, self.model
        )


class AdminSite(admin.AdminSite):
    site_header = site_title = settings.SITE_NAME

    def admin_view(self, view: Any, cacheable: bool = False) -> Any:
        # Django's own views take every method.
        return require_http_methods(["GET", "HEAD", "POST"])(
            super().admin_view(view, cacheable)
        )

    def register(
        self, model_or_iterable: Any, admin_class: Any = None, **options: Any
    ) -> None:
        admin_class = admin_class or ModelAdmin
        if not issubclass(admin_class, ModelAdmin):
            admin_class = type(admin_class.__name__, (ModelAdmin, admin_class), {})
        super().register(model_or_iterable, admin_class, **options)
