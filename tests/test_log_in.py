"""The log-in of a project without features on a production server: guesses in parallel, and its emails."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.accounts import Mailbox, Person, count_checked, send_parallel
from tests.support.baking import ALL_OFF, Project
from tests.support.live import OTHER_USER, OWNER, PASSWORD, Site, serve

pytestmark = pytest.mark.slow

NEW = "a harbor at noon"
CHANGE, LOGIN, RESET = "/accounts/password/change/", "/accounts/login/", "/accounts/password/reset/"


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    """Return a slow mail server."""
    with Mailbox(delay=0.25) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def site(project: Project, mailbox: Mailbox) -> Iterator[Site]:
    """Return a running project that two processes serve behind a proxy."""
    email_url = f"smtp://127.0.0.1:{mailbox.server_address[1]}"
    with serve(project(ALL_OFF), EMAIL_URL=email_url, TRUSTED_PROXY_COUNT="1", WEB_CONCURRENCY="2") as served:
        yield served


def test_parallel_guesses_are_limited(site: Site) -> None:
    wrong = {"login": OWNER, "password": "wrong"}
    many = [Person(site, ip_address=f"2001:db8::{number:x}") for number in range(1, 31)]
    assert 1 <= count_checked(send_parallel([person.prepare(LOGIN, wrong) for person in many])) <= 5
    fields = [{"login": f"someone{number}@example.com", "password": "wrong"} for number in range(30)]
    requests = [Person(site, ip_address="192.0.2.1").prepare(LOGIN, it) for it in fields]
    assert 1 <= count_checked(send_parallel(requests)) <= 10
    person = Person(site)
    assert person.log_in(OTHER_USER).status == 302
    guess = person.prepare(CHANGE, {"oldpassword": "wrong", "password1": NEW, "password2": NEW})
    responses = send_parallel([guess] * 30)
    assert 1 <= sum("Please type your current password" in response.text for response in responses) <= 5


def test_waiting_emails_are_sent_before_the_server_ends(site: Site, mailbox: Mailbox) -> None:
    names = [f"waiting{number}@example.com" for number in range(8)]
    site.python(f"for email in {names}: User.objects.create_user(email, None)")
    responses = send_parallel([Person(site).prepare(RESET, {"email": email}) for email in names])
    assert [response.status for response in responses] == [302] * 8
    assert len(mailbox.messages) < 8
    site.server.terminate()
    site.server.wait(30)
    assert sorted(message["To"] for message in mailbox.messages) == names


def test_unreachable_mail_server_breaks_nothing(project: Project) -> None:
    with serve(project(ALL_OFF), EMAIL_URL="smtp://127.0.0.1:1", TRUSTED_PROXY_COUNT="1") as site:
        person = Person(site)
        assert person.post(RESET, {"email": OWNER}).status == 302
        person.log_in(OWNER)
        assert person.post(CHANGE, {"oldpassword": PASSWORD, "password1": NEW, "password2": NEW}).status == 302
        assert Person(site).log_in(OWNER, NEW).status == 302
        site.server.terminate()
        site.server.wait(30)
        log = Path(site.log).read_text(encoding="utf-8")
    assert log.count("email not sent") == 2
    assert "@" not in log
