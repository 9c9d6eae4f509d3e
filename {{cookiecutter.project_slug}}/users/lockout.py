"""The hooks of django-axes."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from core.logging import log_event


def username(request: HttpRequest | None, credentials: dict[str, Any] | None) -> str:
    """Return the requested account in lower case. Otherwise each spelling would have attempts of its own.

    The name is cut to the length of its column: PostgreSQL would reject a longer one, and the failure would not count.
    """
    values = credentials or (request.POST if request else {})
    return str(values.get("username") or values.get("email") or "").strip().lower()[:255]


def locked_out(request: HttpRequest, response: HttpResponse, credentials: dict[str, Any]) -> HttpResponse:
    log_event("authn_login_lock", request)
    return render(request, "registration/locked.html", status=429)
