"""Answer a form that is sent twice as it was answered once.

After a double click or a lost connection, a browser sends the same form again, and
shows the last answer alone. Django masks the CSRF token of each page anew, so two equal
bodies come from one page that a person has opened once. No page needs a field or a
session for it.
"""

import hashlib
import json
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable
from dataclasses import dataclass
from threading import BoundedSemaphore
from typing import Any

from django.conf import settings
from django.core.cache import cache
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.utils.crypto import salted_hmac
from django.utils.deprecation import MiddlewareMixin

from secure_django.extras import importing
from secure_django.web.error_pages import UnavailableError
from secure_django.web.unavailable import refusal_page

with importing("secure_django.web.repeats", extra="site"):
    from cryptography.fernet import Fernet

__all__ = ["FormNoteMiddleware", "RepeatedFormMiddleware"]

KEEP_SECONDS = 60  # the note of a form, from its start and again from its answer
WAIT_SECONDS = 10  # for the answer to the first one
POLL_SECONDS = 0.05
MOST_WAITING = 2  # threads of a process
SALT = "secure_django.web.repeats"
# Attributes of the request. ResponseHeadersMiddleware clears the browser by the second.
NOTE = "noted_form"
LOGGED_OUT = "logged_out"

waiting = BoundedSemaphore(MOST_WAITING)

type Note = dict[str, str]


@dataclass
class SentForm:
    """A form as a browser sent it. The cache has its mark and its encrypted answer."""

    place: str  # in the cache: of this browser, for this URL
    mark: str  # of this content
    secret: bytes  # encrypts the answer, which sets cookies; it is stored nowhere

    def find(self) -> Note | None:
        """Return what the cache has, if it is about the same content."""
        note = find_note(self.place)
        return note if note and note["mark"] == self.mark else None

    def note(self, answer: str = "") -> Note:
        return {"mark": self.mark, "answer": answer}

    def encrypt(self, request: HttpRequest, response: HttpResponse) -> str:
        """Return the token of an answer that leads to another page."""
        cookies = {
            name: {"value": morsel.value, "options": dict(morsel)}
            for name, morsel in response.cookies.items()
        }
        has_logged_out = getattr(request, LOGGED_OUT, False)
        url = response.headers["Location"]
        parts = [response.status_code, url, cookies, has_logged_out]
        return Fernet(self.secret).encrypt(json.dumps(parts).encode()).decode()

    def decrypt(self, request: HttpRequest, token: str) -> HttpResponse:
        text = Fernet(self.secret).decrypt(token.encode())
        status, url, cookies, has_logged_out = json.loads(text)
        setattr(request, LOGGED_OUT, has_logged_out)
        response = HttpResponse(status=status, headers={"Location": url})
        for name, cookie in cookies.items():
            response.cookies[name] = cookie["value"]
            response.cookies[name].update(cookie["options"])
        return response


class RepeatedFormMiddleware(MiddlewareMixin):
    """Give the answer to a form again, and keep that of each noted form.

    It stands before the sessions: their cookies belong to the answer. And the first
    form may have ended the session of the second one, by a new password for example.
    """

    def process_request(self, request: HttpRequest) -> HttpResponse | None:
        place = place_of(request)
        # Without a session, the second form comes as far as FormNoteMiddleware. So a
        # flood of log-ins costs no query here, and no body of a stranger is read.
        has_session = settings.SESSION_COOKIE_NAME in request.COOKIES
        if not place or not has_session or find_note(place) is None:
            return None
        form = read_form(request, place)
        return find_answer(request, form) if form else None

    def process_response(
        self, request: HttpRequest, response: HttpResponse
    ) -> HttpResponse:
        form: SentForm | None = getattr(request, NOTE, None)
        if form and form.find():
            if is_done(response):
                note = form.note(form.encrypt(request, response))
                ask_cache(cache.set, form.place, note, KEEP_SECONDS)
            else:
                ask_cache(cache.delete, form.place)
        return response


class FormNoteMiddleware(MiddlewareMixin):
    """Note a form that the log-in, CSRF protection and its turn let through."""

    def process_view(
        self, request: HttpRequest, view: object, args: object, kwargs: object
    ) -> HttpResponse | None:
        place = place_of(request)
        if not place or getattr(view, "csrf_exempt", False):
            return None
        if not request.POST.get("csrfmiddlewaretoken"):
            return None  # two equal bodies may be two requests of a script
        form = read_form(request, place)
        if form is None:
            return None
        is_first = ask_cache(cache.add, place, form.note(), KEEP_SECONDS)
        if is_first is None:
            return None  # the cache is away, and each further call may take seconds
        if not is_first:
            answer = find_answer(request, form)
            if answer:
                return answer
            # The browser sends another form to this URL, or this one was refused.
            ask_cache(cache.set, place, form.note(), KEEP_SECONDS)
        setattr(request, NOTE, form)
        return None


def place_of(request: HttpRequest) -> str:
    """Return the place of a form in the cache, or an empty text if it has none."""
    token = request.COOKIES.get(settings.CSRF_COOKIE_NAME)
    size = request.META.get("CONTENT_LENGTH") or ""
    is_small = size.isdecimal() and int(size) <= settings.BODY_MAX_BYTES
    if request.method != "POST" or not token or not is_small or is_call(request):
        return ""
    session = request.COOKIES.get(settings.SESSION_COOKIE_NAME, "")
    text = json.dumps([request.get_full_path(), token, session])
    return f"form-{salted_hmac(SALT, text, algorithm='sha256').hexdigest()}"


def is_call(request: HttpRequest) -> bool:
    """Return whether a script has sent the form, and does not show the answer.

    Such a script may send the same twice on purpose. The package's own name themselves.
    """
    mode = request.headers.get("Sec-Fetch-Mode", "navigate")
    return mode != "navigate" and "X-Requested-With" not in request.headers


def read_form(request: HttpRequest, place: str) -> SentForm | None:
    """Return the form of a request, or None if a file of it is refused."""
    try:
        digest = digest_body(request)
    except ValidationError:
        return None
    mark = salted_hmac(SALT, f"{place} {digest}", algorithm="sha256").hexdigest()
    cookies = [
        request.COOKIES.get(settings.CSRF_COOKIE_NAME),
        request.COOKIES.get(settings.SESSION_COOKIE_NAME),
    ]
    material = json.dumps([SALT, place, digest, *cookies]).encode()
    return SentForm(place, mark, urlsafe_b64encode(hashlib.sha256(material).digest()))


def digest_body(request: HttpRequest) -> str:
    """Return the digest of the fields and files of a form."""
    digest = hashlib.sha256(json.dumps(list(request.POST.lists())).encode())
    for field, files in request.FILES.lists():
        for file in files:
            digest.update(json.dumps([field, file.name, file.size]).encode())
            for chunk in file.chunks():
                digest.update(chunk)
            file.seek(0)
    return digest.hexdigest()


def find_answer(request: HttpRequest, form: SentForm) -> HttpResponse | None:
    """Return the answer to the same form, or None if it has none yet.

    Wait while it is in the making. Few threads wait at a time, so that copies of a slow
    form leave threads for others.
    """
    note = form.find()
    if is_running(note) and waiting.acquire(blocking=False):
        try:
            note = wait_for_answer(form)
        finally:
            waiting.release()
    if note is None:
        return None
    if is_running(note):
        return refusal_page(request, UnavailableError(retry_after=1))
    return form.decrypt(request, note["answer"])


def wait_for_answer(form: SentForm) -> Note | None:
    deadline = time.monotonic() + WAIT_SECONDS
    note = form.find()
    while is_running(note) and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)
        note = form.find()
    return note


def is_running(note: Note | None) -> bool:
    return note is not None and not note["answer"]


def is_done(response: HttpResponse) -> bool:
    """Return whether a form has led on to another page.

    All others can be sent again: a form with errors, a refusal, a page that is busy.
    """
    return "Location" in response.headers and 300 <= response.status_code < 400


def find_note(place: str) -> Note | None:
    note: Note | None = ask_cache(cache.get, place)
    return note


def ask_cache(operation: Callable[..., Any], *arguments: object) -> Any:
    """Return None while the cache is away. Forms are handled without notes then."""
    try:
        return operation(*arguments)
    except Exception:  # each cache driver raises exceptions of its own
        return None
