"""Attack a site as in production: nginx with TLS, gunicorn, PostgreSQL.

Measured is what a member sees who reads a page that nginx does not keep, and how many
photos of honest users get in.

An attack sends the slowest images known, or asks for pages, or logs in, from a number
of connections without a pause. Attackers ignore Retry-After, but for the patient ones.
Each connection that uploads sends as fast as 100 Mbit/s allow. Honest users try as
often as upload.js does. The server has its defaults: two processes of gunicorn's
number of threads. Attackers, honest users and members share its machine. Name kinds of
attack to run only these: `uv run python -m benchmarks.attack pages log-ins`.
"""

import multiprocessing
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
from http.client import HTTPConnection, HTTPException
from itertools import chain, cycle
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlencode

from benchmarks import generated, print_table, require_packages
from tests.support.baking import WITH_GALLERY
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
from tests.support.live import PASSWORD, Site
from tests.support.postgresql import running_postgresql
from tests.support.proxying import Neighbor, serve_behind_nginx
from tests.support.uploads import megabytes

type Results = Queue[Any]

ACCEPTED = 302
RESTING, SECONDS = 20, 60
# Of one connection that uploads. Without a limit, the loopback interface would be what
# is measured.
BYTES_PER_SECOND = 100_000_000 / 8
# As in upload.js.
RETRIES, LONGEST_WAIT = 3, 10
HONEST, PHOTOS = 4, 2
# Of a page under attack, relative to its median at rest.
MOST_P50, MOST_P99 = 5, 20
LOGIN, UPLOAD = "/accounts/login/", "/photos/upload/"


class Attack(NamedTuple):
    """An attack by connections and accounts, and who has a network of their own.

    `are_apart` is about the accounts, and `honest_are_apart` about the honest users.
    """

    name: str
    connections: int = 16
    accounts: int = 16
    kind: str = "uploads"
    are_apart: bool = True
    honest_are_apart: bool = True
    only_accepted: bool = False
    obey: bool = False
    # How many honest photos must be in when the time is over.
    least: int = HONEST * PHOTOS

    def ip_address(self, group: str, number: int) -> str:
        """Return the IP address of an account; each has its network."""
        is_apart = self.honest_are_apart if group == "honest" else self.are_apart
        if not is_apart:
            return "127.0.1.1"
        return f"127.0.{2 + (group == 'honest')}.{number + 1}"


ATTACKS = [
    Attack("one", accounts=1),
    Attack("eight", accounts=8),
    Attack("pages", accounts=8, kind="pages"),
    Attack("log-ins", accounts=8, kind="log-ins"),
    Attack("accounts", only_accepted=True),
    Attack("network", are_apart=False, only_accepted=True),
    # The attackers use no more than honest users do, and there are more of them.
    Attack("patient", only_accepted=True, obey=True, least=6),
    # The site cannot tell the honest users' network from the attackers'.
    Attack(
        "shared",
        are_apart=False,
        honest_are_apart=False,
        only_accepted=True,
        least=6,
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
from gallery.models import Picture
from secure_django.photos.images import validate_and_reencode
from secure_django.testing.photos import create_photo
password = make_password("{PASSWORD}")
for group, count in (("attacker", 16), ("honest", {HONEST}), ("member", 1)):
    for number in range(count):
        User.objects.create(email=f"{{group}}{{number}}@example.com", password=password)
with open("PHOTO", "rb") as file:
    image = validate_and_reencode(file.read())
for number in range(24):
    owner, purpose = User.objects.first(), Picture._meta.get_field("photo").purpose
    photo = create_photo(owner, purpose, image)
    Picture.objects.create(owner=owner, title=photo.title, photo=photo)
Photo.objects.update(status="approved", created_at="2026-01-01T00:00:00Z")
"""


def log_in(site: Site, group: str, number: int, ip_address: str) -> Neighbor:
    """Return a visitor who is logged in."""
    visitor = Neighbor(site, ip_address=ip_address)
    fields = {"login": f"{group}{number}@example.com", "password": PASSWORD}
    response = visitor.post(LOGIN, fields)
    if response.status != ACCEPTED:
        raise RuntimeError(response.text)
    return visitor


class Measured(NamedTuple):
    """What an attack did. Times of pages are in milliseconds, others in seconds."""

    shape: Attack
    resting: list[float]
    attacked: list[float]
    others: int
    uploaded: list[float]
    refused: Counter[int]
    peaks: dict[str, float]
    statuses: Counter[str]

    @property
    def quiet(self) -> float:
        """Return the median of the page at rest."""
        return statistics.median(self.resting)

    @property
    def p50(self) -> float:
        """Return the median under attack, relative to the one at rest."""
        return statistics.median(self.attacked) / self.quiet

    @property
    def p99(self) -> float:
        """Return the 99th percentile under attack, relative to the median at rest."""
        return statistics.quantiles(self.attacked, n=100)[98] / self.quiet

    @property
    def honest(self) -> int:
        """Return how many photos of honest users got in within the time."""
        return sum(second <= SECONDS for second in self.uploaded)

    @property
    def is_within_bounds(self) -> bool:
        """Return whether pages stayed quick, where bounded, and photos got in."""
        is_quick = self.p50 <= MOST_P50 and self.p99 <= MOST_P99
        return self.honest >= self.shape.least and (
            is_quick or self.shape.kind != "uploads"
        )

    def row(self) -> list[object]:
        """Return the row of the table."""
        shape = self.shape
        return [
            f"{shape.name}: {shape.connections} connections, {shape.accounts} accounts",
            self.quiet,
            self.p50,
            self.p99,
            self.others,
            f"{self.honest} of {HONEST * PHOTOS}",
            self.uploaded[-1] if self.uploaded else "",
            describe(self.refused),
            self.peaks["worker"],
            self.peaks.get("decoder", 0.0),
            describe(self.statuses),
        ]


HEADER = [
    "attack",
    "a member's page at rest, p50 ms",
    "p50 under attack, relative to it",
    "p99 under attack, relative to it",
    "answers other than 200",
    "honest photos in",
    "the last after, s",
    "turned away",
    "worker, MiB",
    "decoder, MiB",
    "answers to attackers",
]


def form(token: str, name: str, content: bytes) -> bytes:
    """Return the body of an upload."""
    fields = {"csrfmiddlewaretoken": token, "title": "Attack"}
    parts = [
        f'Content-Disposition: form-data; name="{key}"\r\n\r\n{text}'.encode()
        for key, text in fields.items()
    ]
    parts.append(
        (
            f'Content-Disposition: form-data; name="photo"; filename="{name}"\r\n\r\n'
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
    """Send requests from all connections until `done`; count the answers by status."""
    ready, done = events
    visitors = [
        log_in(site, "attacker", number, shape.ip_address("attacker", number))
        for number in range(shape.accounts)
    ]
    if shape.kind == "uploads":
        send = upload_in_a_loop(folder, shape, visitors, done)
    else:
        send = partial(ask_in_a_loop, shape, visitors, done)
    ready.set()
    with ThreadPoolExecutor(shape.connections) as threads:
        counted = threads.map(send, range(shape.connections))
        results.put(sum(counted, Counter()))


def upload_in_a_loop(
    folder: Path, shape: Attack, visitors: list[Neighbor], done: Event
) -> Callable[[int], Counter[str]]:
    """Return a function that uploads the files of the folder from one connection."""
    names = sorted(ACCEPTED_FILES if shape.only_accepted else FILES)
    files = [(name, (folder / name).read_bytes()) for name in names]
    # Made in advance, since attackers do not share the server's processors.
    bodies = [
        [form(visitor.token(UPLOAD), *file) for file in files] for visitor in visitors
    ]
    headers = {"Content-Type": "multipart/form-data; boundary=x"}

    def send(number: int) -> Counter[str]:
        statuses: Counter[str] = Counter()
        visitor = visitors[number % shape.accounts]
        own = bodies[number % shape.accounts]
        first = number % len(files)
        due = 0.0
        for body in cycle(own[first:] + own[:first]):
            if done.wait(max(0.0, due - time.monotonic())):
                break
            due = time.monotonic() + len(body) / BYTES_PER_SECOND
            try:
                response = visitor.request("POST", UPLOAD, body, headers)
            except (OSError, HTTPException) as error:
                statuses[type(error).__name__] += 1
            else:
                statuses[str(response.status)] += 1
                if shape.obey:
                    due += float(response.headers.get("Retry-After", 0))
        return statuses

    return send


def ask_in_a_loop(
    shape: Attack, visitors: list[Neighbor], done: Event, number: int
) -> Counter[str]:
    """Ask for a member's pages, or log in, from one connection that stays open."""
    visitor = visitors[number % shape.accounts]
    sent = {**visitor.own_headers, "Connection": "keep-alive"}
    sent["Cookie"] = "; ".join(f"{k}={v.value}" for k, v in visitor.cookies.items())
    method, path, body = "GET", "/", b""
    if shape.kind == "log-ins":
        guest = Neighbor(visitor.site, ip_address=visitor.ip_address)
        # Of their own accounts: wrong ones soon cost no more than a page.
        fields = {"csrfmiddlewaretoken": guest.token(LOGIN), "password": PASSWORD}
        fields["login"] = f"attacker{number % shape.accounts}@example.com"
        sent["Cookie"] = "; ".join(f"{k}={v.value}" for k, v in guest.cookies.items())
        sent["Content-Type"] = "application/x-www-form-urlencoded"
        method, path, body = "POST", LOGIN, urlencode(fields).encode()
    statuses: Counter[str] = Counter()
    connection = visitor.connection()
    while not done.is_set():
        try:
            status = answer_status(connection, method, path, body, sent)
        except (OSError, HTTPException) as error:
            statuses[type(error).__name__] += 1
            connection.close()
            connection = visitor.connection()
        else:
            statuses[str(status)] += 1
    connection.close()
    return statuses


def answer_status(
    connection: HTTPConnection,
    method: str,
    path: str,
    body: bytes,
    headers: dict[str, str],
) -> int:
    """Send a request, read the answer to its end, and return its status."""
    connection.request(method, path, body or None, headers)
    with connection.getresponse() as response:
        response.read()
        return response.status


def upload_honestly(site: Site, shape: Attack, photo: bytes, results: Results) -> None:
    """Upload photos from several accounts as upload.js does.

    Report how long after the start each one was in.
    """
    refused: Counter[int] = Counter()
    visitors = [
        log_in(site, "honest", number, shape.ip_address("honest", number))
        for number in range(HONEST)
    ]
    started = time.monotonic()

    def send(visitor: Neighbor) -> list[float]:
        token = visitor.token(UPLOAD)
        taken: list[float] = []
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


def visit(member: Neighbor, seconds: float, results: Results) -> None:
    """Load the gallery as a member until the time is over.

    Report the milliseconds that each page took, and answers other than 200.
    """
    times: list[float] = []
    others = 0
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        started = time.perf_counter()
        try:
            others += member.get("/").status != 200  # noqa: PLR2004
        except (OSError, HTTPException):
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
    with (
        generated(WITH_GALLERY) as project,
        running_postgresql() as database,
        tempfile.TemporaryDirectory() as state,
        serve_behind_nginx(
            project,
            Path(state),
            USERS.replace("PHOTO", str(folder / "photo.jpg")),
            options=(),
            DATABASE_URL=database.create_database(),
        ) as site,
    ):
        yield site


def measure(shape: Attack, folder: Path) -> Measured:
    """Attack a fresh server."""
    fork = multiprocessing.get_context("fork")
    photo = (folder / "photo.jpg").read_bytes()
    with served(folder) as site:
        member = log_in(site, "member", 0, "127.0.4.1")
        # The first requests of each process import modules.
        for _ in range(20):
            member.get("/")
        pages, answers, honest = (fork.Queue() for _ in range(3))
        visit(member, RESTING, pages)
        resting, _ = pages.get()
        ready = fork.Event()
        done = fork.Event()
        arguments = (site, folder / "files", shape, (ready, done), answers)
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
            fork.Process(target=visit, args=(member, SECONDS, pages)),
            fork.Process(target=upload_honestly, args=(site, shape, photo, honest)),
        ]
        for helper in helpers:
            helper.start()
        attacked, others = pages.get()
        uploaded, refused = honest.get()
        time.sleep(max(0.0, started + SECONDS - time.monotonic()))
        done.set()
        statuses = answers.get()
        for process in (attacker, *helpers):
            process.join()
        watcher.join()
    return Measured(
        shape, resting, attacked, others, uploaded, refused, peaks, statuses
    )


def describe(statuses: Counter[Any]) -> str:
    """Return the number of each status."""
    return ", ".join(f"{status}: {count}" for status, count in statuses.most_common())


def main() -> None:
    """Print a row for each attack, and fail if a figure is out of its bounds."""
    require_packages("nginx", "postgresql")
    named = [shape for shape in ATTACKS if shape.name in sys.argv[1:]]
    measured: list[Measured] = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        (folder / "photo.jpg").write_bytes(
            encode(landscape(1, (4000, 3000), 0.25), quality=90)
        )
        (folder / "files").mkdir()
        for name, make in FILES.items():
            (folder / "files" / name).write_bytes(make())
        for shape in named or ATTACKS:
            measured.append(measure(shape, folder))
            print(*measured[-1].row(), sep="  ", file=sys.stderr, flush=True)
    print_table(HEADER, [one.row() for one in measured])
    bad = [one.shape.name for one in measured if not one.is_within_bounds]
    if bad:
        sys.exit(f"Out of bounds: {', '.join(bad)}")


if __name__ == "__main__":
    main()
