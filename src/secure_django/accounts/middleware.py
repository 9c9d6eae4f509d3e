from functools import partial
from typing import Any

from allauth.account.authentication import get_authentication_records
from allauth.mfa.models import Authenticator
from allauth.mfa.utils import is_mfa_enabled
from asgiref.sync import sync_to_async
from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.deprecation import MiddlewareMixin
from django.utils.functional import SimpleLazyObject
from django.utils.http import url_has_allowed_host_and_scheme

# Recovery codes only stand in for one of these.
SECOND_FACTORS = [Authenticator.Type.TOTP, Authenticator.Type.WEBAUTHN]


def missing_step(request: HttpRequest, user: Any) -> str | None:
    """Return the URL name of the page of the step that staff must take, or None.

    The steps are to set up a second factor, and to prove it in this session.
    """
    if not (user.is_staff or user.is_superuser):
        return None
    if not is_mfa_enabled(user, SECOND_FACTORS):
        return "mfa_index"
    records = get_authentication_records(request, user)
    is_proved = any(record.get("method") == "mfa" for record in records)
    return None if is_proved else "mfa_reauthenticate"


def user_with_second_factor(request: HttpRequest, user: Any) -> Any:
    return AnonymousUser() if missing_step(request, user) else user


class SecondFactorMiddleware(MiddlewareMixin):
    """Treat staff as anonymous until their session has proved a second factor.

    The pages of their own account are the exception. Every other page sees an anonymous
    user, so no view or permission check can forget the factor.
    """

    def process_request(self, request: HttpRequest) -> HttpResponse | None:
        # Lazy, so that a response that needs no user does not load the session.
        find_visitor = partial(user_with_second_factor, request, request.user)
        # The menu needs both: the account that is logged in, and the site's user.
        request.account = request.user  # type: ignore[attr-defined]
        request.visitor = SimpleLazyObject(find_visitor)  # type: ignore[attr-defined]
        if not request.path_info.startswith("/accounts/"):
            request.user = request.visitor  # type: ignore[attr-defined]
            request.auser = sync_to_async(find_visitor)
        elif request.path_info == settings.LOGIN_URL:
            return redirect_to_missing_step(request)
        return None


def redirect_to_missing_step(request: HttpRequest) -> HttpResponse | None:
    step = missing_step(request, request.user)
    if not step:
        return None
    next_url = request.GET.get("next", "/")
    remember_page(request, next_url)
    return redirect(reverse(step, query={"next": next_url}))


def remember_page(request: HttpRequest, url: str) -> None:
    """Let "Continue" lead to a page of this site once the second factor is set up."""
    if url_has_allowed_host_and_scheme(
        url, {request.get_host()}, require_https=request.is_secure()
    ):
        request.session["page_after_second_factor"] = url
