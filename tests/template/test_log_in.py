"""The log-in on a production server without features.

Parallel guesses, emails, and visitors who share the log-in with a flood.
"""

import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlencode

import pytest

from tests.support.accounts import Mailbox, Person, count_checked, send_parallel
from tests.support.baking import ALL_OFF, Project
from tests.support.live import (
    OTHER_USER,
    OWNER,
    PASSWORD,
    Site,
    serve,
    working,
)
from tests.support.proxying import Neighbor, serve_behind_nginx
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
from secure_django.models import Mail
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
                "from django.utils import timezone;"
                " from secure_django.models import Mail; "
                "Mail.objects.update(due_at=timezone.now())"
            )
            with working(site) as worker:
                wait_until(lambda: len(mailbox.messages) > 2, "nothing is sent")
                worker.kill()
                worker.wait()
            site.python(
                "from secure_django.models import Mail;"
                " Mail.objects.update(claimed_until=None)"
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


# An office has one IP address, behind which are many people.
OFFICE, FLOOD_NETWORK = "127.0.0.1", "127.0.0.66"
PEOPLE = 60
CREATE_OFFICE = f"""
from django.contrib.auth.hashers import make_password
password = make_password("{PASSWORD}")
User.objects.bulk_create(
    [
        User(email=f"person{{number}}@example.com", password=password)
        for number in range({PEOPLE})
    ]
)
"""


@pytest.fixture
def office(project: Project, tmp_path: Path) -> Iterator[Site]:
    """Return a site behind the emitted nginx, served by two processes."""
    with serve_behind_nginx(
        project(ALL_OFF), tmp_path, CREATE_OFFICE, WEB_CONCURRENCY="2"
    ) as site:
        yield site


def test_sixty_people_log_in_from_one_ip_address(office: Site) -> None:
    with ThreadPoolExecutor(6) as threads:
        statuses = threads.map(
            lambda number: Neighbor(office).log_in(number), range(PEOPLE)
        )
        assert list(statuses) == [302] * PEOPLE


def flood(
    site: Site, ip_address: str, *, with_token: bool, end: threading.Event
) -> Counter[int]:
    """Send log-ins that fail until the end, and count their statuses."""
    visitor = Neighbor(site, ip_address=ip_address)
    fields = {"login": "nobody@example.com", "password": "wrong"}
    if with_token:
        fields["csrfmiddlewaretoken"] = visitor.token(LOGIN)
    headers = {
        **visitor.own_headers,
        "Cookie": visitor.cookies.output([], header="", sep=";").strip(),
        "Content-Type": "application/x-www-form-urlencoded",
    }
    statuses: Counter[int] = Counter()
    while not end.is_set():
        connection = visitor.connection()
        connection.request("POST", LOGIN, urlencode(fields), headers)
        statuses[connection.getresponse().status] += 1
        connection.close()
    return statuses


@pytest.mark.parametrize(
    ("ip_address", "with_token"),
    [(OFFICE, False), (FLOOD_NETWORK, False), (FLOOD_NETWORK, True)],
    ids=["same network", "other network", "other network with tokens"],
)
def test_flood_of_log_ins_keeps_nobody_out(
    ip_address: str,
    with_token: bool,  # noqa: FBT001
    office: Site,
) -> None:
    end = threading.Event()
    people = [Neighbor(office) for _ in range(10)]
    with ThreadPoolExecutor(16) as threads:
        floods = [
            threads.submit(flood, office, ip_address, with_token=with_token, end=end)
            for _ in range(16)
        ]
        try:
            statuses = [person.log_in(number) for number, person in enumerate(people)]
        finally:
            end.set()
        sent = sum((it.result() for it in floods), Counter[int]())
    assert set(sent) <= ({200, 429, 503} if with_token else {403})
    assert statuses == [302] * 10
    # When a minute begins, nobody has used anything: then, the flood may be first.
    again = sum(person.posts for person in people) - 10
    assert again <= (5 if with_token else 0)
