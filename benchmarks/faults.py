"""Break what a site depends on, while people upload, and count what is lost.

Each fault lasts 30 seconds.

The stack is real: nginx, gunicorn and a worker as generated, PostgreSQL and Redis; moto
is the object storage, and a stub stands for Cloudinary. A photo is acknowledged when
its upload was answered by a redirect.
"""

import contextlib
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from http import HTTPStatus
from http.client import HTTPException
from itertools import count
from math import inf
from pathlib import Path
from threading import Event, Thread
from typing import Any
from urllib.parse import urlsplit

from benchmarks import generated, print_table, require_packages
from tests.photos.cloudinary import stub
from tests.support.accounts import Mailbox
from tests.support.baking import WITH_GALLERY, production, run
from tests.support.cluster import WORKER, Machine, proxy, start_machine
from tests.support.images import encode, landscape
from tests.support.live import (
    PASSWORD,
    PREPARE,
    Response,
    Site,
    Visitor,
    issue_certificate,
)
from tests.support.postgresql import PostgreSQL, running_postgresql
from tests.support.services import fetch, free_port, running, wait_until

SECONDS = 30
# What a site may need to answer as before, once the fault is over.
RECOVERY_SECONDS = 10
UPLOADERS, VISITORS, SLOW_CLIENTS = 10, 2, 500
KILL_EVERY_SECONDS = 8
# The second measurement: photos as phones make them.
PHOTOS, PEOPLE = 1000, 20
RESET = "/accounts/password/reset/"
USERS = f"""
from django.contrib.auth.hashers import make_password
password = make_password("{PASSWORD}")
emails = [
    f"{{name}}{{number}}@example.com"
    for name in ("uploader", "visitor")
    for number in range({PEOPLE})
]
emails.append("probe@example.com")
User.objects.bulk_create([User(email=email, password=password) for email in emails])
"""
ROWS = "for it in Photo.objects.exclude(status='deleted'): print(f'{it.title}|{it.pk}')"
UNSENT = "from secure_django.models import Mail; print(Mail.objects.count())"
UNDECIDED = "print(Photo.objects.exclude(status='approved').count())"


@dataclass
class Stack:
    """A running site, everything it depends on, and what people saw of it."""

    site: Site
    machine: Machine
    database: PostgreSQL
    redis: "Service"
    storage: "Service"
    cloud: Any
    mailbox: Mailbox
    media: Path
    acknowledged: set[str] = field(default_factory=set)
    seen: Counter[str] = field(default_factory=Counter)
    bare: set[str] = field(default_factory=set)
    end: float = inf

    def count(self, response: Response) -> None:
        """Count a response; an error that is no designed page is kept."""
        status = str(response.status)
        self.seen[status] += 1
        # The mark of a designed page; nginx has such pages too.
        if (
            response.status >= HTTPStatus.BAD_REQUEST
            and "<html lang=" not in response.text
        ):
            self.bare.add(f"{status}: {response.text[:80]}")


@dataclass
class Service:
    """A server process that can be stopped and started again."""

    command: list[str]
    port: int
    log: Path
    stack: ExitStack = field(default_factory=ExitStack)
    process: "subprocess.Popen[bytes] | None" = None

    def start(self) -> None:
        """Start the server, and wait until it listens."""
        self.process = self.stack.enter_context(
            running(self.command, self.port, self.log)
        )

    def stop(self) -> None:
        """End the server."""
        self.stack.close()

    def send(self, number: int) -> None:
        """Send a signal."""
        if self.process:
            self.process.send_signal(number)


class Always(list[Any]):
    """A list of faults that never gets empty."""

    def pop(self, _: Any = 0) -> Any:  # noqa: ANN401
        """Return the fault."""
        return self[0]


@contextmanager
def database_stopped(stack: Stack) -> Iterator[None]:
    """Stop PostgreSQL."""
    stack.database.stop()
    yield
    stack.database.start()


@contextmanager
def redis_stopped(stack: Stack) -> Iterator[None]:
    """Stop the cache that counts attempts."""
    stack.redis.stop()
    yield
    stack.redis.start()


@contextmanager
def storage_silent(stack: Stack) -> Iterator[None]:
    """Let the object storage accept connections and never answer."""
    stack.storage.send(signal.SIGSTOP)
    yield
    stack.storage.send(signal.SIGCONT)


@contextmanager
def mail_refused(stack: Stack) -> Iterator[None]:
    """Close the port of the mail server."""
    mailbox = stack.mailbox
    mailbox.shutdown()
    mailbox.socket.close()
    yield
    mailbox.socket = socket.socket()
    mailbox.allow_reuse_address = True
    mailbox.server_bind()
    mailbox.server_activate()
    Thread(target=mailbox.serve_forever, daemon=True).start()


@contextmanager
def cloudinary_fails(stack: Stack) -> Iterator[None]:
    """Answer every call of Cloudinary's API with an error."""
    stack.cloud.faults = Always(
        [lambda handler: handler.reply(500, {"error": {"message": "down"}})]
    )
    yield
    stack.cloud.faults = []


@contextmanager
def cloudinary_slow(stack: Stack) -> Iterator[None]:
    """Answer every call of Cloudinary's API after eight seconds, with an error."""

    def answer_late(handler: Any) -> None:  # noqa: ANN401
        time.sleep(8)
        with suppress(OSError):
            handler.reply(500, {"error": {"message": "late"}})

    stack.cloud.faults = Always([answer_late])
    yield
    stack.cloud.faults = []


@contextmanager
def repeatedly(seconds: float, act: Callable[[], None]) -> Iterator[None]:
    """Act again and again until the end of the context."""
    done = Event()

    def repeat() -> None:
        while not done.wait(seconds):
            act()

    thread = Thread(target=repeat)
    thread.start()
    yield
    done.set()
    thread.join()


def kill_web_process(stack: Stack) -> None:
    """Kill one of gunicorn's processes."""
    os.kill(stack.site.workers()[0], signal.SIGKILL)


def kill_worker(stack: Stack) -> None:
    """Kill the worker; its supervisor starts it again after a second."""
    machine = stack.machine
    machine.processes[1].kill()
    machine.processes[1].wait()
    time.sleep(1)
    with (machine.folder.parent / "worker.log").open("ab") as log:
        machine.processes[1] = subprocess.Popen(
            [sys.executable, *WORKER],
            cwd=machine.folder,
            env=os.environ | stack.site.environment,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


@contextmanager
def disk_full(stack: Stack) -> Iterator[None]:
    """Fill the file system of the photos."""
    filler = stack.media / "filler"
    with filler.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(65536))
    yield
    filler.unlink()


@contextmanager
def slow_clients(stack: Stack) -> Iterator[None]:
    """Hold connections that send a valid upload at one byte a second."""
    tls = ssl.create_default_context()
    tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
    head = (
        b"POST /photos/upload/ HTTP/1.1\r\n"
        b"Host: localhost\r\nContent-Length: 1000000\r\n"
    )
    clients = []
    for _ in range(SLOW_CLIENTS):
        client = tls.wrap_socket(
            socket.create_connection(("127.0.0.1", stack.site.port), timeout=20)
        )
        client.sendall(
            head + b"Content-Type: multipart/form-data; boundary=x\r\n\r\n--x\r\n"
        )
        clients.append(client)

    def send() -> None:
        for client in clients:
            with suppress(OSError):  # the proxy gave up
                client.send(b"a")

    with repeatedly(1, send):
        yield
    for client in clients:
        client.close()


FAULTS: dict[
    str, tuple[str, Callable[[Stack], contextlib.AbstractContextManager[None]]]
] = {
    "none": ("folder", lambda _: contextlib.nullcontext()),
    "database stopped": ("folder", database_stopped),
    "web process killed every 8 s": (
        "folder",
        lambda stack: repeatedly(KILL_EVERY_SECONDS, partial(kill_web_process, stack)),
    ),
    "worker killed every 8 s": (
        "folder",
        lambda stack: repeatedly(KILL_EVERY_SECONDS, partial(kill_worker, stack)),
    ),
    "Redis stopped": ("folder", redis_stopped),
    "disk full": ("small disk", disk_full),
    "object storage silent": ("bucket", storage_silent),
    "mail server down": ("folder", mail_refused),
    "Cloudinary fails": ("folder", cloudinary_fails),
    "Cloudinary slow": ("folder", cloudinary_slow),
    "500 slow clients": ("folder", slow_clients),
}


@contextmanager
def small_disk(folder: Path) -> Iterator[None]:
    """Mount a file system of 64 MiB, for root."""
    run(folder, "mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", str(folder))
    try:
        yield
    finally:
        run(folder.parent, "umount", "--lazy", str(folder))


@contextmanager
def served(kind: str) -> Iterator[Stack]:
    """Serve a fresh project with photos in a folder, on a small disk or in a bucket."""
    with ExitStack() as stack:
        source = stack.enter_context(
            generated(WITH_GALLERY | {"cloudinary_moderation": True})
        )
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        media = folder / "machine" / "media"
        media.mkdir(parents=True)
        if kind == "small disk":
            stack.enter_context(small_disk(media))
        database = stack.enter_context(running_postgresql())
        port = free_port()
        redis = Service(
            ["redis-server", "--bind", "127.0.0.1", "--port", str(port), "--save", ""],
            port,
            folder / "r",
        )
        port = free_port()
        storage = Service(
            [sys.executable, "-m", "moto.server", "-p", str(port)], port, folder / "s"
        )
        for service in (redis, storage):
            service.start()
            stack.callback(service.stop)
        cloud = stack.enter_context(stub.Cloud())
        cloud.moderation = stub.moderation("approved", "approved")
        mailbox = stack.enter_context(Mailbox())
        Thread(target=mailbox.serve_forever, daemon=True).start()
        environment = production(source) | {
            "ALLOWED_HOSTS": "localhost",
            "DATABASE_URL": database.create_database(),
            "CACHE_URL": f"redis://127.0.0.1:{redis.port}",
            "CLOUDINARY_URL": cloud.cloudinary_url,
            "EMAIL_URL": f"smtp://127.0.0.1:{mailbox.server_address[1]}",
            "MEDIA_ROOT": str(media),
            "TRUSTED_PROXY_COUNT": "1",
            "UPLOADS_PER_HOUR": "100000",
            "UPLOAD_DECODE_SECONDS": "1000000",
        }
        if kind == "bucket":
            fetch(f"http://127.0.0.1:{storage.port}/photos", "PUT")
            environment["STORAGE_URL"] = (
                f"s3://key:secret@127.0.0.1:{storage.port}/photos?region=us-east-1"
            )
        run(
            source,
            sys.executable,
            "manage.py",
            "shell",
            "-v0",
            "--command",
            PREPARE + USERS,
            **environment,
        )
        machine = start_machine(source, folder / "machine", environment)
        stack.enter_context(closing(machine))
        certificate, tls = issue_certificate(folder)
        port = stack.enter_context(proxy(folder, certificate, source, [machine.port]))
        log = folder / "machine" / "server.log"
        site = Site(
            source,
            f"https://localhost:{port}",
            environment,
            tls,
            machine.processes[0],
            log,
        )
        yield Stack(site, machine, database, redis, storage, cloud, mailbox, media)


def ask(stack: Stack, request: Callable[[], Response]) -> int:
    """Return the status of a response, or 0 if the connection broke."""
    try:
        response = request()
    except (OSError, HTTPException) as error:
        stack.seen[type(error).__name__] += 1
        return 0
    stack.count(response)
    return response.status


def log_in(stack: Stack, people: int) -> list[Visitor]:
    """Return visitors with accounts.

    They log in one by one, since an IP address may try ten passwords at once.
    """
    return [
        stack.site.visitor(f"uploader{number}@example.com") for number in range(people)
    ]


def upload(
    stack: Stack,
    number: int,
    visitor: Visitor,
    images: list[bytes],
    more: Callable[[], bool],
) -> None:
    """Upload photos under titles of their own.

    Send each one again until it is in, or until the end.
    """
    token = visitor.token("/photos/upload/")
    for photo in count():
        if not more():
            return
        title = f"{number} {photo}"
        image = images[photo % len(images)]
        while (
            status := ask(
                stack, partial(visitor.upload, image, title=title, token=token)
            )
        ) != HTTPStatus.FOUND:
            # Logged out, since the session could not be read.
            if status in {HTTPStatus.OK, HTTPStatus.FORBIDDEN}:
                with suppress(AssertionError, OSError, HTTPException):
                    visitor = stack.site.visitor(f"uploader{number}@example.com")
                    token = visitor.token("/photos/upload/")
            if time.monotonic() > stack.end:
                return
            time.sleep(1)
        stack.acknowledged.add(title)


def visit(stack: Stack, number: int, more: Callable[[], bool]) -> None:
    """Look at the gallery; now and then, ask for its own account's password reset."""
    visitor: Visitor = stack.site.visitor()
    for step in count():
        if not more():
            return
        ask(stack, partial(visitor.get, "/"))
        if step % 100 == 50:  # noqa: PLR2004
            with suppress(AssertionError, OSError, HTTPException):
                ask(
                    stack,
                    partial(
                        visitor.post, RESET, {"email": f"visitor{number}@example.com"}
                    ),
                )
        time.sleep(0.05)


def recover(stack: Stack, image: bytes) -> float:
    """Return the seconds until the site is ready, shows photos and accepts a photo."""
    started = time.monotonic()
    while time.monotonic() < started + 60:
        with suppress(AssertionError, OSError, HTTPException):
            visitor = stack.site.visitor("probe@example.com")
            answers = [
                visitor.get("/health/ready/"),
                visitor.get("/"),
                visitor.upload(image, title="probe"),
            ]
            if [answer.status for answer in answers] == [200, 200, 302]:
                stack.acknowledged.add("probe")
                break
        time.sleep(0.2)
    return time.monotonic() - started


def stored(stack: Stack) -> Counter[str]:
    """Return the number of files by photo."""
    if url := stack.site.environment.get("STORAGE_URL"):
        parts = urlsplit(url)
        found, marker = Counter[str](), ""
        while True:
            address = (
                f"http://127.0.0.1:{parts.port}/photos?max-keys=1000&marker={marker}"
            )
            keys = re.findall(r"<Key>(.+?)</Key>", fetch(address).read().decode())
            found.update(key.rpartition("/")[2][:36] for key in keys)
            if len(keys) < 1000:  # noqa: PLR2004
                return found
            marker = keys[-1]
    return Counter(path.name[:36] for path in stack.media.rglob("*.jpg"))


def describe(stack: Stack) -> list[object]:
    """Wait for the worker, and return what is left of the acknowledged photos."""
    # What a killed worker had claimed waits for some minutes, which end now.
    stack.site.python(
        "from secure_django.models import Mail; "
        "[it.objects.update(claimed_until=None) for it in (Asset, Mail)]"
    )
    undecided, unsent = (
        partial(stack.site.python, UNDECIDED),
        partial(stack.site.python, UNSENT),
    )
    for left, what in ((undecided, "not published"), (unsent, "not sent")):
        with suppress(AssertionError):
            wait_until(lambda left=left: left().strip() == "0", what, 120)  # type: ignore[misc]
    titles = [line.split("|") for line in stack.site.python(ROWS).splitlines()]
    rows, files = Counter(title for title, _ in titles), stored(stack)
    lost = len(stack.acknowledged - set(rows))
    doubled = sum(
        number - 1 for title, number in rows.items() if title in stack.acknowledged
    )
    bare = sum(files[key] != 2 for _, key in titles)  # noqa: PLR2004 - two variants
    orphaned = len(set(files) - {key for _, key in titles})
    answers = ", ".join(
        f"{status}: {number}" for status, number in stack.seen.most_common()
    )
    found = [
        len(stack.acknowledged),
        lost,
        doubled,
        bare,
        orphaned,
        undecided().strip(),
        answers,
        len(stack.bare),
    ]
    return [*found, int(unsent())]


def measure(name: str) -> list[object]:
    """Break one thing while people upload, and return a row of the table."""
    kind, fault = FAULTS[name]
    images = [encode(landscape(number, (640, 480))) for number in range(8)]
    with served(kind) as stack, ThreadPoolExecutor(UPLOADERS + VISITORS) as threads:
        visitors = log_in(stack, UPLOADERS)
        stack.end = time.monotonic() + SECONDS + 10
        more = lambda: time.monotonic() < stack.end  # noqa: E731
        people = [
            threads.submit(upload, stack, it, visitor, images, more)
            for it, visitor in enumerate(visitors)
        ]
        people += [
            threads.submit(visit, stack, number, more) for number in range(VISITORS)
        ]
        time.sleep(5)
        with fault(stack):
            time.sleep(SECONDS)
        recovery = recover(stack, images[0])
        for person in people:
            person.result()
        for answer in stack.bare:
            print("not designed:", answer, file=sys.stderr)
        return [name, *describe(stack), recovery]


def measure_photos(name: str, *, kill: bool) -> list[object]:
    """Upload photos as phones make them, and return a row of the table."""
    images = [
        encode(landscape(number, (4000, 3000), 0.2), quality=90) for number in range(4)
    ]
    print(
        "sizes in MiB:",
        [round(len(image) / 1024**2, 1) for image in images],
        file=sys.stderr,
    )
    with served("folder") as stack, ThreadPoolExecutor(PEOPLE) as threads:
        visitors, left = log_in(stack, PEOPLE), count(PHOTOS, -1)
        killing = (
            repeatedly(KILL_EVERY_SECONDS, partial(kill_web_process, stack))
            if kill
            else contextlib.nullcontext()
        )
        started = time.monotonic()
        with killing:
            more = lambda: next(left) > 0  # noqa: E731
            people = [
                threads.submit(upload, stack, *it, images, more)
                for it in enumerate(visitors)
            ]
            for person in people:
                person.result()
        print(
            f"{len(stack.acknowledged) / (time.monotonic() - started):.1f} "
            "photos a second",
            file=sys.stderr,
        )
        return [name, *describe(stack), recover(stack, images[0])]


def main(words: list[str]) -> None:
    """Print a row for each fault; exit with an error if one lost something.

    Arguments select faults by their start.
    """
    require_packages("nginx", "postgresql", "redis-server")
    header = [
        "fault",
        "acknowledged",
        "lost",
        "doubled",
        "without files",
        "files without a row",
        "undecided",
    ]
    header += [
        "answers",
        "kinds of error without a page",
        "emails left",
        "recovered after, s",
    ]
    measurements: dict[str, Callable[[], list[object]]] = {
        name: partial(measure, name) for name in FAULTS
    }
    text = f"{PHOTOS:,} photos of a phone, {PEOPLE} people"
    measurements[text] = partial(measure_photos, text, kill=False)
    measurements[f"{text}, web process killed every 8 s"] = partial(
        measure_photos, f"{text}, killed", kill=True
    )
    if sys.platform != "linux" or os.geteuid():
        sys.exit("This needs Linux, and root for a small disk.")
    rows, failed = [], False
    for name, take in measurements.items():
        if words and not any(name.startswith(word) for word in words):
            continue
        rows.append(take())
        print(*rows[-1], sep="  ", file=sys.stderr, flush=True)
        failed |= (
            any(rows[-1][2:5])
            or any(rows[-1][8:10])
            or float(str(rows[-1][10])) > RECOVERY_SECONDS
        )
    print_table(header, rows)
    if failed:
        sys.exit(1)


if __name__ == "__main__":
    main(sys.argv[1:])
