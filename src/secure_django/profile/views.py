"""The page on which people change what others see of them, and download their data."""

from copy import copy

from allauth.account.decorators import reauthentication_required
from django.apps import apps
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from secure_django.logging import log_event
from secure_django.mail import suppressions
from secure_django.photos.forms import render_form
from secure_django.profile.exports import json_of
from secure_django.profile.forms import profile_form
from secure_django.ratelimit import rate_limit
from secure_django.user import User, UserRequest
from secure_django.web.appearance import remember_appearance
from secure_django.web.languages import in_language_of, remember_language


def asks_again(request: HttpRequest) -> bool:
    """Return whether the site has pages that ask again for the password."""
    return apps.is_installed("secure_django.accounts")


@require_http_methods(["GET", "HEAD", "POST"])
@rate_limit(60, seconds=3600)
def profile(request: UserRequest) -> HttpResponse:
    # Not the user of the request, of whom the page shows the present name.
    user = copy(request.user)
    form = profile_form()(
        request.POST or None,
        request.FILES or None,
        instance=user,
        owner=request.user,
    )
    if form.is_valid():
        form.save()
        response = redirect("account_profile")
        if "language" in form.changed_data:
            remember_language(request, response, user)
        with in_language_of(user):
            messages.success(request, _("Saved."))
        return response
    return render_form(request, "secure_django/profile/profile.html", form)


@require_POST
@rate_limit(60, seconds=3600)
def appearance(request: UserRequest) -> HttpResponse:
    """Remember the colors for this browser."""
    response = redirect("account_profile")
    remember_appearance(response, request.POST.get("appearance", ""))
    messages.success(request, _("Saved."))
    return response


@require_POST
@rate_limit(5, seconds=24 * 3600)
def resume_emails(request: UserRequest) -> HttpResponse:
    """Send emails to the user's address again, after one came back."""
    if suppressions.lift(request.user.email):
        messages.success(request, _("We send emails to you again."))
    return redirect("account_profile")


@require_http_methods(["GET", "HEAD", "POST"])
@rate_limit(10, seconds=3600)
@reauthentication_required(enabled=asks_again)
def export(request: UserRequest) -> HttpResponseBase:
    """Send a file with what the site stores about the user."""
    if request.method != "POST":
        return render(request, "secure_django/profile/export.html")
    log_event("sensitive_read", request, user=request.user.pk, reason="own data")
    return StreamingHttpResponse(
        json_of(get_object_or_404(User, pk=request.user.pk)),
        content_type="application/json",  # which is always in UTF-8
        headers={
            "Content-Disposition": 'attachment; filename="data.json"',
            "Cache-Control": "no-store",
        },
    )
