"""Share the log-in with a flood, an office, and a member who sends emails in a loop.

The site is as in production: nginx with TLS, gunicorn with its defaults, PostgreSQL and
a worker. All of them, attackers and honest people share one machine. Each case has a
site of its own. Name cases to run only these: `uv run python -m benchmarks.sharing
office`.
"""

import math
import multiprocessing
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.client import HTTPException
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlencode

from benchmarks import generated, print_table, require_packages
from benchmarks.attack import answer_status, describe
from tests.support.accounts import Mailbox
from tests.support.baking import ALL_ON
from tests.support.browsing import totp
from tests.support.live import PASSWORD, Site, working
from tests.support.postgresql import running_postgresql
from tests.support.proxying import Neighbor, serve_behind_nginx

type Results = Queue[Any]

ACCEPTED = 302
LOGIN, RESET = "/accounts/login/", "/accounts/password/reset/"
CODE = "/accounts/2fa/authenticate/"
# Requests of a member that each send an email to the member or to another address.
SENDING = {
    "/accounts/email/": {"email": "new{number}@example.com", "action_add": ""},
    "/accounts/password/change/": {
        "oldpassword": PASSWORD,
        "password1": PASSWORD,
        "password2": PASSWORD,
    },
    "/accounts/password/reset/": {"email": "member0@example.com"},
    "/accounts/2fa/recovery-codes/generate/": {},
}
SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"  # noqa: S105 - of the member
SECOND_FACTOR = f"""
from allauth.mfa.totp.internal.auth import TOTP
TOTP.activate(User.objects.get(email="member0@example.com"), "{SECRET}")
"""
PEOPLE = 1000
USERS = f"""
from allauth.account.models import EmailAddress
from django.contrib.auth.hashers import make_password
password = make_password("{PASSWORD}")
names = [f"person{{number}}" for number in range({PEOPLE})]
names += [f"attacker{{number}}" for number in range(64)]
for name in [*names, "member0"]:
    user = User.objects.create(email=f"{{name}}@example.com", password=password)
    EmailAddress.objects.create(
        user=user, email=user.email, verified=True, primary=True
    )
"""


class Case(NamedTuple):
    """A number that is measured, and the least and most that it may be."""

    name: str
    measure: Callable[[Site, Mailbox], tuple[float, str]]
    least: float
    most: float = math.inf


@contextmanager
def served() -> Iterator[tuple[Site, Mailbox]]:
    """Serve a fresh project with accounts, and yield the mail server with it."""
    answers = ALL_ON | {"cloudinary_moderation": False}
    with (
        generated(answers) as project,
        running_postgresql() as database,
        tempfile.TemporaryDirectory() as state,
        Mailbox() as mailbox,
    ):
        threading.Thread(target=mailbox.serve_forever, daemon=True).start()
        with (
            serve_behind_nginx(
                project,
                Path(state),
                USERS,
                options=(),
                DATABASE_URL=database.create_database(),
                EMAIL_URL=f"smtp://127.0.0.1:{mailbox.server_address[1]}",
                CHECK_BREACHED_PASSWORDS="off",
            ) as site,
            working(site),
        ):
            # The first requests of each process import modules.
            for _ in range(20):
                site.visitor().get(LOGIN)
            yield site, mailbox
        mailbox.shutdown()


def log_in_office(site: Site, _: Mailbox) -> tuple[float, str]:
    """Let 60 people behind one IP address log in within 30 seconds; count them."""
    people = [Neighbor(site, ip_address="127.0.1.1") for _ in range(60)]
    started = time.monotonic()

    def log_in(number: int) -> bool:
        # One after the other comes to work.
        time.sleep(number / 60 * 20)
        is_in = people[number].log_in(number) == ACCEPTED
        return is_in and time.monotonic() - started <= 30  # noqa: PLR2004

    with ThreadPoolExecutor(60) as threads:
        return sum(threads.map(log_in, range(60))), ""


def flood(
    site: Site, networks: int, ready: Event, done: Event, results: Results
) -> None:
    """Log in from 64 connections of these many networks, without a pause."""

    def send(number: int) -> Counter[str]:
        guest = Neighbor(site, ip_address=f"127.0.2.{number % networks + 1}")
        # Of their own accounts: wrong ones soon cost no more than a page.
        fields = {"csrfmiddlewaretoken": guest.token(LOGIN), "password": PASSWORD}
        fields["login"] = f"attacker{number}@example.com"
        cookies = [f"{name}={it.value}" for name, it in guest.cookies.items()]
        headers = {
            **guest.own_headers,
            "Connection": "keep-alive",
            "Content-Type": "application/x-www-form-urlencoded",
            "Cookie": "; ".join(cookies),
        }
        body = urlencode(fields).encode()
        statuses: Counter[str] = Counter()
        connection = guest.connection()
        while not done.is_set():
            try:
                status = answer_status(connection, "POST", LOGIN, body, headers)
            except (OSError, HTTPException) as error:
                statuses[type(error).__name__] += 1
                connection.close()
                connection = guest.connection()
            else:
                statuses[str(status)] += 1
            ready.set()
        connection.close()
        return statuses

    with ThreadPoolExecutor(64) as threads:
        results.put(sum(threads.map(send, range(64)), Counter()))


def log_in_beside_flood(site: Site, network: str, attackers: int) -> tuple[float, str]:
    """Count the log-ins of four people at a time in 20 seconds, beside the flood."""
    fork = multiprocessing.get_context("fork")
    answers: Results = fork.Queue()
    ready, done = fork.Event(), fork.Event()
    attacker = fork.Process(target=flood, args=(site, attackers, ready, done, answers))
    attacker.start()
    ready.wait()
    time.sleep(2)
    deadline = time.monotonic() + 20
    numbers = iter(range(PEOPLE))

    def log_in(thread: int) -> int:
        successes = 0
        while time.monotonic() < deadline:
            # One who is refused is another person the next time.
            person = Neighbor(site, ip_address=network.format(thread + 1))
            is_in = person.log_in(next(numbers)) == ACCEPTED
            successes += is_in and time.monotonic() <= deadline
        return successes

    with ThreadPoolExecutor(4) as threads:
        successes = sum(threads.map(log_in, range(4)))
    done.set()
    statuses = describe(answers.get())
    attacker.join()
    return successes, statuses


def reset_beside(path: str) -> Callable[[Site, Mailbox], tuple[float, str]]:
    """Return what measures until a reset arrives while a member loops on a page."""

    def measure(site: Site, mailbox: Mailbox) -> tuple[float, str]:
        member = Neighbor(site, ip_address="127.0.2.1")
        fields = {"login": "member0@example.com", "password": PASSWORD}
        site.python(SECOND_FACTOR)  # recovery codes are for accounts that have one
        member.post(LOGIN, fields)
        if member.post(CODE, {"code": totp(SECRET)}).status != ACCEPTED:
            raise RuntimeError(path)
        token = member.token("/accounts/email/")
        statuses: Counter[str] = Counter()
        done = threading.Event()

        def loop() -> None:
            number = 0
            while not done.is_set():
                number += 1
                sent = {"csrfmiddlewaretoken": token}
                for name, value in SENDING[path].items():
                    sent[name] = value.format(number=number)
                headers = {"Content-Type": "application/x-www-form-urlencoded"}
                # Not post(), which waits as the site asks.
                answer = member.request("POST", path, urlencode(sent).encode(), headers)
                statuses[str(answer.status)] += 1

        looping = threading.Thread(target=loop)
        looping.start()
        time.sleep(10)
        person = Neighbor(site, ip_address="127.0.3.1")
        before = time.monotonic()
        person.post(RESET, {"email": "person1@example.com"})
        while not any(
            message["To"] == "person1@example.com" for message in mailbox.messages[:]
        ):
            time.sleep(0.05)
        seconds = time.monotonic() - before
        done.set()
        looping.join()
        return seconds, describe(statuses)

    return measure


CASES = [
    Case("office: 60 people behind one IP address log in", log_in_office, 60),
    Case(
        "others: log-ins in 20 seconds beside 64 connections of other networks",
        lambda site, _: log_in_beside_flood(site, "127.0.3.{}", 8),
        15,
    ),
    Case(
        "same: log-ins in 20 seconds beside 64 connections of the same network",
        lambda site, _: log_in_beside_flood(site, "127.0.2.1", 1),
        15,
    ),
    *[
        Case(
            f"reset: seconds until it arrives while a member loops on {path}",
            reset_beside(path),
            0,
            10,
        )
        for path in SENDING
    ],
]


def main() -> None:
    """Print the table, and fail if a figure is out of its bounds."""
    require_packages("nginx", "postgresql")
    rows: list[list[object]] = []
    failed = False
    for case in CASES:
        name = case.name.partition(":")[0]
        if sys.argv[1:] and name not in sys.argv[1:]:
            continue
        with served() as (site, mailbox):
            value, answers = case.measure(site, mailbox)
        rows.append([case.name, value, f"{case.least} to {case.most}", answers])
        print(*rows[-1], sep="  ", file=sys.stderr, flush=True)
        failed |= not case.least <= value <= case.most
    print_table(["case", "result", "accepted", "answers to attackers"], rows)
    if failed:
        sys.exit(1)


if __name__ == "__main__":
    main()
