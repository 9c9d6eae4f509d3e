"""Who may see what: every address of the site stands in this table, and a new one fails until somebody has decided."""

import re
from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase
from typing import Any

import pytest
from django.db import transaction
from django.urls import get_resolver

from conftest import HTTPSClient, MakePhoto, MakeUser
from users.models import User

type Address = Callable[[str], str]

# The photo is the owner's and waits for its review; `staff` have no permission, `reviewer` may review photos.
# What they get by GET, or by POST where nothing else is allowed; the first row that fits counts.
# Objects are the photo and the owner's account; of other models there is none.
# log-in: has to log in first; proof: has to prove once more who it is; away: is sent to another page.
TABLE = """
address                                      nobody owner  stranger staff  reviewer

/                                            200    200    200      200    200
/photos/upload/                              log-in 200    200      200    200
/photos/mine/                                log-in 200    200      200    200
/photos/<photo_id>/                          404    200    404      404    200
/photos/<photo_id>/delete/                   log-in away   404      404    404
/photos/<photo_id>/<variant>/                404    200    404      404    200
/health/live/                                200    200    200      200    200
/health/ready/                               200    200    200      200    200
/.well-known/security.txt                    200    200    200      200    200
# % if cookiecutter.cloudinary_moderation
/webhooks/cloudinary/                        401    401    401      401    401
# % endif
# % if cookiecutter.__django_login
/accounts/login/                             200    200    200      200    200
/accounts/logout/                            log-in away   away     away   away
/accounts/password_change/*                  log-in 200    200      200    200
/accounts/password_reset/*                   200    200    200      200    200
/accounts/reset/*                            200    200    200      200    200
/admin/login/                                200    200    200      away   away
/admin/password_change/                      log-in log-in log-in   200    200
# % endif
# % if cookiecutter.auth_app
/accounts/login/                             200    away   away     away   away
/accounts/signup/                            200    away   away     away   away
/accounts/logout/                            away   200    200      200    200
/accounts/inactive/                          200    200    200      200    200
/accounts/confirm-email/                     away   away   away     away   away
/accounts/login/code/confirm/                away   away   away     away   away
/accounts/email/                             log-in 200    200      200    200
/accounts/password/change/                   log-in 200    200      200    200
/accounts/password/set/                      log-in away   away     away   away
/accounts/password/reset/*                   200    200    200      200    200
/accounts/reauthenticate/                    log-in 200    200      away   away
/accounts/delete/                            log-in proof  proof    403    403
/accounts/sessions/                          log-in 200    200      200    200
/accounts/sessions/<pk>/end/                 log-in 404    404      404    404
/accounts/2fa/                               log-in 200    200      200    200
/accounts/2fa/authenticate/                  away   away   away     away   away
/accounts/2fa/reauthenticate/                log-in away   away     200    200
/accounts/2fa/totp/activate/                 log-in proof  proof    away   away
/accounts/2fa/totp/deactivate/               log-in 404    404      200    200
/accounts/2fa/recovery-codes/generate/       log-in proof  proof    200    200
/accounts/2fa/recovery-codes/*               log-in 404    404      404    404
/accounts/2fa/webauthn/                      log-in 200    200      200    200
/accounts/2fa/webauthn/add/                  log-in proof  proof    200    200
/accounts/2fa/webauthn/login/                away   away   away     away   away
/accounts/2fa/webauthn/reauthenticate/       log-in away   away     away   away
/accounts/2fa/webauthn/keys/<pk>/*           log-in proof  proof    404    404
/admin/login/                                log-in 403    403      away   away
/admin/password_change/                      log-in log-in log-in   away   away
# % endif
/admin/                                      log-in log-in log-in   200    200
/admin/logout/                               log-in away   away     away   away
/admin/password_change/done/                 log-in log-in log-in   200    200
/admin/jsi18n/                               log-in log-in log-in   200    200
/admin/autocomplete/                         log-in log-in log-in   403    403
/admin/r/<content_type_id>/<object_id>/      log-in log-in log-in   404    404
/admin/*/<object_id>/                        log-in log-in log-in   away   away
/admin/<app_label>/                          log-in log-in log-in   404    200
/admin/<url>                                 log-in log-in log-in   404    404
/admin/uploads/photo/                        log-in log-in log-in   403    200
/admin/uploads/photo/<object_id>/change/     log-in log-in log-in   403    200
/admin/uploads/photo/<object_id>/history/    log-in log-in log-in   403    200
/admin/uploads/photo/*                       log-in log-in log-in   403    403
/admin/users/user/*                          log-in log-in log-in   403    403
/admin/*/<object_id>/history/                log-in log-in log-in   away   away
/admin/auth/group/*                          log-in log-in log-in   403    403
# % if cookiecutter.__django_login
/admin/axes/*                                log-in log-in log-in   403    403
# % endif
# % if cookiecutter.auth_app
/admin/account/emailaddress/*                log-in log-in log-in   403    403
/admin/mfa/authenticator/*                   log-in log-in log-in   403    403
/admin/usersessions/usersession/*            log-in log-in log-in   403    403
# % endif
"""

(_, *PEOPLE), *ROWS = (row.split() for row in TABLE.splitlines() if row)


def routes(patterns: list[Any], prefix: str = "/") -> Iterator[str]:
    """Yields the address of every view, its variable parts as <name>."""
    for pattern in patterns:
        part = re.sub(r"\(\?P<(\w+)>.*?\)|<(?:\w+:)?(\w+)>", lambda it: f"<{it[1] or it[2]}>", str(pattern.pattern))
        if hasattr(pattern, "url_patterns"):
            yield from routes(pattern.url_patterns, prefix + part)
        else:
            yield prefix + part.strip("^$")


ROUTES = list(routes(get_resolver().url_patterns))


def row_for(route: str) -> list[str]:
    return next((row for row in ROWS if fnmatchcase(route, row[0])), ["missing in the table"] * 6)


@pytest.fixture
def address(user: User, make_photo: MakePhoto) -> Address:
    """Returns how a route reads for a photo that waits for its review."""
    photo = make_photo()

    def fill(route: str) -> str:
        thing = user.pk if "/users/" in route else photo.pk
        parts = {"photo_id": photo.pk, "object_id": thing, "variant": "display", "app_label": "uploads"}
        return re.sub(r"<(\w+)>", lambda part: str(parts.get(part[1], "1")), route)

    return fill


def outcome(client: HTTPSClient, address: str) -> str:
    answer = client.get(address)
    if answer.status_code == 405:
        answer = client.post(address)
    if answer.status_code != 302:
        return str(answer.status_code)
    target = answer.headers["Location"]
    return "log-in" if "/login/?next=" in target else "proof" if "/reauthenticate/?next=" in target else "away"


@pytest.mark.control("V8.2.1")
@pytest.mark.control("V8.3.1")
@pytest.mark.parametrize("person", PEOPLE)
def test_everybody_gets_what_the_table_says(
    person: str, client: HTTPSClient, user: User, stranger: User, reviewer: User, make_user: MakeUser, address: Address
) -> None:
    staff = make_user("staff@example.com", is_staff=True)
    account = {"owner": user, "stranger": stranger, "staff": staff, "reviewer": reviewer}.get(person)
    found = {}
    for route in ROUTES:
        with transaction.atomic():
            client.logout()
            if account:
                client.force_login(account)
            found[route] = outcome(client, address(route))
            transaction.set_rollback(True)
    assert found == {route: row_for(route)[1 + PEOPLE.index(person)] for route in ROUTES}


def test_every_row_is_about_something() -> None:
    used = {row_for(route)[0] for route in ROUTES}
    assert not [row[0] for row in ROWS if row[0] not in used]
