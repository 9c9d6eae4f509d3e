"""Staff without a proved second factor are strangers, and nobody logs in while attempts can't be counted."""

import logging
from functools import partial
from typing import Any
from urllib.parse import urlencode

from allauth.account.internal.flows.login import get_authentication_records
from allauth.mfa.models import Authenticator
from allauth.mfa.utils import is_mfa_enabled
from asgiref.sync import sync_to_async
from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.core.cache import cache
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.functional import SimpleLazyObject

from config.logs import log_event
from config.middleware import GetResponse

FACTORS = [Authenticator.Type.TOTP, Authenticator.Type.WEBAUTHN]
# Pages that concern nothing but one's own account.
ACCOUNT_PAGES = "/accounts/"


def missing_step(request: HttpRequest, user: Any) -> str | None:
    """Returns the name of the page where a member of staff sets up or proves a second factor, if that is missing."""
    if not (user.is_staff or user.is_superuser):
        return None
    if not is_mfa_enabled(user, FACTORS):
        return "mfa_index"
    proved = any(record.get("method") == "mfa" for record in get_authentication_records(request, user))
    return None if proved else "mfa_reauthenticate"


def known(request: HttpRequest, user: Any) -> Any:
    return AnonymousUser() if missing_step(request, user) else user


class SecondFactorMiddleware:
    """Lets staff be staff only in a session with a second factor; their own account pages lead there.

    To every other page they are anonymous until then, so no view or permission can forget to ask.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if not request.path_info.startswith(ACCOUNT_PAGES):
            # Lazily, so that images are served without a look at the session.
            find = partial(known, request, request.user)
            request.user, request.auser = SimpleLazyObject(find), sync_to_async(find)  # type: ignore[assignment]
        elif request.path_info == settings.LOGIN_URL and (step := missing_step(request, request.user)):
            following = {"next": request.GET.get("next", "/")}
            return redirect(f"{reverse(step)}?{urlencode(following)}")
        return self.get_response(request)


class LimitsMiddleware:
    """Answers 503 while the cache, which counts attempts, is down; logs what was over a limit."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if response.status_code == 429 and request.path_info.startswith(ACCOUNT_PAGES):
            log_event("excess_rate_limit_exceeded", request)
        return response

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        try:
            cache.get("reached")
        except Exception:  # whatever a cache's driver raises means the same here
            logging.getLogger("accounts").exception("attempts can't be counted")
            return render(request, "503.html", status=503)
        return None
