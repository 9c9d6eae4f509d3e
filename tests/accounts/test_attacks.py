"""Attacks on accounts, against four server processes that share only the database."""

import re
from urllib.parse import quote, urljoin

import pytest

from tests.support.accounts import Mailbox, Person, count_checked, run_parallel
from tests.support.live import ADMIN, OTHER_USER, OWNER, PASSWORD, Site

pytestmark = pytest.mark.slow

NEW = "a harbor at noon"
WITH_FACTORS = f"""
from allauth.account.models import EmailAddress
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP, format_hotp_value, hotp_value
import time
user = User.objects.create_user("%s", "{PASSWORD}")
EmailAddress.objects.create(user=user, email=user.email, verified=True, primary=True)
TOTP.activate(user, "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP")
time.sleep(max(0, time.time() %% 30 - 20) and 10)
print(format_hotp_value(hotp_value("JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP", int(time.time()) // 30)))
print(RecoveryCodes.activate(user).get_unused_codes()[0])
"""


def test_guesses_at_one_account_from_many_ips_are_limited(site: Site) -> None:
    guessers = [Person(site, ip_address=f"203.0.113.{number}") for number in range(30)]
    responses = run_parallel(lambda guesser: guesser.log_in("victim@example.com", "wrong"), guessers)
    assert 1 <= count_checked(responses) <= 5
    site.python("from django.core.cache import cache\nfor n in range(1000): cache.set(f'flood{n}', n)")
    responses = run_parallel(lambda guesser: guesser.log_in("victim@example.com", "wrong"), guessers[:8])
    assert count_checked(responses) == 0


def test_guesses_at_many_accounts_from_one_ip_are_limited(site: Site) -> None:
    guessers = [Person(site, ip_address=f"10.9.8.{number}, 192.0.2.7") for number in range(30)]
    responses = run_parallel(lambda guesser: guesser.log_in(f"{guesser.ip_address[7]}@example.com", "wrong"), guessers)
    assert 1 <= count_checked(responses) <= 10
    assert "are not correct" in Person(site).log_in("unknown@example.com", "wrong").text


@pytest.mark.parametrize("which", [0, 1], ids=["totp", "recovery"])
def test_code_works_once_for_parallel_log_ins(site: Site, which: int) -> None:
    email = f"racer{which}@example.com"
    people = [Person(site) for _ in range(8)]
    code = site.python(WITH_FACTORS % email).split()[which]
    for person in people:
        assert person.log_in(email).location == "/accounts/2fa/authenticate/"
    tokens = [person.token("/accounts/2fa/authenticate/") for person in people]

    def send(number: int) -> int:
        fields = f"csrfmiddlewaretoken={tokens[number]}&code={code}"
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        return people[number].request("POST", "/accounts/2fa/authenticate/", fields.encode(), form).status

    statuses = run_parallel(send, list(range(8)))
    assert set(statuses) <= {200, 302}
    assert sum(person.is_logged_in for person in people) == 1


def test_parallel_guesses_at_an_emailed_code_are_limited(site: Site) -> None:
    person = Person(site)
    person.post("/accounts/signup/", {"email": "parallel@example.com", "password1": PASSWORD})
    guess = person.prepare("/accounts/confirm-email/", {"code": "BBBB-BBBB"})
    responses = run_parallel(lambda send: send(), [guess] * 40, threads=16)
    assert {response.status for response in responses} <= {200, 302}
    assert sum("Incorrect code" in response.text for response in responses) <= 3


def test_parallel_sign_ups_with_one_email_succeed_once(site: Site) -> None:
    people = [Person(site) for _ in range(6)]
    tokens = [person.token("/accounts/signup/") for person in people]

    def send(number: int) -> int:
        fields = f"csrfmiddlewaretoken={tokens[number]}&email=twice@example.com&password1={quote(PASSWORD)}"
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        return people[number].request("POST", "/accounts/signup/", fields.encode(), form).status

    assert set(run_parallel(send, list(range(6)))) <= {302, 429}
    assert site.python("print(User.objects.filter(email='twice@example.com').count())").strip() == "1"


def test_fixed_session_id_is_replaced_at_log_in(site: Site) -> None:
    attacker, victim = Person(site), Person(site)
    attacker.log_in(OWNER, "wrong")
    attacker.get("/accounts/2fa/webauthn/login/", Accept="application/json")
    assert attacker.cookies["__Host-sessionid"]
    victim.cookies.load(attacker.cookies.output(header=""))
    assert victim.log_in(OTHER_USER).status == 302
    assert victim.is_logged_in
    assert not attacker.is_logged_in


def test_stolen_cookie_is_invalid_after_log_out(site: Site) -> None:
    victim, thief = Person(site), Person(site)
    victim.log_in(OTHER_USER)
    thief.cookies.load(victim.cookies.output(header=""))
    assert thief.is_logged_in
    response = victim.post("/accounts/logout/", {})
    assert response.headers["Clear-Site-Data"] == '"cache", "cookies", "storage"'
    assert not thief.is_logged_in


@pytest.mark.parametrize(
    "target",
    [
        "//evil.example",
        "https:evil.example",
        "https:///evil.example",
        "\\\\evil.example",
        "/\\evil.example",
        "%2f%2fevil.example",
        "/%09/evil.example",
        "http://localhost@evil.example",
        "javascript:alert(1)",
    ],
)
def test_next_url_on_another_host_is_ignored(site: Site, target: str) -> None:
    for path in ("/accounts/login/", "/accounts/logout/"):
        person = Person(site)
        if path == "/accounts/logout/":
            person.log_in(OTHER_USER)
        response = person.post(path, {"login": OTHER_USER, "password": PASSWORD, "next": target}, page=path)
        assert response.status == 302
        assert urljoin(site.url, response.location.replace("\\", "/")).startswith(f"{site.url}/")


def test_reset_link_works_once_and_keeps_second_factor(site: Site, mailbox: Mailbox) -> None:
    site.python(WITH_FACTORS % "forgetful@example.com")
    person = Person(site)
    person.post("/accounts/password/reset/", {"email": "forgetful@example.com"})
    link = mailbox.find(r"/accounts/password/reset/key/\S+", "forgetful@example.com")
    form = person.get(link).location
    assert person.post(form, {"password1": NEW, "password2": NEW}).location == "/accounts/2fa/authenticate/"
    assert not person.is_logged_in
    other = Person(site)
    assert other.log_in("forgetful@example.com", NEW).location == "/accounts/2fa/authenticate/"
    assert not other.is_logged_in
    assert "has expired" in Person(site).get(link).text


def test_response_does_not_reveal_whether_an_email_is_known(site: Site) -> None:
    def observe(path: str, email: str, **fields: str) -> tuple[object, ...]:
        person = Person(site)
        response = person.post(path, {"email": email, **fields})
        page = person.get(response.location).text.replace(email, "")
        varying = r'value="\w{64}"|nonce-?="?[\w-]+'
        headers = sorted(name for name in response.headers if name != "Date")
        return response.status, response.location, headers, re.sub(varying, "", page), sorted(person.cookies)

    for path, fields in (("/accounts/signup/", {"password1": PASSWORD}), ("/accounts/password/reset/", {})):
        assert observe(path, OWNER, **fields) == observe(path, "other@example.com", **fields)


def test_notice_does_not_repeat_an_attackers_url(site: Site, mailbox: Mailbox) -> None:
    site.python(WITH_FACTORS % "lured@example.com")
    bait = "https://evil.example/login"
    person = Person(site)
    person.post("/accounts/password/reset/", {"email": "lured@example.com"})
    form = person.get(mailbox.find(r"/accounts/password/reset/key/\S+", "lured@example.com")).location
    fields = f"csrfmiddlewaretoken={person.token(form)}&password1={quote(NEW)}&password2={quote(NEW)}"
    headers = {"Content-Type": "application/x-www-form-urlencoded", "User-Agent": bait}
    assert person.request("POST", form, fields.encode(), headers).status == 302
    notice = mailbox.last_to("lured@example.com", "has been reset").as_string()
    assert "evil.example" not in notice
    assert "Browser: Unknown browser" in notice


def test_log_in_is_refused_while_attempts_cannot_be_counted(site: Site) -> None:
    person = Person(site)
    rename = "from django.db import connection\nconnection.cursor().execute('ALTER TABLE {} RENAME TO {}')"
    site.python(rename.format("django_cache", "gone"))
    try:
        for _ in range(7):
            response = person.log_in(OTHER_USER)
            assert response.status == 503
            assert "Temporarily unavailable" in response.text
        assert not person.is_logged_in
        assert person.get("/").status == 200
    finally:
        site.python(rename.format("gone", "django_cache"))
    assert person.log_in(OTHER_USER).status == 302


def test_superuser_without_second_factor_is_anonymous(site: Site) -> None:
    site.python(f'User.objects.create_superuser("late@example.com", "{PASSWORD}")')
    person = Person(site)
    assert person.log_in("late@example.com").status == 302
    for path in ("/admin/", "/admin/users/user/", "/admin/password_change/", "/photos/upload/", "/photos/mine/"):
        assert "/login/?next=" in person.get(path).location, path
    assert ADMIN not in person.get("/accounts/email/").text
