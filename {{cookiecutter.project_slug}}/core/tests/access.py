"""The access table: who gets which response from each URL."""

import re
from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Any

from django.urls import get_resolver

from core.testing import HTTPSClient

# The photo belongs to `owner` and waits for review. `staff` has no permissions, `reviewer` may review photos.
# The response to GET, or to POST where GET is not allowed. The first row that matches counts.
# Objects are the photo and the owner's account; there are none of other models.
# log-in: redirect to log-in; reauth: redirect to reauthentication; away: redirect to another page.
TABLE = """
route                                        anonym owner  other    staff  reviewer

/                                            200    200    200      200    200
/photos/upload/                              log-in 200    200      200    200
/photos/mine/                                log-in 200    200      200    200
/photos/<photo_id>/                          404    200    404      404    200
/photos/<photo_id>/delete/                   log-in away   404      404    404
/photos/<photo_id>/<variant>/                404    200    404      404    200
/favicon.ico                                 away   away   away     away   away
/health/live/                                200    200    200      200    200
/health/ready/                               200    200    200      200    200
/.well-known/security.txt                    200    200    200      200    200
/csp-report/                                 400    400    400      400    400
# % if cookiecutter.cloudinary_moderation
/webhooks/cloudinary/                        401    401    401      401    401
# % endif
/accounts/login/                             200    away   away     away   away
/accounts/logout/                            away   200    200      200    200
/accounts/inactive/                          200    200    200      200    200
/accounts/password/change/                   log-in 200    200      200    200
/accounts/password/set/                      log-in away   away     away   away
/accounts/password/reset/*                   200    200    200      200    200
/admin/login/                                log-in 403    403      away   away
/admin/password_change/                      log-in away   away     away   away
# % if cookiecutter.auth_app
/accounts/signup/                            200    away   away     away   away
/accounts/confirm-email/                     away   away   away     away   away
/accounts/email/                             log-in 200    200      200    200
/accounts/reauthenticate/                    log-in 200    200      away   away
/accounts/notifications/                     log-in 200    200      200    200
/accounts/delete/                            log-in reauth reauth   403    403
/accounts/sessions/                          log-in 200    200      200    200
/accounts/sessions/<pk>/end/                 log-in 404    404      404    404
/accounts/2fa/                               log-in 200    200      200    200
/accounts/2fa/authenticate/                  away   away   away     away   away
/accounts/2fa/reauthenticate/                log-in away   away     200    200
/accounts/2fa/totp/activate/                 log-in reauth reauth   away   away
/accounts/2fa/totp/deactivate/               log-in 404    404      200    200
/accounts/2fa/recovery-codes/generate/       log-in reauth reauth   200    200
/accounts/2fa/recovery-codes/*               log-in 404    404      404    404
/accounts/2fa/webauthn/                      log-in 200    200      200    200
/accounts/2fa/webauthn/add/                  log-in reauth reauth   200    200
/accounts/2fa/webauthn/login/                away   away   away     away   away
/accounts/2fa/webauthn/reauthenticate/       log-in away   away     away   away
/accounts/2fa/webauthn/keys/<pk>/*           log-in reauth reauth   404    404
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
# % if cookiecutter.auth_app
/admin/account/emailaddress/*                log-in log-in log-in   403    403
/admin/mfa/authenticator/*                   log-in log-in log-in   403    403
/admin/usersessions/usersession/*            log-in log-in log-in   403    403
# % endif
"""

(_, *PEOPLE), *ROWS = (row.split() for row in TABLE.splitlines() if row)


def routes(patterns: list[Any], prefix: str = "/") -> Iterator[str]:
    """Yield the route of every view, its parameters as <name>."""
    for pattern in patterns:
        part = re.sub(r"\(\?P<(\w+)>.*?\)|<(?:\w+:)?(\w+)>", lambda it: f"<{it[1] or it[2]}>", str(pattern.pattern))
        if hasattr(pattern, "url_patterns"):
            yield from routes(pattern.url_patterns, prefix + part)
        else:
            yield prefix + part.strip("^$")


ROUTES = list(routes(get_resolver().url_patterns))


def row_for(route: str) -> list[str]:
    return next((row for row in ROWS if fnmatchcase(route, row[0])), [])


def outcome(client: HTTPSClient, url: str) -> str:
    response = client.get(url)
    if response.status_code == 405:
        response = client.post(url)
    if response.status_code != 302:
        return str(response.status_code)
    target = response.headers["Location"]
    return "log-in" if "/login/?next=" in target else "reauth" if "/reauthenticate/?next=" in target else "away"
