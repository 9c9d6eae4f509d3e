"""Thousands of odd requests: none of them may fail or go without headers.

The template's tests copy this module into generated projects.
"""

import json
import logging
import os
import random
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator
from io import BytesIO, StringIO
from typing import Any
from urllib.parse import unquote_to_bytes

import pytest
from django.contrib.auth.models import Permission
from django.core import signals
from django.db import transaction

from config.wsgi import application
from secure_django.guard.access import ROUTES
from secure_django.guard.world import World
from secure_django.logging import MAX_LENGTH, JSONFormatter
from secure_django.photos.models import Photo
from secure_django.testing import HTTPSClient, MakeUser
from users.models import User

# In the whole tier, tests/test_postgresql.py runs it there.
pytestmark = pytest.mark.tier("scheduled", "src/secure_django/*")

SEED = int(os.environ.get("FUZZ_SEED", "11"))
OTHER_METHODS = ["HEAD", "OPTIONS", "PUT", "DELETE", "TRACE", "PROPFIND"]
FORM = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data; boundary=x"
FIELD = re.compile(r'<(?:input|select|textarea)[^>]* name="([^"]+)"')
TYPES = [FORM] * 9 + [MULTIPART] * 5
TYPES += ["multipart/form-data", "multipart/mixed; boundary=x", "application/json"]
TYPES += [
    "text/plain",
    "",
    ";",
    "multipart/form-data; boundary=\xe9",
    "a/b; *0=a",
    "text/html; name*=utf-16''%00",
]
CHARSETS = [
    "utf-8",
    "UTF8",
    "utf-16",
    "utf-7",
    "iso-8859-1",
    "idna",
    "punycode",
    "undefined",
    "unknown",
    '"',
]
CHARSETS += [
    "zlib_codec",
    "rot13",
    "hex",
    "base64",
    "uu",
    "raw_unicode_escape",
    "unicode_escape",
    "mbcs",
    "\xe9",
]
FILE_PARAMETERS = [
    "",
    "; filename=a.jpg",
    "; filename*=utf-16''%00",
    '; filename="../\x00"',
]
CHARSET_PARAMETERS = [""] * 80 + [
    "; charset*=unknown''x",
    "; charset*=utf-8''%00",
    "; charset*=idna''%ff",
    ";charset",
]
CHARSET_PARAMETERS += [f"; charset={charset}" for charset in CHARSETS]
VALUES = [
    "",
    "1",
    "-1",
    "0",
    "9" * 30,
    "a" * 5000,
    "%00",
    "%ff%fe",
    "%ed%a0%80",
    "%F0%9F%94%91",
    "\xe9",
    "1e999",
    "None",
]
VALUES += [
    "https://[::1]evil",
    "//evil.example",
    "https:///evil",
    "javascript:alert(1)",
    "%0d%0aX-Evil:%201",
    "../../x",
]
VALUES += [
    "a@b",
    "a%00@example.com",
    "owner@example.com",
    "2020-99-99",
    "{}",
    "[]",
    "'",
    "%",
    "%zz",
    "+",
    "on",
    "\u0000",
]
NAMES = [
    "next",
    "page",
    "q",
    "p",
    "o",
    "e",
    "all",
    "_popup",
    "_to_field",
    "_changelist_filters",
    "_facets",
    "show",
]
NAMES += [
    "id",
    "id__exact",
    "session_key__gte",
    "groups__id__exact",
    "is_staff__exact",
    "is_active",
    "password__regex",
]
NAMES += [
    "login",
    "email",
    "password",
    "password1",
    "password2",
    "oldpassword",
    "new_password1",
    "code",
    "action",
]
NAMES += [
    "_selected_action",
    "reason",
    "title",
    "app_label",
    "model_name",
    "field_name",
    "term",
    "_method",
    "post",
    "%00",
]
NAMES += [
    "csrfmiddlewaretoken",
    "photo-TOTAL_FORMS",
    "verdicts-TOTAL_FORMS",
    "verdicts-INITIAL_FORMS",
    "permissions",
]
PATHS = [
    "/missing/",
    "/%00/",
    "/%ff/",
    "//evil.example/",
    "/photos/mine",
    "/static/site.css",
    "/static/../manage.py",
]
PATHS += [
    "/static/staticfiles.json",
    "/static/%00",
    "/favicon.ico",
    "/accounts/",
    "/" + "a/" * 900,
    "/admin/users/user/%00/",
]
HEADERS = {
    "HTTP_HOST": ["testserver:1", "evil.example", "testserver:", "[::1", "\xe9", ""],
    "HTTP_COOKIE": [
        '__Host-sessionid="\\000\\000\\000\\000\\000\\000\\000\\000\\000"',
        "a" * 4000,
        "=;=",
        "messages=x",
    ],
    "HTTP_ACCEPT_LANGUAGE": ["a" * 4000, "\xe9", "*;q=nan"],
    "HTTP_IF_MODIFIED_SINCE": ["x", "Mon, 99 Foo 99999 99:99:99 GMT"],
    "HTTP_RANGE": ["bytes=9-1", "bytes=a-", "bytes=0-0,1-1", "bytes=" + "9" * 40 + "-"],
    "HTTP_X_FORWARDED_FOR": ["x", "1.2.3.4:5", ""],
    "HTTP_X_REQUESTED_WITH": ["XMLHttpRequest"],
    "HTTP_ACCEPT": ["application/json", ",", "a/b;q=x"],
    "HTTP_ACCEPT_ENCODING": ["gzip;q=nan", "\xe9"],
    "HTTP_ORIGIN": ["null", "https://[::1", "https://evil.example"],
    "HTTP_REFERER": ["https://[::1", "\xe9"],
    "CONTENT_LENGTH": ["-1", "x", "", "99999"],
}
REQUIRED = {
    "Strict-Transport-Security": "max-age=31536000; includeSubDomains",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
LONGEST_LINE = 12 * MAX_LENGTH * 3


def query(chance: random.Random, names: list[str]) -> str:
    """Return a query of odd values, sometimes of more fields than Django reads."""
    if chance.random() < 0.01:
        return "&".join(f"a{number}=1" for number in range(1100))
    chosen_names = chance.sample(names, chance.randrange(6))
    return "&".join(f"{name}={chance.choice(VALUES)}" for name in chosen_names)


def body(chance: random.Random, kind: str, names: list[str]) -> bytes:
    """Return a body of the given content type, often malformed."""
    if chance.random() < 0.1:
        return chance.choice(
            [
                b"",
                b"\x00",
                b"--x",
                b"--x\r\n",
                b"--x--",
                b"{",
                b"\xff" * 9000,
                b"=&;%",
                b"a=" + b"b" * 3_000_000,
            ]
        )
    if "multipart" not in kind:
        fields = names[len(NAMES) :]  # of the page's forms
        values = [
            f"{name}={chance.choice([*VALUES, 'on', '1', 'x'])}"
            for name in fields
            if chance.random() < 0.9
        ]
        return "&".join([*values, query(chance, names)]).encode("latin-1", "replace")
    broken = [
        "",
        "Content-Transfer-Encoding: base64\r\n",
        "Content-Type: text/plain; charset=rot13\r\n",
        "nonsense\r\n",
    ]
    parts = [
        "--x\r\nContent-Disposition: form-data; "
        f'name="{chance.choice([*names, "image", "\x00", "\xe9"])}"'
        f"{chance.choice(FILE_PARAMETERS)}\r\n"
        f"{chance.choice(broken)}\r\n{chance.choice(VALUES)}\r\n"
        for _ in range(chance.randrange(1, 5))
    ]
    return "".join([*parts, chance.choice(["--x--\r\n", "", "--x"])]).encode(
        "latin-1", "replace"
    )


def ask(environ: dict[str, Any]) -> tuple[int, dict[str, str], str]:
    """Return the status, headers and body of a request to the WSGI application.

    What the request changed is undone.
    """
    answer: list[Any] = []

    def start_response(
        status: str, headers: list[tuple[str, str]], *_: object
    ) -> Callable[[bytes], object]:
        answer.extend((status, headers))
        return answer.append

    with transaction.atomic():
        response = application(environ, start_response)
        try:
            content = b"".join(response)
        finally:
            response.close()
        transaction.set_rollback(True)
    status = int(answer[0].split()[0])
    headers = dict(answer[1])
    return status, headers, content.decode(errors="replace")


def requests(
    chance: random.Random, paths: list[str], people: list[str]
) -> Iterator[tuple[str, str, str]]:
    """Yield path, method and person of every request."""
    for path in paths:
        for person in people:
            yield from ((path, method, person) for method in ["GET"] * 3 + ["POST"] * 4)
        yield from ((path, method, chance.choice(people)) for method in OTHER_METHODS)


@pytest.fixture
def people(make_user: MakeUser, user: User) -> dict[str, str]:
    """Return the cookies of four visitors.

    They are anonymous, a user, staff with every permission, and a superuser.
    """
    staff = make_user("staff@example.com", is_staff=True)
    staff.user_permissions.set(Permission.objects.all())
    accounts = {
        "user": user,
        "staff": staff,
        "superuser": make_user("root@example.com", is_staff=True, is_superuser=True),
    }
    cookies = {"anonymous": ""}
    for name, account in accounts.items():
        client = HTTPSClient()
        client.force_login(account)
        cookies[name] = f"__Host-sessionid={client.cookies['__Host-sessionid'].value}; "
    return cookies


def test_no_request_fails_or_goes_without_headers(
    people: dict[str, str], user: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Their receivers close the database's connection, and with it the test's
    # transaction.
    monkeypatch.setattr(signals.request_started, "send", lambda **_: [])
    monkeypatch.setattr(signals.request_finished, "send", lambda **_: [])
    world = World()
    Photo.objects.update(owner=user)
    chance = random.Random(SEED)  # noqa: S311 - it has no secret
    log = StringIO()
    handler = logging.StreamHandler(log)
    handler.setFormatter(JSONFormatter())
    logging.getLogger().addHandler(handler)
    statuses: Counter[int] = Counter()
    bad: list[str] = []
    started = time.monotonic()
    found: dict[tuple[str, str], list[str]] = {}
    for path, method, person in requests(
        chance, [*map(world.url, ROUTES), *PATHS], list(people)
    ):
        names = NAMES + found.get((path, person), [])
        kind = chance.choice(TYPES) + chance.choice(CHARSET_PARAMETERS)
        content = body(chance, kind, names) if method in {"POST", "PUT"} else b""
        odd = chance.random() < 0.03
        environ = {
            "REQUEST_METHOD": method,
            "PATH_INFO": unquote_to_bytes(
                "/" + chance.choice(VALUES) + path if odd else path
            ).decode("latin-1"),
            "SCRIPT_NAME": "",
            "QUERY_STRING": query(chance, names).encode().decode("latin-1"),
            "CONTENT_TYPE": kind,
            "CONTENT_LENGTH": str(len(content)),
            "REMOTE_ADDR": "203.0.113.7",
            "SERVER_NAME": "127.0.0.1",
            "SERVER_PORT": "8000",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "HTTP_HOST": "testserver",
            "HTTP_COOKIE": people[person] + "__Host-csrftoken=" + "a" * 32,
            "HTTP_X_CSRFTOKEN": "a" * 32,
            "HTTP_REFERER": "https://testserver/",
            "wsgi.url_scheme": "https",
            "wsgi.input": BytesIO(content),
        }
        if chance.random() < 0.15:
            header = chance.choice(list(HEADERS))
            environ[header] = chance.choice(HEADERS[header])
        asked = {
            key: str(value)[:90]
            for key, value in environ.items()
            if key not in {"wsgi.input", "HTTP_X_CSRFTOKEN"}
        }
        try:
            status, headers, text = ask(environ)
        except Exception as error:  # noqa: BLE001 - gunicorn would answer its own 500
            bad.append(f"{error!r} escaped: {person} {asked} {content[:200]!r}")
            continue
        statuses[status] += 1
        if method == "GET" and status == 200:
            field_names = FIELD.findall(text)
            found[path, person] = sorted({*field_names} - {*NAMES})
        missing = [
            name for name, value in REQUIRED.items() if headers.get(name) != value
        ]
        missing += [
            name
            for name in ("Content-Security-Policy", "Permissions-Policy")
            if name not in headers
        ]
        if status >= 500 or missing:
            bad.append(
                f"{status} without {missing}: {person} {asked} {content[:200]!r}"
            )
    seconds = time.monotonic() - started
    logging.getLogger().removeHandler(handler)
    print(  # noqa: T201 - `pytest -s` shows it
        f"{statuses.total()} requests in {seconds:.0f} seconds: "
        f"{dict(sorted(statuses.items()))}"
    )
    assert not bad, f"{len(bad)} with seed {SEED}:\n" + "\n".join(bad[:20])
    lines = log.getvalue().splitlines()
    assert lines
    assert not [line for line in lines if len(line) > LONGEST_LINE]
    assert all(isinstance(json.loads(line), dict) for line in lines)
