"""What staff may see and do with other users' sessions and second factors."""

from typing import Any

from allauth.account.adapter import get_adapter

# Importing allauth's admin modules registers its pages, which show secrets and cannot
# end sessions. Replaced below.
from allauth.mfa.admin import Authenticator
from allauth.usersessions.admin import UserSession
from django.contrib import admin, messages
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from secure_django.admin import ModelAdmin
from secure_django.logging import log_event
from secure_django.login.devices import forget_devices
from secure_django.user import User

admin.site.unregister([Authenticator, UserSession])
USER_PAGES = f"admin:{User._meta.app_label}_{User._meta.model_name}_"


class GuardedAdmin(ModelAdmin):
    """Show the rows of staff to superusers only: others could take over accounts."""

    search_fields = ("user__email",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows = super().get_queryset(request)
        if request.user.is_superuser:
            return rows
        is_staff = Q(user__is_staff=True) | Q(user__is_superuser=True)
        return rows.exclude(is_staff)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(UserSession)
class UserSessionAdmin(GuardedAdmin):
    list_display = ("user", "created_at", "ip", "user_agent")
    fields = list_display
    actions = ("end",)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        # Deleting the row alone would not end the session. So only the deletion of its
        # user deletes it.
        match = request.resolver_match
        deletes_user = match is not None and match.view_name.startswith(USER_PAGES)
        return deletes_user and super().has_delete_permission(request, obj)

    def has_end_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("usersessions.delete_usersession")

    @admin.action(description=_("End selected sessions"), permissions=["end"])
    def end(self, request: HttpRequest, queryset: QuerySet[UserSession]) -> None:
        for session in queryset:
            session.end()
            forget_devices(session.user)
            log_event(
                "session_expired",
                request,
                reason="ended by staff",
                owner=session.user_id,
            )
        self.message_user(request, _("The sessions have ended."), messages.SUCCESS)


@admin.register(Authenticator)
class AuthenticatorAdmin(GuardedAdmin):
    """Show no secrets.

    Staff delete a lost factor after verifying the user's identity in another way.
    """

    list_display = ("user", "type", "created_at", "last_used_at")
    fields = list_display

    def delete_model(self, request: HttpRequest, obj: Authenticator) -> None:
        super().delete_model(request, obj)
        forget_devices(obj.user)
        log_event("authn_factor_removed", request, factor=obj.type, owner=obj.user_id)
        changes = {"changes": [str(_("second factor"))]}
        get_adapter().send_notification_mail(
            "secure_django/login/email/changed_by_staff", obj.user, changes
        )

    def delete_queryset(
        self, request: HttpRequest, queryset: QuerySet[Authenticator]
    ) -> None:
        for authenticator in queryset:
            self.delete_model(request, authenticator)
