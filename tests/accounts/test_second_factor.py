"""Parallel uses of a second factor, against four server processes on PostgreSQL."""

import json
import runpy
import shutil
from collections.abc import Iterator
from functools import partial
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.support.accounts import Person, send_parallel
from tests.support.baking import ALL_ON, Project
from tests.support.live import PASSWORD, Site, serve
from tests.support.postgresql import Database

pytestmark = pytest.mark.slow


PASSKEY, CODE = "/accounts/2fa/webauthn/login/", "/accounts/2fa/authenticate/"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
CREATE = f"""
from allauth.account.models import EmailAddress
from allauth.account.utils import user_pk_to_url_str
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
user = User.objects.create_user("%s", "{PASSWORD}")
EmailAddress.objects.create(user=user, email=user.email, verified=True, primary=True)
Authenticator.objects.create(user=user, type="webauthn", data=%r)
print(user_pk_to_url_str(user), *RecoveryCodes.activate(user).get_unused_codes())
"""
SPENT = """
from allauth.mfa.models import Authenticator
print(len(Authenticator.objects.get(user__email="%s", type="recovery_codes").wrap().get_unused_codes()))
"""


@pytest.fixture(scope="module")
def site(pristine: Project, postgresql: Database, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Return the running project, with PostgreSQL."""
    folder = tmp_path_factory.mktemp("second-factor") / "my-secure-site"
    project = shutil.copytree(pristine(ALL_ON | {"cloudinary_moderation": False}), folder)
    changes = {"CHECK_BREACHED_PASSWORDS": "off", "TRUSTED_PROXY_COUNT": "1", "WEB_CONCURRENCY": "4"}
    with serve(project, DATABASE_URL=postgresql(), EMAIL_URL="smtp://127.0.0.1:9", **changes) as served:
        yield served


def register(site: Site, email: str) -> tuple[Any, list[str]]:
    """Create a user; return a passkey, and its user handle and the recovery codes."""
    software = runpy.run_path(str(site.project / "accounts" / "tests" / "passkey.py"))
    passkey = software["Passkey"](f"localhost:{site.port}")
    return passkey, site.python(CREATE % (email, passkey.data)).split()


def waiting(site: Site, email: str, count: int) -> list[Person]:
    """Return visitors with IP addresses of their own, each of whom has proved the password."""
    people = [Person(site) for _ in range(count)]
    for person in people:
        assert person.log_in(email).location == CODE
    return people


def test_answer_of_a_passkey_works_once_in_parallel(site: Site) -> None:
    passkey, (handle, *_) = register(site, "passkey@example.com")
    for _ in range(3):
        person = Person(site)
        token = person.token("/accounts/login/")
        asked = json.loads(person.get(PASSKEY, **{"X-Requested-With": "XMLHttpRequest"}).text)["request_options"]
        fields = urlencode({"csrfmiddlewaretoken": token, "credential": passkey.sign(asked, handle)}).encode()
        copies = [Person(site) for _ in range(8)]
        for copy in copies:
            copy.cookies.load(person.cookies.output(header=""))
        send_parallel([partial(copy.request, "POST", PASSKEY, fields, FORM) for copy in copies])
        assert sum(copy.is_logged_in for copy in copies) == 1
    assert passkey.id.hex() not in site.log.read_text(encoding="utf-8")


def test_recovery_codes_are_spent_once_in_parallel(site: Site) -> None:
    email = "recovery@example.com"
    _, (_, *codes) = register(site, email)
    people = waiting(site, email, 8)
    sends = [person.prepare(CODE, {"code": codes[number % 4]}) for number, person in enumerate(people)]
    assert {response.status for response in send_parallel(sends)} == {200, 302}
    entered = sum(person.is_logged_in for person in people)
    assert 1 <= entered <= 4
    assert int(site.python(SPENT % email)) == 10 - entered
    assert not [code for code in codes if code in site.log.read_text(encoding="utf-8")]


def test_guesses_at_codes_from_many_ips_are_limited(site: Site) -> None:
    email = "guessed@example.com"
    register(site, email)
    sends = [person.prepare(CODE, {"code": f"{number:08}"}) for number, person in enumerate(waiting(site, email, 24))]
    responses = send_parallel(sends)
    assert 1 <= sum("Incorrect code" in response.text for response in responses) <= 5
    assert {response.status for response in responses} == {200}
