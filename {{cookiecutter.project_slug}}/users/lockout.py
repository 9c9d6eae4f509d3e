"""What django-axes needs to know of this project."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from config.logs import log_event


def username(request: HttpRequest | None, credentials: dict[str, Any] | None) -> str:
    """Returns the account that is tried, in lower case: else each spelling would have tries of its own.

    Cut to the length of the column: PostgreSQL would refuse a longer one, and the failure would not count.
    """
    values = credentials or (request.POST if request else {})
    return str(values.get("username") or values.get("email") or "").strip().lower()[:255]


def locked_out(request: HttpRequest, response: HttpResponse, credentials: dict[str, Any]) -> HttpResponse:
    log_event("authn_login_lock", request)
    return render(request, "registration/locked.html", status=429)
