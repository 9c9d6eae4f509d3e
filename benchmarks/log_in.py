"""Attacks on the log-in of both kinds of project.

Counted are the guesses and emails that get through, and measured what times reveal.
"""

import math
import multiprocessing
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http import HTTPStatus
from http.cookies import SimpleCookie
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from benchmarks import generated, print_table, require_packages
from tests.support.accounts import Mailbox, Person, count_checked, send_parallel
from tests.support.baking import ALL_OFF, ALL_ON, Answers, production, run
from tests.support.cluster import proxy
from tests.support.live import (
    PASSWORD,
    PREPARE,
    Site,
    gunicorn,
    issue_certificate,
    working,
)
from tests.support.postgresql import running_postgresql

KINDS: dict[str, Answers] = {
    "log-in only": ALL_OFF,
    "accounts": ALL_ON | {"cloudinary_moderation": False},
}
ROUNDS = 200
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
MAIL_SECONDS = 0.25
ONE_ACCOUNT = "50 guesses, one account, 50 IP addresses"
LOGIN, RESET, SIGNUP = (
    "/accounts/login/",
    "/accounts/password/reset/",
    "/accounts/signup/",
)
CHANGE, CONFIRM = "/accounts/password/change/", "/accounts/confirm-email/"
CREATE_USERS = f"""
from django.contrib.auth.hashers import make_password
password = make_password("{PASSWORD}")
names = ["victim1", "victim2", "victim3", "member", "spammed"]
names += [f"known{{number}}" for number in range({ROUNDS})]
User.objects.bulk_create(
    [User(email=f"{{name}}@example.com", password=password) for name in names]
)
"""
VERIFY_EMAILS = """
from allauth.account.models import EmailAddress
users = User.objects.all()
EmailAddress.objects.bulk_create(
    [
        EmailAddress(user=it, email=it.email, verified=True, primary=True)
        for it in users
    ]
)
"""

if TYPE_CHECKING:
    from multiprocessing.queues import Queue

type Row = tuple[str, float, float, float]


def guesses(site: Site, ips: list[str], emails: list[str]) -> int:
    """Send a wrong password from each IP address to the email of the same position.

    Return how many passwords were checked.
    """
    people = [
        (Person(site, ip_address=ip), email)
        for ip, email in zip(ips, emails, strict=True)
    ]
    requests = [
        person.prepare(LOGIN, {"login": email, "password": "wrong"})
        for person, email in people
    ]
    return count_checked(send_parallel(requests))


def ipv6(count: int, network: str) -> list[str]:
    """Return IP addresses of one /64 network."""
    return [f"2001:db8:0:{network}::{number:x}" for number in range(1, count + 1)]


def measure_guesses(site: Site) -> Iterator[Row]:
    """Yield the number of passwords that were checked, and its limits."""
    victims = [[f"victim{number}@example.com"] * 50 for number in (1, 2, 3)]
    many = [f"someone{number}@example.com" for number in range(200)]
    yield (
        "50 guesses, one account, one IP address",
        guesses(site, ["192.0.2.1"] * 50, victims[0]),
        1,
        5,
    )
    ips = [f"192.0.2.{number}" for number in range(50, 100)]
    yield ONE_ACCOUNT, guesses(site, ips, victims[1]), 1, 5
    yield (
        "50 guesses, one account, one IPv6 /64",
        guesses(site, ipv6(50, "1"), victims[2]),
        1,
        5,
    )
    # Failures are counted after the comparison, so a form of each process may pass.
    yield "200 accounts, one IPv6 /64", guesses(site, ipv6(200, "2"), many), 1, 102
    yield (
        "200 accounts, one IP address",
        guesses(site, ["192.0.2.3"] * 200, many),
        1,
        102,
    )
    yield from measure_device(site)
    member = Person(site)
    member.log_in("member@example.com")
    fields = {
        "oldpassword": "wrong",
        "password1": "a harbor at noon",
        "password2": "a harbor at noon",
    }
    responses = send_parallel([member.prepare(CHANGE, fields)] * 40)
    checked = sum(
        "Please type your current password" in response.text for response in responses
    )
    yield "40 guesses at the old password in one session", checked, 1, 5


def measure_device(site: Site) -> Iterator[Row]:
    """Yield how many wrong passwords of a known device, and then of others, count."""
    email = "known199@example.com"
    owner = Person(site)
    owner.log_in(email)
    owner.cookies.pop("__Host-sessionid")
    fields = {"login": email, "password": "wrong"}
    forms = [owner.prepare(LOGIN, fields) for _ in range(50)]
    checked = count_checked(send_parallel(forms))
    # Five as a known device, and five as an unknown one.
    yield "50 guesses, one account, its known device", checked, 5, 10
    ips = [f"192.0.2.{number}" for number in range(100, 150)]
    name = "50 more guesses, 50 IP addresses"
    yield name, guesses(site, ips, [email] * 50), 0, 0


def measure_emails(site: Site, mailbox: Mailbox, *, sign_up: bool) -> Iterator[Row]:
    """Yield the number of emails sent or codes checked, and its limits."""

    def count_emails(email: str) -> int:
        time.sleep(61 * MAIL_SECONDS / 2)
        return sum(message["To"] == email for message in mailbox.messages)

    known = [f"known{number}@example.com" for number in range(60)]
    responses = send_parallel(
        [
            Person(site, ip_address="192.0.2.4").prepare(RESET, {"email": it})
            for it in known
        ]
    )
    yield (
        "60 resets, 60 accounts, one IP address: accepted",
        sum(it.status == HTTPStatus.FOUND for it in responses),
        1,
        20,
    )
    email = {"email": "victim1@example.com"}
    send_parallel([Person(site).prepare(RESET, email) for _ in range(60)])
    yield (
        "60 resets, one account, 60 IP addresses: emails",
        count_emails(email["email"]),
        1,
        3,
    )
    if sign_up:
        email = {"email": "spammed@example.com"}
        pages = [(RESET, email), (SIGNUP, email | {"password1": PASSWORD})] * 10
        send_parallel([Person(site).prepare(page, fields) for page, fields in pages])
        yield (
            "10 resets and 10 sign-ups for one email: emails",
            count_emails(email["email"]),
            1,
            8,
        )
        person = Person(site)
        person.post(SIGNUP, {"email": "new@example.com", "password1": PASSWORD})
        responses = send_parallel([person.prepare(CONFIRM, {"code": "BBBB-BBBB"})] * 40)
        yield (
            "40 guesses at an emailed code in one session",
            sum("Incorrect code" in it.text for it in responses),
            0,
            3,
        )


def elapsed(send: Callable[[], object]) -> float:
    """Return the response time of a prepared request."""
    started = time.perf_counter()
    send()
    return time.perf_counter() - started


def measure_times(
    site: Site, forms: dict[str, tuple[str, str, dict[str, str]]]
) -> Iterator[Row]:
    """Yield the response times for known emails, relative to unknown ones."""
    for name, (page, field, rest) in forms.items():
        times: dict[str, list[float]] = {"known": [], "unknown": []}
        for number in range(ROUNDS):
            for kind in sorted(times, reverse=number % 2 == 1):
                person = Person(site, ip_address=f"203.0.113.{number}")
                fields = {field: f"{kind}{number}@example.com"} | rest
                times[kind].append(elapsed(person.prepare(page, fields)))
        known, unknown = (statistics.median(taken) * 1000 for taken in times.values())
        yield (
            f"{name}: {known:.1f} ms with an account, {unknown:.1f} ms without; ratio",
            known / unknown,
            0.9,
            1.1,
        )


def flood(site: Site, seconds: float, done: "Queue[int]") -> None:
    """Log in from 16 connections that wait as told; report the number of log-ins."""
    first = Person(site)
    token, sent = first.token(LOGIN), count()
    deadline = time.monotonic() + seconds

    def log_in(_: int) -> int:
        successes = 0
        while time.monotonic() < deadline:
            number = next(sent)
            person = Person(
                site,
                SimpleCookie(first.cookies.output(header="")),
                f"203.0.{number // 250}.{number % 250}",
            )
            fields = {
                "csrfmiddlewaretoken": token,
                "login": f"known{number % ROUNDS}@example.com",
                "password": PASSWORD,
            }
            successes += (
                person.request("POST", LOGIN, urlencode(fields).encode(), FORM).status
                == HTTPStatus.FOUND
            )
        return successes

    with ThreadPoolExecutor(16) as threads:
        done.put(sum(threads.map(log_in, range(16))))


def visit(site: Site, seconds: float) -> float:
    """Return the 95th percentile of the milliseconds that the start page takes."""
    visitor, times = Person(site), []
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        times.append(1000 * elapsed(lambda: visitor.get("/")))
        time.sleep(0.02)
    return statistics.quantiles(times, n=20)[18]


def measure_flood(site: Site) -> Iterator[Row]:
    """Yield the times of the start page while others log in, and the log-ins.

    The times are relative to a quiet time.
    """
    fork = multiprocessing.get_context("fork")
    done: Queue[int] = fork.Queue()
    visit(site, 3)  # until each thread has loaded what it needs
    quiet = visit(site, 5)
    process = fork.Process(target=flood, args=(site, 12, done))
    process.start()
    time.sleep(2)
    busy = visit(site, 10)
    name = (
        "16 log-ins in a loop: p95 of the start page, "
        f"{quiet:.1f} ms before, {busy:.1f} ms meanwhile; ratio"
    )
    yield name, busy / quiet, 0, 5
    yield "16 log-ins in a loop: log-ins in 12 seconds", done.get(), 50, math.inf
    process.join()


@contextmanager
def served(project: Path, setup: str, environment: dict[str, str]) -> Iterator[Site]:
    """Serve a project as in production.

    There are PostgreSQL, and gunicorn as generated behind nginx with TLS.
    """
    with tempfile.TemporaryDirectory() as temporary, running_postgresql() as database:
        folder = Path(temporary)
        environment = production(project) | {
            "ALLOWED_HOSTS": "localhost",
            "DATABASE_URL": database.create_database(),
            # nginx, and a proxy before it that says whose request it is.
            "TRUSTED_PROXY_COUNT": "2",
            **environment,
        }
        run(
            project,
            sys.executable,
            "manage.py",
            "shell",
            "-v0",
            "--command",
            PREPARE + setup,
            **environment,
        )
        certificate, tls = issue_certificate(folder)
        log = folder / "server.log"
        with (
            gunicorn(project, environment, log) as (server, inner),
            proxy(folder, certificate, project, [inner]) as port,
        ):
            yield Site(
                project, f"https://localhost:{port}", environment, tls, server, log
            )


def measure(answers: Answers) -> Iterator[Row]:
    """Generate and serve a project, and yield its measurements."""
    sign_up = bool(answers["auth_app"])
    with Mailbox(MAIL_SECONDS) as mailbox, generated(answers) as project:
        threading.Thread(target=mailbox.serve_forever, daemon=True).start()
        changes = {"EMAIL_URL": f"smtp://127.0.0.1:{mailbox.server_address[1]}"}
        changes |= {"CHECK_BREACHED_PASSWORDS": "off"} if sign_up else {}
        with (
            served(
                project, CREATE_USERS + (VERIFY_EMAILS if sign_up else ""), changes
            ) as site,
            working(site),
        ):
            forms = {
                "log-in": (LOGIN, "login", {"password": "wrong"}),
                "password reset": (RESET, "email", {}),
            }
            yield from measure_times(site, forms)
            yield from measure_flood(site)
            time.sleep(60)  # until the limits of the IP addresses have expired
            yield from measure_guesses(site)
            yield from measure_emails(site, mailbox, sign_up=sign_up)
        mailbox.shutdown()


def main(words: list[str]) -> None:
    """Print the table; exit with an error if a figure is out of its limits.

    Arguments select kinds of project.
    """
    require_packages("nginx", "postgresql")
    rows: list[list[object]] = []
    failed = False
    for kind, answers in KINDS.items():
        for name, value, least, most in (
            measure(answers) if not words or kind in words else ()
        ):
            rows.append([kind, name, value, f"{least} to {most}"])
            print(*rows[-1], sep="  ", file=sys.stderr, flush=True)
            failed |= not least <= value <= most
    print_table(["project", "attack", "result", "accepted"], rows)
    if failed:
        sys.exit(1)


if __name__ == "__main__":
    main(sys.argv[1:])
