"""What staff may see and do with other users. A project registers UserAdmin."""

from collections.abc import Collection
from typing import Any

from allauth.account.adapter import get_adapter
from allauth.account.admin import EmailAddress  # importing it registers its page
from allauth.account.decorators import secure_admin_login
from allauth.account.forms import ResetPasswordForm
from django import forms
from django.contrib import admin, messages
from django.contrib.admin.utils import flatten_fieldsets, label_for_field, unquote
from django.contrib.admin.widgets import AdminTextInputWidget
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_safe

from secure_django.admin import ModelAdmin, readonly_fields
from secure_django.logging import log_event
from secure_django.login.fields import signup_fields
from secure_django.login.models import AbstractUser
from secure_django.user import User
from secure_django.web.languages import in_language_of

__all__ = ["UserAdmin"]

# The site's own log-in limits attempts.
admin.site.login = require_safe(secure_admin_login(admin.site.login))  # type: ignore[method-assign]
admin.site.unregister(EmailAddress)


def report_change(request: HttpRequest, before: User, after: User) -> None:
    """Log the changed fields among those that give access, and email the user.

    The email goes to the address from before the change.
    """
    names = ("email", "password", "is_active", "is_staff", "is_superuser")
    changed = [name for name in names if getattr(before, name) != getattr(after, name)]
    if not changed:
        return
    log_event("user_updated", request, owner=after.pk, changed=changed)
    with in_language_of(after):
        labels = [str(label_for_field(name, User)) for name in changed]
    get_adapter().send_notification_mail(
        "secure_django/login/email/changed_by_staff",
        after,
        {"changes": labels},
        before.email,
    )


def fields_of_project(shown: Collection[str]) -> list[str]:
    """Return the names of the fields that a project has added to its user model."""
    own = [*AbstractUser._meta.fields, *AbstractUser._meta.many_to_many]
    package_names = {field.name for field in own}
    fields = [*User._meta.fields, *User._meta.many_to_many]
    return [
        field.name
        for field in fields
        if field.editable and field.name not in {*package_names, *shown}
        if not field.primary_key
    ]


class UserAdmin(ModelAdmin, DjangoUserAdmin):
    ordering = ("email",)
    search_fields = ("email",)
    list_display = ("email", "name", "is_active", "is_staff", "last_login")
    list_filter = ("is_active", "is_staff", "groups")
    sortable_by = ("email", "is_active", "is_staff", "last_login")  # no encrypted text
    readonly_fields = ("last_login", "date_joined")
    fieldsets = (
        (None, {"fields": ("email", "name", "password", "decision_emails")}),
        (
            _("Permissions"),
            {
                "fields": (
                    "is_active",
                    "is_staff",
                    "is_superuser",
                    "groups",
                    "user_permissions",
                )
            },
        ),
        (_("Dates"), {"fields": ("last_login", "date_joined")}),
    )
    add_form = forms.ModelForm
    add_fieldsets = ((None, {"fields": ("email", "name")}),)
    actions = ("send_reset_link",)

    def get_fieldsets(self, request: HttpRequest, obj: User | None = None) -> Any:
        """Add the fields of the project's own user model to the first ones."""
        fieldsets = super().get_fieldsets(request, obj)
        (name, options), *others = fieldsets
        fields = [*options["fields"], *fields_of_project(flatten_fieldsets(fieldsets))]
        if obj is None:  # a photo can only be shown
            fields = [field for field in fields if field not in readonly_fields(User)]
        if not request.user.is_superuser:
            fields = [field for field in fields if field != "password"]
        return [(name, {"fields": fields}), *others]

    def formfield_for_dbfield(
        self, db_field: Any, request: HttpRequest, **options: Any
    ) -> Any:
        if db_field.name == "name":
            options["widget"] = AdminTextInputWidget  # one line
        field: Any = super().formfield_for_dbfield(db_field, request, **options)
        if db_field.name in signup_fields() and db_field.empty_strings_allowed:
            # An account from before the field lacks it, and staff can still disable it.
            field.required = False
        return field

    def save_model(
        self, request: HttpRequest, obj: User, form: forms.ModelForm, change: bool
    ) -> None:
        if change:
            before = User.objects.get(pk=obj.pk)
        else:
            before = obj
            obj.set_unusable_password()  # a link by email sets the first one
        super().save_model(request, obj, form, change)
        if before.email != obj.email:
            # allauth's table: an email in it can log in and reset the password.
            EmailAddress.objects.filter(user=obj).delete()
        report_change(request, before, obj)

    def user_change_password(
        self, request: HttpRequest, id: str, form_url: str = ""
    ) -> HttpResponse:
        if not request.user.is_superuser:
            raise PermissionDenied
        before = self.get_object(request, unquote(id))
        response: HttpResponse = super().user_change_password(request, id, form_url)
        if before:
            after = User.objects.get(pk=before.pk)
            report_change(request, before, after)
        return response

    @admin.action(
        description=_("Send selected users a link to choose a new password"),
        permissions=["change"],
    )
    def send_reset_link(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        for user in queryset.filter(is_active=True):
            form = ResetPasswordForm({"email": user.email})
            if form.is_valid():
                form.save(request)
                log_event("authn_password_reset_sent", request, owner=user.pk)
        self.message_user(
            request, _("The links were sent to the active users."), messages.SUCCESS
        )

    def has_change_permission(
        self, request: HttpRequest, obj: User | None = None
    ) -> bool:
        # Otherwise staff with this permission could take over another staff account, by
        # its password or email.
        allowed = super().has_change_permission(request, obj)
        is_of_staff = obj is not None and (obj.is_staff or obj.is_superuser)
        return allowed and (request.user.is_superuser or not is_of_staff)

    def has_delete_permission(
        self, request: HttpRequest, obj: User | None = None
    ) -> bool:
        # The admin's log refers to staff and former staff. Clear `active` instead.
        allowed = super().has_delete_permission(request, obj)
        return allowed and (obj is None or obj.is_deletable)
