"""The admin site. Its rules hold for every registered model, those of other packages included."""

from typing import Any

from django.conf import settings
from django.contrib import admin
from django.contrib.auth.models import Group, Permission
from django.db.models import Model
from django.http import HttpRequest


def is_about_rights(model: type[Model]) -> bool:
    """Return whether each row of a model is a group or permission, or connects one with its holder."""
    related = [field.related_model for field in model._meta.fields]
    return issubclass(model, Group | Permission) or Group in related or Permission in related


class ModelAdmin(admin.ModelAdmin):
    """Answer only lookups that the list itself offers, and reserve groups and permissions for superusers."""

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        # Django allows lookups on every field of the model: `?session_key__gte=…` would reveal a secret bit by bit.
        offered = [self.date_hierarchy, *self.get_list_filter(request)]
        names = [getattr(it, "parameter_name", it[0] if isinstance(it, list | tuple) else it) for it in offered]
        named = any(lookup == name or lookup.startswith(f"{name}__") for name in names)
        return named and super().lookup_allowed(lookup, value, request)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        fields = self.opts.fields + self.opts.many_to_many
        rights = [
            field.name
            for field in fields
            if field.name in {"is_staff", "is_superuser"} or field.related_model in (Group, Permission)
        ]
        return (*super().get_readonly_fields(request, obj), *([] if request.user.is_superuser else rights))

    def get_inlines(self, request: HttpRequest, obj: Any) -> Any:
        inlines = super().get_inlines(request, obj)
        return [it for it in inlines if request.user.is_superuser or not is_about_rights(it.model)]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return super().has_add_permission(request) and self.may_change_rows(request)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_change_permission(request, obj) and self.may_change_rows(request)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_delete_permission(request, obj) and self.may_change_rows(request)

    def may_change_rows(self, request: HttpRequest) -> bool:
        return bool(request.user.is_superuser) or not is_about_rights(self.model)


class AdminSite(admin.AdminSite):
    site_header = site_title = settings.SITE_NAME

    def register(self, model_or_iterable: Any, admin_class: Any = None, **options: Any) -> None:
        admin_class = admin_class or ModelAdmin
        if not issubclass(admin_class, ModelAdmin):
            admin_class = type(admin_class.__name__, (ModelAdmin, admin_class), {})
        super().register(model_or_iterable, admin_class, **options)
