"""Parallel uses of codes and passkeys, and parallel sign-ups.

Four server processes share PostgreSQL.
"""

import json
import shutil
from collections.abc import Iterator
from functools import partial
from urllib.parse import urlencode

import pytest

from tests.accounts.passkey import Passkey
from tests.support.accounts import Person, send_parallel
from tests.support.baking import ALL_ON, Project
from tests.support.browsing import totp
from tests.support.live import PASSWORD, Site, serve
from tests.support.postgresql import Database

pytestmark = pytest.mark.tier("whole")


PASSKEY, CODE = "/accounts/2fa/webauthn/login/", "/accounts/2fa/authenticate/"
SIGNUP, CONFIRM = "/accounts/signup/", "/accounts/confirm-email/"
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
ADD_APP = """
from secure_django.testing.people import SECRET, add_second_factor
add_second_factor(User.objects.get(email="%s"))
print(SECRET)
"""
LINK = f"""
from allauth.account.utils import user_pk_to_url_str
from allauth.account.models import EmailAddress
from django.contrib.auth.tokens import default_token_generator
user = User.objects.create_user("%s", "{PASSWORD}")
EmailAddress.objects.create(user=user, email=user.email, verified=True, primary=True)
key = f"{{user_pk_to_url_str(user)}}-{{default_token_generator.make_token(user)}}"
print(f"/accounts/password/reset/key/{{key}}/")
"""
COUNT = """
from secure_django.models import Mail
print(User.objects.count(), Mail.objects.count())
"""
SPENT = """
from allauth.mfa.models import Authenticator
codes = Authenticator.objects.get(user__email="%s", type="recovery_codes").wrap()
print(len(codes.get_unused_codes()))
"""


@pytest.fixture(scope="module")
def site(
    pristine: Project, postgresql: Database, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    """Return the running project, with PostgreSQL."""
    folder = tmp_path_factory.mktemp("second-factor") / "my-secure-site"
    project = shutil.copytree(
        pristine(ALL_ON | {"cloudinary_moderation": False}), folder
    )
    changes = {
        "CHECK_BREACHED_PASSWORDS": "off",
        "TRUSTED_PROXY_COUNT": "1",
        "WEB_CONCURRENCY": "4",
    }
    with serve(
        project, DATABASE_URL=postgresql(), EMAIL_URL="smtp://127.0.0.1:9", **changes
    ) as served:
        yield served


def register(site: Site, email: str) -> tuple[Passkey, list[str]]:
    """Create a user; return a passkey, and its user handle and the recovery codes."""
    passkey = Passkey(f"localhost:{site.port}")
    return passkey, site.python(CREATE % (email, passkey.data)).split()


def copied(person: Person) -> Person:
    """Return a browser with the same cookies, which gets answers of its own."""
    copy = Person(person.site)
    copy.cookies.load(person.cookies.output(header=""))
    return copy


def send_at_once(person: Person, page: str, fields: dict[str, str]) -> list[Person]:
    """Send one form several times at the same moment, as a double click does.

    Return a browser with each answer, which must lead to the same page.
    """
    fields = {"csrfmiddlewaretoken": person.token(page)} | fields
    form = urlencode(fields).encode()
    copies = [copied(person) for _ in range(3)]
    sends = [partial(copy.request, "POST", page, form, FORM) for copy in copies]
    responses = send_parallel(sends)
    assert {response.status for response in responses} == {302}
    assert len({response.location for response in responses}) == 1
    return copies


def waiting(site: Site, email: str, count: int) -> list[Person]:
    """Return visitors who have proved the password, each with an IP address."""
    people = [Person(site) for _ in range(count)]
    for person in people:
        assert person.log_in(email).location == CODE
    return people


def test_answer_of_a_passkey_works_once_in_parallel(site: Site) -> None:
    passkey, (handle, *_) = register(site, "passkey@example.com")
    for _ in range(3):
        person = Person(site)
        asked = json.loads(
            person.get(PASSKEY, **{"X-Requested-With": "XMLHttpRequest"}).text
        )["request_options"]
        credential = passkey.sign(asked, handle)
        copies = [copied(person) for _ in range(8)]
        # From a page of its own each: otherwise it is one form that was sent twice.
        tokens = [copy.token("/accounts/login/") for copy in copies]
        forms = [
            urlencode({"csrfmiddlewaretoken": token, "credential": credential}).encode()
            for token in tokens
        ]
        send_parallel(
            [
                partial(copy.request, "POST", PASSKEY, form, FORM)
                for copy, form in zip(copies, forms, strict=True)
            ]
        )
        assert sum(copy.is_logged_in for copy in copies) == 1
    assert passkey.id.hex() not in site.log.read_text(encoding="utf-8")


def test_code_of_an_authenticator_app_works_once_in_parallel(site: Site) -> None:
    email = "app@example.com"
    register(site, email)
    secret = site.python(ADD_APP % email).strip()
    people = waiting(site, email, 8)
    tokens = [person.token(CODE) for person in people]
    code = totp(secret)
    sends = [
        partial(
            person.request,
            "POST",
            CODE,
            urlencode({"csrfmiddlewaretoken": token, "code": code}).encode(),
            FORM,
        )
        for person, token in zip(people, tokens, strict=True)
    ]
    assert {response.status for response in send_parallel(sends)} == {200, 302}
    assert sum(person.is_logged_in for person in people) == 1


def test_recovery_codes_are_spent_once_in_parallel(site: Site) -> None:
    email = "recovery@example.com"
    _, (_, *codes) = register(site, email)
    people = waiting(site, email, 8)
    sends = [
        person.prepare(CODE, {"code": codes[number % 4]})
        for number, person in enumerate(people)
    ]
    assert {response.status for response in send_parallel(sends)} == {200, 302}
    entered = sum(person.is_logged_in for person in people)
    assert 1 <= entered <= 4
    assert int(site.python(SPENT % email)) == 10 - entered
    assert not [code for code in codes if code in site.log.read_text(encoding="utf-8")]


def test_guesses_at_codes_from_many_ips_are_limited(site: Site) -> None:
    email = "guessed@example.com"
    register(site, email)
    sends = [
        person.prepare(CODE, {"code": f"{number:08}"})
        for number, person in enumerate(waiting(site, email, 24))
    ]
    responses = send_parallel(sends)
    assert 1 <= sum("Incorrect code" in response.text for response in responses) <= 5
    assert {response.status for response in responses} == {200}


def test_parallel_guesses_at_an_emailed_code_are_limited(site: Site) -> None:
    person = Person(site)
    person.post(SIGNUP, {"email": "emailed@example.com", "password1": PASSWORD})
    guess = person.prepare(CONFIRM, {"code": "BBBB-BBBB"})
    responses = send_parallel([guess] * 40)
    assert {response.status for response in responses} <= {200, 302}
    assert 1 <= sum("Incorrect code" in response.text for response in responses) <= 3


def test_parallel_sign_ups_with_one_email_succeed_once(site: Site) -> None:
    email = "twice@example.com"
    fields = {"email": email, "password1": PASSWORD}
    sends = [Person(site).prepare(SIGNUP, fields) for _ in range(6)]
    assert {response.status for response in send_parallel(sends)} <= {302, 429}
    created = site.python(f"print(User.objects.filter(email='{email}').count())")
    assert created.strip() == "1"


def test_form_that_is_sent_at_once_is_one(site: Site) -> None:
    for number in range(3):
        person = Person(site)
        users, mails = map(int, site.python(COUNT).split())
        fields = {"email": f"once{number}@example.com", "password1": PASSWORD}
        for copy in send_at_once(person, SIGNUP, fields):
            assert 'name="code"' in copy.get(CONFIRM).text
        assert site.python(COUNT).split() == [str(users + 1), str(mails + 1)]


def test_log_in_that_is_sent_at_once_logs_in_one_session(site: Site) -> None:
    email = "clicks@example.com"
    register(site, email)
    secret = site.python(ADD_APP % email).strip()
    person = Person(site)
    fields = {"login": email, "password": PASSWORD}
    copies = send_at_once(person, "/accounts/login/", fields)
    copies = send_at_once(copies[-1], CODE, {"code": totp(secret)})
    assert all(copy.is_logged_in for copy in copies)
    assert len({str(copy.cookies["__Host-sessionid"]) for copy in copies}) == 1


def test_reset_link_works_in_one_of_two_browsers_at_once(site: Site) -> None:
    for number in range(4):
        email = f"link{number}@example.com"
        link = site.python(LINK % email).strip()
        passwords = ["a harbor at noon", "a boat in the morning"]
        people = [Person(site) for _ in passwords]
        sends = []
        for person, password in zip(people, passwords, strict=True):
            page = person.get(link).location
            fields = {"password1": password, "password2": password}
            sends.append(person.prepare(page, fields))
        responses = send_parallel(sends)
        entered = [person.is_logged_in for person in people]
        assert sorted(entered) == [False, True]
        assert responses[entered.index(True)].location == "/"
        refusal = responses[entered.index(False)]
        if refusal.location:
            refusal = people[entered.index(False)].get(refusal.location)
        assert "This link was used already" in refusal.text
        right = passwords[entered.index(True)]
        check = f"print(User.objects.get(email='{email}').check_password('{right}'))"
        assert site.python(check).strip() == "True"
