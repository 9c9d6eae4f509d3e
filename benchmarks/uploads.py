"""Uploads per second by 20 people, compared with Pillow on all cores.

Pillow does the images alone, in the same run. The stack is that of `faults`, with
nothing broken: nginx, gunicorn and a worker as generated, PostgreSQL and Redis.
"""

import os
import statistics
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial
from http import HTTPStatus

from benchmarks import print_table, require_packages
from benchmarks.faults import PEOPLE, log_in, served
from benchmarks.image_processing import pillow_alone
from tests.support.images import encode, landscape
from tests.support.live import Visitor

ROUNDS, SECONDS = 3, 20
# 2.6 MiB each, as phones make them.
IMAGES = [
    encode(landscape(number, (4000, 3000), 0.2), quality=90) for number in range(4)
]


def upload_until(deadline: float, visitor: Visitor) -> int:
    """Upload photos one after the other, and return their number.

    A busy site says when to try again.
    """
    token, uploaded = visitor.token("/photos/upload/"), 0
    while time.monotonic() < deadline:
        response = visitor.upload(
            IMAGES[uploaded % len(IMAGES)], title=f"{uploaded}", token=token
        )
        if response.status == HTTPStatus.FOUND:
            uploaded += 1
        elif response.status == HTTPStatus.SERVICE_UNAVAILABLE:
            time.sleep(int(response.headers["Retry-After"]))
        else:
            raise RuntimeError(response.text)
    return uploaded


def decode_until(deadline: float, number: int) -> int:
    """Let Pillow do images one after the other, and return their number."""
    done = 0
    while time.monotonic() < deadline:
        pillow_alone(IMAGES[(number + done) % len(IMAGES)])
        done += 1
    return done


def main() -> None:
    """Alternate between both, and print the medians with their ratio."""
    require_packages("nginx", "postgresql", "redis-server")
    uploads, alone = [], []
    cores = os.cpu_count() or 1
    with (
        served("folder") as stack,
        ThreadPoolExecutor(PEOPLE) as threads,
        ProcessPoolExecutor(cores) as processes,
    ):
        visitors = log_in(stack, PEOPLE)
        for _ in range(ROUNDS):
            started = time.monotonic()
            done = sum(threads.map(partial(upload_until, started + SECONDS), visitors))
            uploads.append(done / (time.monotonic() - started))
            started = time.monotonic()
            done = sum(
                processes.map(partial(decode_until, started + SECONDS), range(cores))
            )
            alone.append(done / (time.monotonic() - started))
    site, pillow = statistics.median(uploads), statistics.median(alone)
    print_table(
        [
            f"median of {ROUNDS} times {SECONDS} seconds",
            "photos per second",
            "of Pillow alone",
        ],
        [
            [f"uploads by {PEOPLE} people", site, site / pillow],
            [f"Pillow alone on {cores} cores", pillow, 1.0],
        ],
    )


if __name__ == "__main__":
    main()
