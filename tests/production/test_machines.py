"""One site on two machines behind one proxy.

Two servers and two workers have folders of their own. They share PostgreSQL, Redis,
object storage and a stub of Cloudinary. Keys are rotated on two machines that share
PostgreSQL alone, and the connection to it is verified.
"""

import json
import re
import secrets
import shutil
import ssl
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass, field, replace
from http.client import HTTPConnection, HTTPException
from itertools import count, permutations
from pathlib import Path
from threading import Event, Thread
from typing import Any, ClassVar
from urllib.parse import urlencode
from uuid import uuid4

import pytest
import trustme
from cryptography.fernet import Fernet

from tests.photos.cloudinary import stub
from tests.support.accounts import Mailbox, Person
from tests.support.baking import (
    ALL_OFF,
    ALL_ON,
    RAW,
    WITH_GALLERY,
    Project,
    production,
    run,
)
from tests.support.browsing import totp
from tests.support.cluster import Machine, proxy, start_machine
from tests.support.images import encode, landscape
from tests.support.live import (
    CREATE_USERS,
    HANG_SECONDS,
    OWNER,
    PAGE_OF_PHOTO,
    PASSWORD,
    PREPARE,
    Response,
    Site,
    Visitor,
    issue_certificate,
)
from tests.support.postgresql import Database, running_postgresql
from tests.support.readme import PACKAGE_DOCS
from tests.support.services import Buckets, fetch, wait_until

pytestmark = [
    pytest.mark.skipif(
        sys.platform == "win32", reason="gunicorn does not run on Windows"
    ),
    pytest.mark.skipif(not shutil.which("nginx"), reason="nginx is not installed"),
]

GUIDE = PACKAGE_DOCS / "several-machines.md"
SEVERAL_MACHINES = pytest.mark.tier(
    "scheduled",
    "src/secure_django/docs/several-machines.md",
    "src/secure_django/jobs/*",
    "src/secure_django/mail/*",
    "src/secure_django/photos/*",
    f"{RAW}/deploy/*",
)
ANSWERS = WITH_GALLERY | {"cloudinary_moderation": True}
LOGIN, TOO_MANY = "/accounts/login/", "Too many failed login attempts"


@dataclass
class Cluster:
    """The site behind its proxy, its machines, and the stub of Cloudinary."""

    site: Site
    machines: list[Machine]
    cloud: Any


@pytest.fixture
def cluster(
    project: Project, tmp_path: Path, postgresql: Database, redis: str, buckets: Buckets
) -> Iterator[Cluster]:
    source = project(ANSWERS)
    certificate, tls = issue_certificate(tmp_path)
    with ExitStack() as stack:
        cloud = stack.enter_context(stub.Cloud())
        cloud.moderation = stub.moderation("approved", "approved")
        environment = production(source) | {
            "ALLOWED_HOSTS": "localhost",
            "DATABASE_URL": postgresql(),
            "CACHE_URL": redis,
            "STORAGE_URL": buckets(),
            "CLOUDINARY_URL": cloud.cloudinary_url,
            "TRUSTED_PROXY_COUNT": "1",
            "UPLOADS_PER_HOUR": "1000",
            "UPLOAD_DECODE_SECONDS": "100000",
        }
        run(
            source,
            sys.executable,
            "manage.py",
            "shell",
            "-v0",
            "--command",
            PREPARE + CREATE_USERS,
            **environment,
        )
        machines = []
        for name in ("first", "second"):
            (tmp_path / name).mkdir()
            machines.append(start_machine(source, tmp_path / name, environment))
            stack.enter_context(closing(machines[-1]))
        port = stack.enter_context(
            proxy(tmp_path, certificate, source, [machine.port for machine in machines])
        )
        log = tmp_path / "nginx.log"
        site = Site(
            source,
            f"https://localhost:{port}",
            environment,
            tls,
            machines[0].processes[0],
            log,
        )
        yield Cluster(site, machines, cloud)


def stored_photos(site: Site) -> Counter[str]:
    """Return the number of files in the bucket by photo."""
    address = site.environment["STORAGE_URL"].partition("@")[2].partition("?")[0]
    keys = re.findall(
        r"<Key>photos/../(.{36})-.+?</Key>",
        fetch(f"http://{address}?list-type=2&max-keys=1000").read().decode(),
    )
    return Counter(keys)


@SEVERAL_MACHINES
def test_photo_goes_its_way_whichever_machine_answers(cluster: Cluster) -> None:
    site = cluster.site
    owner = site.visitor(OWNER)
    for number in range(4):
        assert (
            owner.upload(
                encode(landscape(number, (320, 240))), title=f"Photo {number}"
            ).status
            == 302
        )
    photos = stored_photos(site)
    assert set(photos.values()) == {2}
    assert not [
        machine
        for machine in cluster.machines
        if (machine.folder.parent / "media").exists()
    ]
    for photo in photos:
        for _ in range(2):  # once from each machine
            link = owner.get(f"/photos/{photo}/display/")
            assert link.status == 302
            assert fetch(link.location).read().startswith(b"\xff\xd8")
    wait_until(
        lambda: (
            site.visitor().get("/").text.count("https://res.cloudinary.com/cloud/") == 4
        ),
        "not published",
    )
    assert len(cluster.cloud.uploads) == 4
    for page in PAGE_OF_PHOTO.findall(owner.get("/photos/mine/").text):
        assert owner.post(f"{page}delete/", {}, page=page).status == 302
    wait_until(lambda: not stored_photos(site), "still in the bucket")
    wait_until(lambda: not cluster.cloud.assets, "still at Cloudinary")
    assert all(
        {"gallery:upload", "uploads:file"} <= {it["route"] for it in it.requests}
        for it in cluster.machines
    )


@SEVERAL_MACHINES
def test_limits_and_request_ids_hold_on_both_machines(cluster: Cluster) -> None:
    visitor = cluster.site.visitor()
    report = {"Content-Type": "application/csp-report"}
    # The second round counts for a new minute, if one began in the first round.
    statuses = [
        visitor.request("POST", "/csp-report/", b'{"csp-report": {}}', report).status
        for _ in range(2)
        for _ in range(21)
    ]
    assert statuses[:10] == [204] * 10
    assert 429 in statuses
    # One token for all guesses: with a page before each, the proxy would send all of
    # them to the same machine.
    form = {
        "csrfmiddlewaretoken": visitor.token(LOGIN),
        "login": OWNER,
        "password": f"not {PASSWORD}",
    }
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    guesses = [
        visitor.request("POST", LOGIN, urlencode(form).encode(), headers)
        for _ in range(8)
    ]
    assert [TOO_MANY in guess.text for guess in guesses] == [False] * 5 + [True] * 3
    tried = [
        [(line["method"], line["route"]) for line in machine.requests]
        for machine in cluster.machines
    ]
    assert [lines.count(("POST", "account_login")) for lines in tried] == [4, 4]
    # The right password is not even checked now, whichever machine answers.
    for _ in range(2):
        guess = visitor.request(
            "POST", LOGIN, urlencode(form | {"password": PASSWORD}).encode(), headers
        )
        assert (guess.status, TOO_MANY in guess.text) == (200, True)
    sent = visitor.get("/", **{"X-Request-ID": "0" * 32}).headers["X-Request-ID"]
    assert sent != "0" * 32
    logged = [
        line
        for machine in cluster.machines
        for line in machine.requests
        if line["request_id"] == sent
    ]
    assert [(line["route"], line["status"]) for line in logged] == [
        ("gallery:index", 200)
    ]


@SEVERAL_MACHINES
def test_machine_killed_in_the_middle_loses_nothing(cluster: Cluster) -> None:
    site, image, first_uploads = cluster.site, encode(landscape(1, (640, 480))), Event()
    emails = [f"visitor{number}@example.com" for number in range(6)]
    site.python(f"for email in {emails}: User.objects.create_user(email, '{PASSWORD}')")

    def upload(visitor: Visitor, title: str, token: str) -> bool:
        status = 0

        def is_answered() -> bool:
            nonlocal status
            try:
                status = visitor.upload(image, title=title, token=token).status
            except (OSError, HTTPException):
                status = 0
            return status not in {429, 503}

        # The turn of an account whose upload the dead machine has held ends by itself,
        # after 30 seconds.
        wait_until(is_answered, f"{title} is refused")
        return status == 302

    def upload_all(visitor: Visitor) -> set[str]:
        acknowledged, token = set(), visitor.token("/photos/upload/")
        for _ in range(7):
            title = f"Photo {uuid4()}"
            if upload(visitor, title, token):
                acknowledged.add(title)
            if len(acknowledged) == 2:
                first_uploads.set()
        return acknowledged

    # An account uploads one photo at a time.
    visitors = [site.visitor(email) for email in emails]
    with ThreadPoolExecutor(len(visitors)) as threads:
        results = threads.map(upload_all, visitors)
        assert first_uploads.wait(HANG_SECONDS)
        cluster.machines[0].kill()
        acknowledged = set().union(*results)
    assert len(acknowledged) > 30
    rows = dict(
        line.split("|")
        for line in site.python(
            "for it in Photo.objects.all(): print(f'{it.title}|{it.pk}')"
        ).splitlines()
    )
    assert acknowledged <= set(rows)
    assert dict.fromkeys(rows.values(), 2).items() <= dict(stored_photos(site)).items()
    # What the first worker had claimed waits for five minutes, which end now.
    site.python("Asset.objects.update(claimed_until=None)")
    wait_until(
        lambda: (
            site.python(
                "print(Photo.objects.exclude(status='approved').count())"
            ).strip()
            == "0"
        ),
        "not published",
    )
    assert {fields["public_id"] for fields in cluster.cloud.uploads} == set(
        rows.values()
    )
    assert site.visitor().get("/health/ready/").status == 200


# As many as the addresses of a network. One hash for all passwords: each would take a
# tenth of a second.
CREATE_PEOPLE = f"""
from allauth.account.models import EmailAddress
from django.contrib.auth.hashers import make_password
password = make_password("{PASSWORD}")
people = User.objects.bulk_create(
    User(email=f"person{{n}}@example.com", password=password) for n in range(1, 250)
)
EmailAddress.objects.bulk_create(
    EmailAddress(user=it, email=it.email, verified=True, primary=True) for it in people
)
"""
CODE, ENROLL, RESET = (
    "/accounts/2fa/authenticate/",
    "/accounts/2fa/totp/activate/",
    "/accounts/password/reset/",
)
TURNS, NUMBERS, REQUESTS = count(), count(1), count()
ON_THEIR_WAY: set[int] = set()
# People whose sessions may have the key of the row before.
VISITING: set[int] = set()


@dataclass
class Balanced(Person):
    """A visitor whose requests a load balancer gives to the machines in turn."""

    machines: list[Machine] = field(default_factory=list)
    own_headers: ClassVar[dict[str, str]] = {"Host": "localhost"}

    def connection(self) -> HTTPConnection:
        """Return a connection to the next machine."""
        machines = tuple(self.machines)
        return HTTPConnection(
            "127.0.0.1",
            machines[next(TURNS) % len(machines)].port,
            timeout=HANG_SECONDS,
        )

    def request(self, *arguments: Any, **options: Any) -> Response:  # noqa: ANN401
        """Send a request, which is on its way until its answer is there."""
        number = next(REQUESTS)
        ON_THEIR_WAY.add(number)
        try:
            return super().request(*arguments, **options)
        finally:
            ON_THEIR_WAY.remove(number)


@dataclass
class Pair:
    """Two machines behind a load balancer, and their mail server.

    The load balancer sends requests to those that are `answering`.
    """

    site: Site
    machines: list[Machine]
    mailbox: Mailbox
    answering: list[Machine] = field(init=False)

    def __post_init__(self) -> None:
        """Let both answer."""
        self.answering = [*self.machines]

    def person(self, number: int, *machines: Machine) -> Balanced:
        """Return a visitor with an IP address of its own.

        These machines answer it, by default all that are answering.
        """
        return Balanced(
            self.site,
            ip_address=f"192.0.2.{number}",
            machines=[*machines] or self.answering,
        )

    def restart(self, machine: Machine, **changes: str) -> None:
        """Restart a machine as several-machines.md says."""
        self.answering.remove(machine)
        earlier = set(ON_THEIR_WAY)
        wait_until(lambda: not earlier & ON_THEIR_WAY, "a request is not answered")
        machine.close()
        machine.start(self.site.environment | changes)
        wait_until(lambda: answers_health_check(machine), "the machine is not ready")
        self.answering.append(machine)


def answers_health_check(machine: Machine) -> bool:
    """Ask as a load balancer does that can set neither the host nor a header."""
    connection = HTTPConnection("127.0.0.1", machine.port, timeout=HANG_SECONDS)
    try:
        connection.request("GET", "/health/ready/", headers={"Host": "10.0.0.5"})
        return connection.getresponse().status == 200
    except ConnectionRefusedError:
        return False
    finally:
        connection.close()


@pytest.fixture
def pair(project: Project, tmp_path: Path, postgresql: Database) -> Iterator[Pair]:
    source = project(ALL_ON | {"cloudinary_moderation": False})
    with ExitStack() as stack:
        mailbox = stack.enter_context(Mailbox())
        Thread(target=mailbox.serve_forever, daemon=True).start()
        stack.callback(mailbox.shutdown)
        environment = production(source) | {
            "ALLOWED_HOSTS": "localhost",
            "CHECK_BREACHED_PASSWORDS": "off",
            "DATABASE_URL": postgresql(),
            "EMAIL_URL": f"smtp://127.0.0.1:{mailbox.server_address[1]}",
            "TRUSTED_PROXY_COUNT": "1",
            "WEB_CONCURRENCY": "1",
        }
        run(
            source,
            sys.executable,
            "manage.py",
            "shell",
            "-v0",
            "--command",
            PREPARE + CREATE_PEOPLE,
            **environment,
        )
        machines = []
        for name in ("first", "second"):
            (tmp_path / name).mkdir()
            machines.append(start_machine(source, tmp_path / name, environment))
            stack.enter_context(closing(machines[-1]))
        for machine in machines:
            wait_until(
                lambda it=machine: answers_health_check(it),  # type: ignore[misc]
                "the machine is not ready",
            )
        # The URL is the load balancer's; its requests to the machines are unencrypted.
        tls, log = (
            ssl.create_default_context(),
            machines[0].folder.parent / "server.log",
        )
        site = Site(
            source, "https://localhost", environment, tls, machines[0].processes[0], log
        )
        yield Pair(site, machines, mailbox)


def enroll(person: Balanced, number: int) -> str:
    """Log in, set up an authenticator app, and return its secret."""
    answer = person.log_in(f"person{number}@example.com")
    assert answer.status == 302, answer.text
    found = re.search(r'id="secret" value="(\w+)"', person.get(ENROLL).text)
    assert found, "the page shows no secret"
    # Its page makes a new secret each time.
    token = person.cookies["__Host-csrftoken"].value
    fields = urlencode({"csrfmiddlewaretoken": token, "code": totp(found[1])}).encode()
    answer = person.request(
        "POST", ENROLL, fields, {"Content-Type": "application/x-www-form-urlencoded"}
    )
    assert answer.location.startswith("/accounts/2fa/"), answer.location
    return found[1]


def log_in(person: Balanced, number: int, secret: str) -> int:
    """Log in with password and authenticator app, and return the last status."""
    assert person.log_in(f"person{number}@example.com").location == CODE
    return person.post(CODE, {"code": totp(secret)}).status


def ask_for_link(person: Balanced, number: int) -> None:
    """Ask for a link that resets the password, which is sent by email."""
    assert person.post(RESET, {"email": f"person{number}@example.com"}).status == 302


def links(pair: Pair) -> set[str]:
    """Return to whom a link was sent."""
    return {
        it["To"]
        for it in pair.mailbox.messages
        if "password/reset/key" in str(it.get_body(("plain",)))
    }


def errors(pair: Pair) -> list[str]:
    """Return the events of both machines that tell of an error."""
    paths = [
        machine.folder.parent / f"{name}.log"
        for machine in pair.machines
        for name in ("server", "worker")
    ]
    lines = [
        line
        for path in paths
        for line in path.read_text(encoding="utf-8").splitlines()
        if line.startswith("{")
    ]
    return [
        it["event"]
        for it in map(json.loads, lines)
        if it["level"] in {"ERROR", "CRITICAL"}
    ]


def rows_of_the_rotation(pair: Pair) -> list[dict[str, str]]:
    """Return each row's variables in several-machines.md, with real keys."""
    names = ("FIELD_ENCRYPTION_KEYS", "SECRET_KEY", "SECRET_KEY_FALLBACKS")
    new = {
        "FIELD_ENCRYPTION_KEYS": Fernet.generate_key().decode(),
        "SECRET_KEY": secrets.token_urlsafe(64),
    }
    keys = {
        name: {"OLD": pair.site.environment[name], "NEW": value}
        for name, value in new.items()
    }
    keys["SECRET_KEY_FALLBACKS"] = keys["SECRET_KEY"]
    guide = GUIDE.read_text(encoding="utf-8")
    lines = re.findall(r"^\| [0-3] \| (.*)", guide, re.MULTILINE)
    rows = [
        [cell.strip(" `").split(",") for cell in line.split("|")[:3]] for line in lines
    ]
    return [
        {
            name: ",".join(keys[name][word] for word in cell if word)
            for name, cell in zip(names, row, strict=True)
        }
        for row in rows
    ]


def live(pair: Pair, stop: Event) -> dict[int, str]:
    """Return the secrets of people who set up an authenticator app one by one.

    Each of them also asks for a link and logs in.
    """
    found = {}
    while not stop.is_set():
        number = next(NUMBERS)
        VISITING.add(number)
        found[number] = enroll(pair.person(number), number)
        ask_for_link(pair.person(number), number)
        assert log_in(pair.person(number), number, found[number]) == 302
        VISITING.remove(number)
    return found


def wait_for_sessions() -> None:
    """Wait until each session ends that began before, as the guide waits for hours."""
    earlier = set(VISITING)
    wait_until(lambda: not earlier & VISITING, "a session does not end")


def check(pair: Pair, steady: Balanced) -> None:
    """Let each machine serve a logged-in person, and read what the other one writes."""
    for one, other in permutations(pair.machines):
        assert replace(steady, machines=[one]).is_logged_in
        number = next(NUMBERS)
        secret = enroll(pair.person(number, one), number)
        assert log_in(pair.person(number, other), number, secret) == 302


@SEVERAL_MACHINES
def test_keys_are_rotated_while_both_machines_work(pair: Pair) -> None:
    stop, steady = Event(), pair.person(250)
    now, *rows = rows_of_the_rotation(pair)
    assert now.items() <= (pair.site.environment | {"SECRET_KEY_FALLBACKS": ""}).items()
    assert len(rows) == 3
    assert steady.log_in("person249@example.com").status == 302
    with ThreadPoolExecutor(2) as threads:
        lives = [threads.submit(live, pair, stop) for _ in range(2)]
        try:
            check(pair, steady)
            for row in rows:
                wait_for_sessions()
                for machine in pair.machines:
                    pair.restart(machine, **row)
                    check(pair, steady)
                if row is rows[1]:
                    assert "mfa.Authenticator.data" in pair.site.manage(
                        "rotate_encryption", **row
                    )
        finally:
            stop.set()
        apps = {
            number: secret for it in lives for number, secret in it.result().items()
        }
    assert len(apps) > 5
    wait_until(
        lambda: links(pair) == {f"person{number}@example.com" for number in apps},
        "not all links were sent",
    )
    time.sleep(31 - time.time() % 30)  # a code is accepted once
    for number in sorted(apps)[:3]:
        assert log_in(pair.person(number), number, apps[number]) == 302
    assert errors(pair) == []


@SEVERAL_MACHINES
def test_new_key_that_comes_first_at_once_fails_on_the_other_machine(
    pair: Pair,
) -> None:
    one, other = pair.machines
    first = rows_of_the_rotation(pair)[2]
    cookies = pair.person(1)
    assert cookies.log_in("person1@example.com").status == 302
    pair.restart(one, **first)
    one.processes[1].terminate()
    one.processes[1].wait(HANG_SECONDS)
    answers = [
        replace(cookies, machines=[machine]).is_logged_in for machine in (one, other)
    ]
    assert answers == [True, False]  # logged out
    secret = enroll(pair.person(2, one), 2)
    assert log_in(pair.person(2, other), 2, secret) == 500
    ask_for_link(pair.person(3, one), 3)
    wait_until(lambda: "email not sent" in errors(pair), "the email was sent")
    assert links(pair) == set()
    # With both keys there, everything can be read again.
    pair.restart(other, **first)
    time.sleep(31 - time.time() % 30)  # a code is accepted once
    assert log_in(pair.person(2, other), 2, secret) == 302
    wait_until(lambda: links(pair) == {"person3@example.com"}, "the email is lost")


@pytest.mark.tier("whole")
def test_database_with_another_certificate_is_refused(
    project: Project, tmp_path: Path
) -> None:
    source = project(ALL_OFF)
    authority, other = trustme.CA(), trustme.CA()
    for name, it in (("authority", authority), ("other", other)):
        it.cert_pem.write_to_path(tmp_path / f"{name}.pem")
    with running_postgresql() as server:
        server.stop()
        folder = server.log.parent
        authority.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(
            folder / "key.pem"
        )
        (folder / "key.pem").chmod(0o600)
        if server.user:
            shutil.chown(folder / "key.pem", server.user)
        server.command += [
            "--ssl=on",
            f"--ssl_cert_file={folder}/key.pem",
            f"--ssl_key_file={folder}/key.pem",
        ]
        server.start()
        url = server.create_database()

        def connect(host: str, query: str, *command: str) -> str:
            environment = production(source) | {
                "DATABASE_URL": url.replace("127.0.0.1", host) + query,
                "MEDIA_ROOT": str(tmp_path / "media"),
                "RESTIC_REPOSITORY": str(tmp_path / "backups"),
                "RESTIC_PASSWORD": "word",
            }
            return run(source, sys.executable, *command, **environment)

        words = GUIDE.read_text(encoding="utf-8")
        found = re.search(r"manage\.py (shell) (-v0) (-c) \"(.+)\"\n", words)
        assert found, "the guide has no such command"
        show = ("manage.py", *found.groups())
        backup = ("-m", "secure_django.commands.backups", "create")
        (query,) = re.findall(r"^postgres://.+(\?.+)", words, re.MULTILINE)
        place = "/srv/SITE/secrets/database_ca.pem"
        right, wrong = (
            query.replace(place, f"{tmp_path}/{name}.pem")
            for name in ("authority", "other")
        )
        assert right != query
        assert "TLSv1.3" in connect("localhost", right, *show)
        connect("localhost", right, "manage.py", "migrate", "--verbosity=0")
        connect("localhost", right, *backup)
        assert len(list((tmp_path / "backups" / "snapshots").iterdir())) == 1
        for command in (show, backup):
            for host, query in (("localhost", wrong), ("127.0.0.1", right)):
                with pytest.raises(AssertionError, match="certificate"):
                    connect(host, query, *command)
        # Without these words, the connection is encrypted, but to whoever answers.
        assert "TLSv1.3" in connect("127.0.0.1", "", *show)
