"""The log-in on a production server without features.

Parallel guesses, and visitors who share the log-in with a flood.
"""

import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlencode

import pytest

from tests.support.accounts import Person, count_checked, send_parallel
from tests.support.baking import ALL_OFF, Project
from tests.support.live import (
    OTHER_USER,
    OWNER,
    PASSWORD,
    Site,
    serve,
)
from tests.support.proxying import Neighbor, serve_behind_nginx

pytestmark = pytest.mark.tier("whole")

NEW = "a harbor at noon"
FLOOD = 800
CHANGE, LOGIN, RESET = (
    "/accounts/password/change/",
    "/accounts/login/",
    "/accounts/password/reset/",
)


@pytest.fixture
def site(project: Project) -> Iterator[Site]:
    """Return a running project that two processes serve behind a proxy."""
    changes = {"TRUSTED_PROXY_COUNT": "1", "WEB_CONCURRENCY": "2"}
    with serve(project(ALL_OFF), **changes) as served:
        yield served


def test_parallel_guesses_are_limited(site: Site) -> None:
    wrong = {"login": OWNER, "password": "wrong"}
    device = Person(site)
    assert device.log_in(OWNER).status == 302
    del device.cookies["__Host-sessionid"]
    many = [Person(site, ip_address=f"2001:db8::{number:x}") for number in range(1, 31)]
    assert (
        1
        <= count_checked(
            send_parallel([person.prepare(LOGIN, wrong) for person in many])
        )
        <= 5
    )
    # The account is blocked for all others.
    requests = [device.prepare(LOGIN, wrong) for _ in range(30)]
    assert 1 <= count_checked(send_parallel(requests)) <= 5
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
