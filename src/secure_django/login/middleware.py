import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cache, lru_cache
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.utils.deprecation import MiddlewareMixin
from django.utils.log import log_response

from secure_django.login.devices import device_of_form
from secure_django.login.models import Device
from secure_django.turns import Burst, Busy, Turns
from secure_django.web.client import client_network

PAGES = "/accounts/"  # as in config/urls.py
# Forms that hash nothing, and that must work during a flood too.
WITHOUT_TURN = {
    "/accounts/logout/",
    "/accounts/password/reset/",
    "/accounts/profile/",  # whose photo waits for a turn of the decoder
    "/accounts/profile/export/",
    "/accounts/2fa/authenticate/",
    "/accounts/2fa/webauthn/login/",
}
RETRY_SECONDS = 1
WAIT_SECONDS = 5
# An office that comes to work: of twenty forms at a time, one of two processes may get
# fourteen. After a minute and a half, twenty more may come.
BURST = 12
BURST_SECONDS = 7
# So that a flood of forms from unknown devices keeps no known device waiting.
turns_of_unknown = Turns(1, WAIT_SECONDS, Burst(BURST, BURST_SECONDS))
turns_of_known = Turns(1, WAIT_SECONDS, Burst(BURST, BURST_SECONDS))


class FormTurnMiddleware(MiddlewareMixin):
    """Let each process handle one form of the account pages, while one more waits.

    There is a turn for known devices, and one for all others. Refuse further forms with
    503. Most of these forms hash a password, which takes longer than ten pages. Without
    this limit, a few parallel log-ins would occupy all threads and processors.
    """

    def __call__(self, request: HttpRequest) -> Any:
        with ExitStack() as turn:
            request.turn = turn  # type: ignore[attr-defined]
            return self.get_response(request)

    # Not earlier: a form that CSRF protection or the log-in refuses must not wait.
    def process_view(
        self, request: HttpRequest, view: object, args: object, kwargs: object
    ) -> HttpResponse | None:
        path = request.path_info
        needs_turn = path.startswith(PAGES) and path not in WITHOUT_TURN
        if request.method != "POST" or not needs_turn:
            return None
        device = device_of_form(request)
        try:
            request.turn.enter_context(form_turn(device))  # type: ignore[attr-defined]
        except Busy:
            return busy_response(request)
        return None


@contextmanager
def form_turn(device: Device | None) -> Iterator[None]:
    """Hold the process's lock for forms of known devices, or that of unknown ones.

    The account or network that has used least is next. Otherwise, one of them could
    keep all others from the log-in.
    """
    user = f"account {device.user_id}" if device else client_network.get()
    used = seconds_used()[user]
    if device:
        turn = turns_of_known.hold(used, name=device.pk)
    else:
        turn = turns_of_unknown.hold(used)
    with turn:
        started = time.monotonic()
        try:
            yield
        finally:
            seconds_used()[user] += time.monotonic() - started


def seconds_used() -> defaultdict[str, float]:
    """Return the seconds that each network and account has used in this minute."""
    return seconds_in(int(time.monotonic() // 60))


@lru_cache(1)
def seconds_in(minute: int) -> defaultdict[str, float]:
    return defaultdict(float)


def busy_response(request: HttpRequest) -> HttpResponse:
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

    Rendering for each request would cost ten times as much.
    """
    return render_to_string(
        "error.html", {"project_name": settings.SITE_NAME, "name": "503"}
    ).encode()
