from allauth.account.admin import EmailAddress  # importing it registers its page
from allauth.account.decorators import secure_admin_login
from django import forms
from django.contrib import admin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_safe

from core.admin import ModelAdmin
from users.models import User

# The site's own log-in limits attempts.
admin.site.login = require_safe(secure_admin_login(admin.site.login))  # type: ignore[method-assign]
admin.site.unregister(EmailAddress)


@admin.register(User)
class UserAdmin(ModelAdmin, DjangoUserAdmin):
    ordering = ("email",)
    search_fields = ("email",)
    list_display = ("email", "is_active", "is_staff", "last_login")
    list_filter = ("is_active", "is_staff", "groups")
    readonly_fields = ("last_login", "date_joined")
    fieldsets = (
        (None, {"fields": ("email", "password", "decision_emails")}),
        (_("Permissions"), {"fields": ("is_active", "is_staff", "is_superuser", "groups", "user_permissions")}),
        (_("Dates"), {"fields": ("last_login", "date_joined")}),
    )
    add_fieldsets = ((None, {"classes": ("wide",), "fields": ("email", "usable_password", "password1", "password2")}),)

    def save_model(self, request: HttpRequest, obj: User, form: forms.ModelForm, change: bool) -> None:
        super().save_model(request, obj, form, change)
        if change and "email" in form.changed_data:
            # allauth's own table: with an email in it, a user can log in and reset the password.
            EmailAddress.objects.filter(user=obj).delete()

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        # Otherwise staff with this permission could take over another staff account, by its password or email.
        allowed = super().has_change_permission(request, obj)
        return allowed and (request.user.is_superuser or not (obj and (obj.is_staff or obj.is_superuser)))

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        # The record of staff decisions refers to them. Clear `active` instead.
        return super().has_delete_permission(request, obj) and (obj is None or obj.is_deletable)
