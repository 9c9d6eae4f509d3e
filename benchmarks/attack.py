"""Attack the upload form with the slowest images known.

Measured is what visitors and honest users notice.

Attackers ignore Retry-After, but for the patient ones; each of their connections sends
as fast as 100 Mbit/s allow. Honest users try as often as upload.js does. The server has
its defaults: two processes of four threads. Attackers, honest users and visitors share
its machine. Name kinds of attack to run only these: `uv run python -m benchmarks.attack
accounts network`.
"""

import multiprocessing
import re
import statistics
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from http.client import HTTPConnection
from itertools import chain, cycle
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Event
from pathlib import Path
from ssl import create_default_context
from typing import Any, NamedTuple

from benchmarks import generated, print_table, record
from tests.support.baking import WITH_GALLERY, production, run
from tests.support.corpus import (
    arithmetic,
    chunk,
    drawn,
    in_jpeg,
    in_png,
    large_webp,
    many_scans,
    padded_start,
)
from tests.support.images import encode, landscape
from tests.support.live import PASSWORD, PREPARE, Site, Visitor, gunicorn
from tests.support.uploads import megabytes

type Results = Queue[Any]

ACCEPTED = 302
SECONDS = 60
# Of one connection of an attacker. Without a limit, the loopback interface would be
# what is measured.
BYTES_PER_SECOND = 100_000_000 / 8
# As in upload.js.
RETRIES, LONGEST_WAIT = 3, 10
# In which eight of ten photos of honest users must be in.
LIMIT = 60
HONEST, PHOTOS = 5, 2


class Attack(NamedTuple):
    """An attack by connections and accounts, and who has a network of their own.

    `are_apart` is about the accounts, and `honest_are_apart` about the honest users.
    """

    name: str
    connections: int
    accounts: int
    are_apart: bool = True
    honest_are_apart: bool = True
    only_accepted: bool = False
    obey: bool = False

    def network(self, email: str) -> str:
        """Return the IP address of an account."""
        kind, number = re.fullmatch(r"([a-z]+)(\d+)@.*", email).groups()  # type: ignore[union-attr]
        if kind == "honest":
            return (
                f"198.51.100.{int(number) + 1}"
                if self.honest_are_apart
                else "192.0.2.1"
            )
        return f"192.0.2.{int(number) + 1}" if self.are_apart else "192.0.2.1"


ATTACKS = [
    Attack("one", 8, 1),
    Attack("one", 16, 1),
    Attack("eight", 8, 8),
    Attack("eight", 16, 8),
    Attack("accounts", 16, 16, only_accepted=True),
    Attack("network", 16, 16, are_apart=False, only_accepted=True),
    Attack("patient", 16, 16, only_accepted=True, obey=True),
    Attack(
        "shared", 16, 16, are_apart=False, honest_are_apart=False, only_accepted=True
    ),
]
FILES: dict[str, Callable[[], bytes]] = {
    "arithmetic.jpg": arithmetic,
    "64-scans-cmyk.jpg": partial(many_scans, 64, "CMYK"),
    "64-scans.jpg": partial(many_scans, 64),
    "5000-scans.jpg": partial(many_scans, 5000),
    "segments.jpg": lambda: in_jpeg(*[(0xE5, b"")] * 2_500_000),
    "padding.jpg": partial(padded_start, b"\xff"),
    "noise.webp": large_webp,
    "column.png": lambda: drawn(1, 50_000_000, color=0),
    "chunks.png": lambda: in_png(chunk(b"noTe") * 800_000),
}
# Slow, but photos that the site takes.
ACCEPTED_FILES = {
    "64-scans.jpg",
    "segments.jpg",
    "noise.webp",
    "column.png",
    "chunks.png",
}
USERS = f"""
from django.contrib.auth.hashers import make_password
from gallery.apps import GALLERY
from uploads.images import validate_and_reencode
from uploads.tests.photos import create_photo
password = make_password("{PASSWORD}")
for kind, count in (("attacker", 16), ("honest", {HONEST})):
    for number in range(count):
        User.objects.create(email=f"{{kind}}{{number}}@example.com", password=password)
with open("PHOTO", "rb") as file:
    image = validate_and_reencode(file.read())
for number in range(24):
    create_photo(User.objects.first(), GALLERY, image)
Photo.objects.update(status="approved", created_at="2026-01-01T00:00:00Z")
"""


class PlainVisitor(Visitor):
    """A client that speaks HTTP like a proxy that ends TLS."""

    def __init__(self, site: Site, network: str = "203.0.113.1") -> None:
        """Take the IP address that the proxy saw."""
        super().__init__(site)
        self.own_headers = {"X-Forwarded-Proto": "https", "X-Forwarded-For": network}  # type: ignore[misc]

    def connection(self) -> HTTPConnection:
        """Return a new connection to the server behind the proxy."""
        return HTTPConnection("localhost", self.site.port, timeout=60)


def log_in(site: Site, email: str, shape: Attack) -> Visitor:
    """Return a visitor who is logged in."""
    visitor = PlainVisitor(site, shape.network(email))
    response = visitor.post("/accounts/login/", {"login": email, "password": PASSWORD})
    if response.status != ACCEPTED:
        raise RuntimeError(response.text)
    return visitor


def form(token: str, name: str, content: bytes) -> bytes:
    """Return the body of an upload."""
    fields = {"csrfmiddlewaretoken": token, "title": "Attack"}
    parts = [
        f'Content-Disposition: form-data; name="{key}"\r\n\r\n{text}'.encode()
        for key, text in fields.items()
    ]
    parts.append(
        (
            f'Content-Disposition: form-data; name="image"; filename="{name}"\r\n\r\n'
        ).encode()
        + content
    )
    return b"".join(b"--x\r\n" + part + b"\r\n" for part in parts) + b"--x--\r\n"


def attack(
    site: Site,
    folder: Path,
    shape: Attack,
    events: tuple[Event, Event],
    results: Results,
) -> None:
    """Send the files from all connections until `done`; count the answers by status."""
    connections, accounts, (ready, done) = shape.connections, shape.accounts, events
    names = ACCEPTED_FILES if shape.only_accepted else FILES
    files = [(name, (folder / name).read_bytes()) for name in sorted(names)]
    visitors = [
        log_in(site, f"attacker{number}@example.com", shape)
        for number in range(accounts)
    ]
    # Made in advance, since attackers do not share the server's processors.
    bodies = [
        [form(visitor.token("/photos/upload/"), *file) for file in files]
        for visitor in visitors
    ]
    ready.set()

    def send(number: int) -> Counter[str]:
        statuses: Counter[str] = Counter()
        first, due = number % len(files), 0.0
        for body in cycle(
            bodies[number % accounts][first:] + bodies[number % accounts][:first]
        ):
            if done.wait(max(0.0, due - time.monotonic())):
                break
            due = time.monotonic() + len(body) / BYTES_PER_SECOND
            try:
                headers = {"Content-Type": "multipart/form-data; boundary=x"}
                response = visitors[number % accounts].request(
                    "POST", "/photos/upload/", body, headers
                )
            except OSError as error:
                statuses[type(error).__name__] += 1
            else:
                statuses[str(response.status)] += 1
                if shape.obey:
                    due += float(response.headers.get("Retry-After", 0))
        return statuses

    with ThreadPoolExecutor(connections) as threads:
        results.put(sum(threads.map(send, range(connections)), Counter()))


def upload_honestly(site: Site, shape: Attack, photo: bytes, results: Results) -> None:
    """Upload photos from several accounts as upload.js does.

    Report how long after the start each one was in.
    """
    refused: Counter[int] = Counter()
    visitors = [
        log_in(site, f"honest{number}@example.com", shape) for number in range(HONEST)
    ]
    started = time.monotonic()

    def send(visitor: Visitor) -> list[float]:
        token, taken = visitor.token("/photos/upload/"), []
        for _ in range(PHOTOS):
            for _ in range(1 + RETRIES):
                response = visitor.upload(photo, token=token)
                if response.status == ACCEPTED:
                    taken.append(time.monotonic() - started)
                    break
                refused[response.status] += 1
                wait = float(response.headers.get("Retry-After", 0))
                if not 0 < wait <= LONGEST_WAIT:
                    break
                time.sleep(wait)
        return taken

    with ThreadPoolExecutor(HONEST) as threads:
        results.put((sorted(chain.from_iterable(threads.map(send, visitors))), refused))


def visit(site: Site, seconds: float, results: Results) -> None:
    """Load the gallery until the time is over.

    Report the milliseconds that each page took, and answers other than 200.
    """
    visitor, times, others = PlainVisitor(site), [], 0
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        started = time.perf_counter()
        try:
            others += visitor.get("/").status != 200  # noqa: PLR2004
        except OSError:
            others += 1
        times.append((time.perf_counter() - started) * 1000)
        time.sleep(0.02)
    results.put((times, others))


def watch_memory(workers: list[int], done: Event, peaks: dict[str, float]) -> None:
    """Keep the peaks of the memory of the workers and of their decoders, in MiB."""
    while not done.is_set():
        for worker in workers:
            peaks["worker"] = max(peaks.get("worker", 0), megabytes(worker, "VmHWM"))
            for task in Path(f"/proc/{worker}/task").iterdir():
                try:
                    for child in (
                        (task / "children").read_text(encoding="ascii").split()
                    ):
                        peaks["decoder"] = max(
                            peaks.get("decoder", 0), megabytes(int(child), "VmHWM")
                        )
                except (OSError, IndexError):
                    continue  # the process has ended
        time.sleep(0.02)


@contextmanager
def served(folder: Path) -> Iterator[Site]:
    """Serve a fresh project with a gallery of 24 photos."""
    with generated(WITH_GALLERY) as project:
        environment = production(project) | {
            "ALLOWED_HOSTS": "localhost",
            "MEDIA_ROOT": str(project / "media"),
            "TRUSTED_PROXY_COUNT": "1",
        }
        setup = PREPARE + USERS.replace("PHOTO", str(folder / "photo.jpg"))
        run(
            project,
            sys.executable,
            "manage.py",
            "shell",
            "-v0",
            "--command",
            setup,
            **environment,
        )
        log = project / "server.log"
        with gunicorn(project, environment, log) as (server, port):
            time.sleep(3)
            yield Site(
                project,
                f"https://localhost:{port}",
                environment,
                create_default_context(),
                server,
                log,
            )


def measure(shape: Attack, folder: Path) -> list[object]:
    """Attack a fresh server, and return a row of the table."""
    fork = multiprocessing.get_context("fork")
    photo = (folder / "photo.jpg").read_bytes()
    with served(folder) as site:
        queues: list[Results] = [fork.Queue() for _ in range(3)]
        ready, done = fork.Event(), fork.Event()
        visit(site, 5, queues[0])
        resting, _ = queues[0].get()
        arguments = (site, folder / "files", shape, (ready, done), queues[1])
        attacker = fork.Process(target=attack, args=arguments)
        attacker.start()
        ready.wait()
        peaks: dict[str, float] = {}
        watcher = threading.Thread(
            target=watch_memory, args=(site.workers(), done, peaks)
        )
        watcher.start()
        started = time.monotonic()
        helpers = [
            fork.Process(target=visit, args=(site, SECONDS, queues[0])),
            fork.Process(target=upload_honestly, args=(site, shape, photo, queues[2])),
        ]
        for helper in helpers:
            helper.start()
        (times, others), (taken, refused) = queues[0].get(), queues[2].get()
        time.sleep(max(0.0, started + SECONDS - time.monotonic()))
        done.set()
        statuses = queues[1].get()
        for process in (attacker, *helpers):
            process.join()
        watcher.join()
    return [
        f"{shape.name}: {shape.connections} connections, {shape.accounts} accounts",
        statistics.median(resting),
        statistics.quantiles(resting, n=100)[98],
        statistics.median(times),
        statistics.quantiles(times, n=100)[98],
        others,
        f"{sum(second <= LIMIT for second in taken)} of {HONEST * PHOTOS}",
        taken[-1] if taken else "",
        describe(refused),
        peaks["worker"],
        peaks["decoder"],
        describe(statuses),
    ]


def describe(statuses: Counter[Any]) -> str:
    """Return the number of each status."""
    return ", ".join(f"{status}: {count}" for status, count in statuses.most_common())


def main() -> None:
    """Print a row for each attack."""
    header = [
        "attack",
        "gallery at rest, p50 ms",
        "p99 ms",
        "under attack, p50 ms",
        "p99 ms",
        "other than 200",
    ]
    header += [
        "honest photos in",
        "the last after, s",
        "turned away",
        "worker, MiB",
        "decoder, MiB",
        "answers to attackers",
    ]
    rows = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        (folder / "photo.jpg").write_bytes(
            encode(landscape(1, (4000, 3000), 0.25), quality=90)
        )
        (folder / "files").mkdir()
        for name, make in FILES.items():
            (folder / "files" / name).write_bytes(make())
        for shape in ATTACKS:
            if not sys.argv[1:] or shape.name in sys.argv[1:]:
                rows.append(measure(shape, folder))
                print(*rows[-1], sep="  ", file=sys.stderr, flush=True)
    print_table(header, rows)
    honest = min((str(row[6]) for row in rows), key=lambda text: int(text.split()[0]))
    record("attack", p99=round(max(float(str(row[4])) for row in rows)), honest=honest)


if __name__ == "__main__":
    main()
