"""Attack the upload form with the slowest images known, and measure what visitors and honest users notice.

Attackers ignore Retry-After; each of their connections sends as fast as 100 Mbit/s allow. Honest users obey it.
The server has its defaults: two processes of four threads. Attackers, honest users and visitors share its machine.
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
from http.client import HTTPConnection
from itertools import chain, cycle
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Event
from pathlib import Path
from ssl import create_default_context
from typing import Any, ClassVar

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
SECONDS = 30
# Of one connection of an attacker. Without a limit, the loopback interface would be what is measured.
BYTES_PER_SECOND = 100_000_000 / 8
# Of a person who was refused without being told when to try again.
RETRY_SECONDS = 5
# By connections and accounts, with the time in which nine of ten photos must be in, in seconds.
ATTACKS = {(8, 1): 60, (16, 1): 60, (8, 8): 180, (16, 8): 180}
HONEST, PHOTOS = 5, 2
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
USERS = f"""
from django.contrib.auth.hashers import make_password
from gallery.apps import GALLERY
from uploads.images import validate_and_reencode
from uploads.tests.photos import create_photo
password = make_password("{PASSWORD}")
for kind, count in (("attacker", 8), ("honest", {HONEST})):
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

    own_headers: ClassVar[dict[str, str]] = {"X-Forwarded-Proto": "https", "X-Forwarded-For": "192.0.2.1"}

    def connection(self) -> HTTPConnection:
        """Return a new connection to the server behind the proxy."""
        return HTTPConnection("localhost", self.site.port, timeout=60)


def log_in(site: Site, email: str) -> Visitor:
    """Return a visitor who is logged in."""
    visitor = PlainVisitor(site)
    response = visitor.post("/accounts/login/", {"login": email, "password": PASSWORD})
    if response.status != ACCEPTED:
        raise RuntimeError(response.text)
    return visitor


def form(token: str, name: str, content: bytes) -> bytes:
    """Return the body of an upload."""
    fields = {"csrfmiddlewaretoken": token, "title": "Attack"}
    parts = [f'Content-Disposition: form-data; name="{key}"\r\n\r\n{text}'.encode() for key, text in fields.items()]
    parts.append(f'Content-Disposition: form-data; name="image"; filename="{name}"\r\n\r\n'.encode() + content)
    return b"".join(b"--x\r\n" + part + b"\r\n" for part in parts) + b"--x--\r\n"


def attack(site: Site, folder: Path, shape: tuple[int, int], events: tuple[Event, Event], results: Results) -> None:
    """Send the files from all connections until `done`, and report the number of each status."""
    (connections, accounts), (ready, done) = shape, events
    files = [(path.name, path.read_bytes()) for path in sorted(folder.iterdir())]
    visitors = [log_in(site, f"attacker{number}@example.com") for number in range(accounts)]
    # Made in advance, since attackers do not share the server's processors.
    bodies = [[form(visitor.token("/photos/upload/"), *file) for file in files] for visitor in visitors]
    ready.set()

    def send(number: int) -> Counter[str]:
        statuses: Counter[str] = Counter()
        first, due = number % len(files), 0.0
        for body in cycle(bodies[number % accounts][first:] + bodies[number % accounts][:first]):
            if done.wait(max(0.0, due - time.monotonic())):
                break
            due = time.monotonic() + len(body) / BYTES_PER_SECOND
            try:
                headers = {"Content-Type": "multipart/form-data; boundary=x"}
                response = visitors[number % accounts].request("POST", "/photos/upload/", body, headers)
            except OSError as error:
                statuses[type(error).__name__] += 1
            else:
                statuses[str(response.status)] += 1
        return statuses

    with ThreadPoolExecutor(connections) as threads:
        results.put(sum(threads.map(send, range(connections)), Counter()))


def upload_honestly(site: Site, photo: bytes, deadline: float, results: Results) -> None:
    """Upload photos from several accounts, wait as the server says, and report how long each photo took."""
    refused: Counter[int] = Counter()

    def send(number: int) -> list[float]:
        visitor = log_in(site, f"honest{number}@example.com")
        token, taken = visitor.token("/photos/upload/"), []
        started = time.monotonic()
        for _ in range(PHOTOS):
            while (response := visitor.upload(photo, token=token)).status != ACCEPTED and time.monotonic() < deadline:
                refused[response.status] += 1
                time.sleep(float(response.headers.get("Retry-After", RETRY_SECONDS)))
            if response.status == ACCEPTED:
                taken.append(time.monotonic() - started)
        return taken

    with ThreadPoolExecutor(HONEST) as threads:
        results.put((sorted(chain.from_iterable(threads.map(send, range(HONEST)))), refused))


def visit(site: Site, seconds: float, results: Results) -> None:
    """Load the gallery again and again; report the milliseconds that each took, and answers other than 200."""
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
    """Keep the highest peaks of the memory of the workers and of their decoders, in MiB."""
    while not done.is_set():
        for worker in workers:
            peaks["worker"] = max(peaks.get("worker", 0), megabytes(worker, "VmHWM"))
            for task in Path(f"/proc/{worker}/task").iterdir():
                try:
                    for child in (task / "children").read_text(encoding="ascii").split():
                        peaks["decoder"] = max(peaks.get("decoder", 0), megabytes(int(child), "VmHWM"))
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
        run(project, sys.executable, "manage.py", "shell", "-v0", "--command", setup, **environment)
        log = project / "server.log"
        with gunicorn(project, environment, log) as (server, port):
            time.sleep(3)
            yield Site(project, f"https://localhost:{port}", environment, create_default_context(), server, log)


def measure(shape: tuple[int, int], limit: int, folder: Path) -> list[object]:
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
        watcher = threading.Thread(target=watch_memory, args=(site.workers(), done, peaks))
        watcher.start()
        started = time.monotonic()
        helpers = [
            fork.Process(target=visit, args=(site, SECONDS, queues[0])),
            fork.Process(target=upload_honestly, args=(site, photo, started + limit, queues[2])),
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
        "{} connections, {} accounts".format(*shape),
        statistics.median(resting),
        statistics.quantiles(resting, n=100)[98],
        statistics.median(times),
        statistics.quantiles(times, n=100)[98],
        others,
        f"{sum(second <= limit for second in taken)} of {HONEST * PHOTOS}",
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
    header = ["attack", "gallery at rest, p50 ms", "p99 ms", "under attack, p50 ms", "p99 ms", "other than 200"]
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
        (folder / "photo.jpg").write_bytes(encode(landscape(1, (4000, 3000), 0.25), quality=90))
        (folder / "files").mkdir()
        for name, make in FILES.items():
            (folder / "files" / name).write_bytes(make())
        for shape, limit in ATTACKS.items():
            rows.append(measure(shape, limit, folder))
            print(*rows[-1], sep="  ", file=sys.stderr, flush=True)
    print_table(header, rows)
    honest = min((str(row[6]) for row in rows), key=lambda text: int(text.split()[0]))
    record("attack", p99=round(max(float(str(row[4])) for row in rows)), honest=honest)


if __name__ == "__main__":
    main()
