"""Account pages that allauth lacks: emails about photos, deletion, end of a session."""

from typing import Any

from allauth.account.adapter import get_adapter
from allauth.account.decorators import reauthentication_required
from allauth.usersessions.models import UserSession
from allauth.usersessions.views import ListUserSessionsView
from django.contrib import messages
from django.contrib.auth import logout
from django.core.exceptions import PermissionDenied
from django.db.models import Model
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from secure_django.deletion import (
    Deletion,
    DeletionRefusedError,
    delete_user,
    plan_deletion,
)
from secure_django.logging import log_event
from secure_django.login.devices import forget_other_devices
from secure_django.login.http import UserRequest
from secure_django.photos.models import Photo
from secure_django.profile.exports import is_of_project
from secure_django.user import User


@require_http_methods(["GET", "HEAD", "POST"])
def notifications(request: UserRequest) -> HttpResponse:
    if request.method != "POST":
        return render(request, "secure_django/accounts/notifications.html")
    # Only this field is saved: staff may disable the account at this moment.
    User.objects.filter(pk=request.user.pk).update(
        decision_emails="decision_emails" in request.POST
    )
    messages.success(request, _("Saved."))
    return redirect("account_notifications")


@require_http_methods(["GET", "HEAD", "POST"])
@reauthentication_required
def delete_account(request: UserRequest) -> HttpResponse:
    """Delete the user's own account.

    Refuse it for staff and former staff, whose decisions stay in the admin's log, and
    where other people or a row of an app need what would go.
    """
    user = request.user
    if not user.is_deletable:
        raise PermissionDenied
    if request.method != "POST":
        deletion = plan_deletion(user)
        context = {"deletion": deletion, "is_refused": deletion.is_refused}
        return render_deletion(request, "delete.html", context)
    try:
        deletion = delete_user(user)
    except DeletionRefusedError as error:
        log_event("user_deletion_refused", request, user=user.pk)
        context = {"deletion": error.deletion, "is_refused": True}
        return render_deletion(request, "delete.html", context, status=409)
    except User.DoesNotExist:  # a second click, beside the first
        return render_deletion(request, "deleted.html", {"deletion": Deletion()})
    logout(request)
    request.account = request.user  # type: ignore[attr-defined]  # for the header
    log_event("user_deleted", request, user=user.pk)
    get_adapter().send_notification_mail(
        "secure_django/accounts/email/account_deleted", user
    )
    return render_deletion(request, "deleted.html", {"deletion": deletion})


def render_deletion(
    request: UserRequest, name: str, context: dict[str, Any], status: int = 200
) -> HttpResponse:
    """Render a page with the kinds that a person knows.

    Sessions, emails and second factors go too: the page says so in a sentence.
    """
    deletion: Deletion = context["deletion"]
    known = [rows for rows in deletion.goes if is_known(rows.model)]
    return render(
        request,
        f"secure_django/accounts/{name}",
        {**context, "goes": known},
        status=status,
    )


def is_known(model: type[Model]) -> bool:
    return model is Photo or is_of_project(model._meta.app_config)


class SessionsView(ListUserSessionsView):
    """Show the user's sessions, and end all others."""

    def form_valid(self, form: Any) -> HttpResponse:
        forget_other_devices(self.request)
        response: HttpResponse = super().form_valid(form)
        return response


@require_POST
def end_session(request: UserRequest, pk: int) -> HttpResponse:
    session = get_object_or_404(UserSession, pk=pk, user=request.user)
    log_event("session_expired", request, reason="ended by its owner")
    if session.is_current():
        logout(request)
    else:
        # No session knows its device, and this one may be lost.
        forget_other_devices(request)
    session.end()
    return redirect("usersessions_list")
