from functools import cache
from threading import BoundedSemaphore, Lock
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.utils.deprecation import MiddlewareMixin
from django.utils.log import log_response

from core import views

PAGES = "/accounts/"  # as in config/urls.py
WAIT_SECONDS, RETRY_SECONDS = 2, 1


class FormTurnMiddleware(MiddlewareMixin):
    """Let each process handle one form of the account pages at a time, and one wait.

    Refuse others with 503. Most of these forms hash a password, which takes longer than
    ten pages. Without turns, a few parallel log-ins would keep all threads and
    processors from everyone else.
    """

    turn, places = Lock(), BoundedSemaphore(2)

    def __call__(self, request: HttpRequest) -> Any:
        path = request.path_info
        if (
            request.method != "POST"
            or not path.startswith(PAGES)
            or path == f"{PAGES}logout/"
        ):
            return self.get_response(request)
        if self.places.acquire(blocking=False):
            try:
                if self.turn.acquire(timeout=WAIT_SECONDS):
                    try:
                        return self.get_response(request)
                    finally:
                        self.turn.release()
            finally:
                self.places.release()
        views.discard_body(request)
        response = HttpResponse(
            busy_page(), status=503, headers={"Retry-After": str(RETRY_SECONDS)}
        )
        # Otherwise Django would log an error.
        log_response(
            "Busy: %s", request.path, response=response, request=request, level="info"
        )
        return response


@cache
def busy_page() -> bytes:
    """Return a page without the request's id, rendered once.

    For each request, it would cost ten times as much.
    """
    return render_to_string(
        "error.html", {"project_name": settings.SITE_NAME, "name": "503"}
    ).encode()
