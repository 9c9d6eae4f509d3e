"""The log-in on a production server without features: parallel guesses, and emails."""

import threading
import time
from collections.abc import Iterator

import pytest

from tests.support.accounts import Mailbox, Person, count_checked, send_parallel
from tests.support.baking import ALL_OFF, Project
from tests.support.live import OTHER_USER, OWNER, PASSWORD, Site, serve, working
from tests.support.services import wait_until

pytestmark = pytest.mark.tier("whole")

NEW = "a harbor at noon"
FLOOD = 800
CHANGE, LOGIN, RESET = (
    "/accounts/password/change/",
    "/accounts/login/",
    "/accounts/password/reset/",
)


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    """Return a slow mail server."""
    with Mailbox(delay=1) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def site(project: Project, mailbox: Mailbox) -> Iterator[Site]:
    """Return a running project that two processes serve behind a proxy."""
    email_url = f"smtp://127.0.0.1:{mailbox.server_address[1]}"
    with serve(
        project(ALL_OFF),
        EMAIL_URL=email_url,
        TRUSTED_PROXY_COUNT="1",
        WEB_CONCURRENCY="2",
    ) as served:
        yield served


def test_parallel_guesses_are_limited(site: Site) -> None:
    wrong = {"login": OWNER, "password": "wrong"}
    many = [Person(site, ip_address=f"2001:db8::{number:x}") for number in range(1, 31)]
    assert (
        1
        <= count_checked(
            send_parallel([person.prepare(LOGIN, wrong) for person in many])
        )
        <= 5
    )
    fields = [
        {"login": f"someone{number}@example.com", "password": "wrong"}
        for number in range(30)
    ]
    requests = [
        Person(site, ip_address="192.0.2.1").prepare(LOGIN, it) for it in fields
    ]
    started = time.monotonic()
    checked = count_checked(send_parallel(requests))
    minutes = 1 + (time.monotonic() - started) // 60
    assert 1 <= checked <= 10 * minutes
    person = Person(site)
    assert person.log_in(OTHER_USER).status == 302
    guess = person.prepare(
        CHANGE, {"oldpassword": "wrong", "password1": NEW, "password2": NEW}
    )
    responses = send_parallel([guess] * 30)
    assert (
        1
        <= sum(
            "Please type your current password" in response.text
            for response in responses
        )
        <= 5
    )


def test_flood_of_unknown_recipients_delays_no_reset(
    site: Site, mailbox: Mailbox
) -> None:
    """The flood is of stored emails: this project sends none to unknown recipients."""
    flood = f"""
from datetime import timedelta
from django.utils import timezone
from core.models import Mail
import json
def mail(number):
    text = json.dumps([
        "a@example.com",
        [f"{{number}}@example.net"],
        f"To: {{number}}@example.net\\r\\n\\r\\n",
    ])
    expires_at = timezone.now() + timedelta(hours=1)
    return Mail(
        kind=Mail.Kind.UNKNOWN,
        content=text,
        due_at=timezone.now(),
        expires_at=expires_at,
    )
Mail.objects.bulk_create([mail(number) for number in range({FLOOD})])
"""
    site.python(flood)
    with working(site):
        mailbox.last_to(f"{FLOOD - 100}@example.net")
        assert Person(site).post(RESET, {"email": OWNER}).status == 302
        mailbox.last_to(OWNER, "/password/reset/key/")
        # Of the flood, 100 emails are kept. Some of them still wait.
        assert len(mailbox.messages) <= 100
    assert f'"emails discarded: {FLOOD - 100} of kind UNKNOWN' in site.log.with_name(
        "worker.log"
    ).read_text("utf-8")


def test_killed_worker_and_unreachable_mail_server_lose_no_email(
    project: Project,
) -> None:
    """SMTP and the worker end, one after the other; then both are back."""
    names = [f"waiting{number}@example.com" for number in range(8)]
    with Mailbox(delay=0.5) as mailbox:
        threading.Thread(target=mailbox.serve_forever, daemon=True).start()
        changes = {"EMAIL_URL": "smtp://127.0.0.1:1", "TRUSTED_PROXY_COUNT": "1"}
        with serve(project(ALL_OFF), **changes) as site:
            site.python(f"for email in {names}: User.objects.create_user(email, None)")
            with working(site):
                responses = send_parallel(
                    [Person(site).prepare(RESET, {"email": email}) for email in names]
                )
                assert [response.status for response in responses] == [302] * 8
                person = Person(site)
                person.log_in(OWNER)
                assert (
                    person.post(
                        CHANGE,
                        {"oldpassword": PASSWORD, "password1": NEW, "password2": NEW},
                    ).status
                    == 302
                )
                assert Person(site).log_in(OWNER, NEW).status == 302
                log = site.log.with_name("worker.log")
                wait_until(
                    lambda: "emails wait" in log.read_text("utf-8"),
                    "the worker does not look for the server",
                )
            site.environment["EMAIL_URL"] = (
                f"smtp://127.0.0.1:{mailbox.server_address[1]}"
            )
            site.python(
                "from django.utils import timezone; from core.models import Mail; "
                "Mail.objects.update(due_at=timezone.now())"
            )
            with working(site) as worker:
                wait_until(lambda: len(mailbox.messages) > 2, "nothing is sent")
                worker.kill()
                worker.wait()
            site.python(
                "from core.models import Mail; Mail.objects.update(claimed_until=None)"
            )
            with working(site):
                wait_until(
                    lambda: {it["To"] for it in mailbox.messages} == {*names, OWNER},
                    "emails are lost",
                )
            assert len({it["Message-ID"] for it in mailbox.messages}) == 9
            # The killed worker may have sent one without noting it.
            assert len(mailbox.messages) <= 10
            assert "@" not in log.read_text("utf-8")
        mailbox.shutdown()
