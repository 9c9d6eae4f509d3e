"""Hostile files through the real form of a real server: refused with the right word, or rebuilt and harmless."""

import json
import os
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from tests.hostile.corpus import FILES, File
from tests.live import OWNER, Site, Visitor

# Of the processor, which other tests don't lengthen; a bomb takes minutes.
SECONDS = 2
# A WebP of 40 million pixels takes 660, the most of all that is let in; a bomb takes gigabytes.
MEGABYTES = 750
SYSTEM_TELLS = Path("/proc/self/clear_refs").exists()


@pytest.fixture(scope="module")
def uploader(site: Site) -> Visitor:
    """Return somebody logged in."""
    return site.visitor(OWNER)


def seconds(pid: int) -> float:
    """Return how long a process has been on a processor."""
    times = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return sum(map(int, times[11:13])) / os.sysconf("SC_CLK_TCK")


def megabytes(pid: int, name: str) -> float:
    """Return a figure of a process' memory."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return int(status.partition(f"{name}:")[2].split()[0]) / 1024


@pytest.fixture
def bounds(site: Site) -> Iterator[None]:
    """Hold what a test costs the server against the bounds, where the system tells it."""
    if not SYSTEM_TELLS:
        yield
        return
    (worker,) = site.workers()
    Path(f"/proc/{worker}/clear_refs").write_text("5", encoding="ascii")
    resting, started = megabytes(worker, "VmRSS"), seconds(worker)
    yield
    assert site.workers() == [worker], "the server's process has died"
    costs = seconds(worker) - started, megabytes(worker, "VmHWM") - resting
    assert costs[0] < SECONDS
    assert costs[1] < MEGABYTES


def stored(site: Site) -> set[Path]:
    """Return every file below the site's media folder."""
    return {path for path in Path(site.environment["MEDIA_ROOT"]).rglob("*") if path.is_file()}


@pytest.mark.usefixtures("bounds")
@pytest.mark.parametrize("file", FILES.values(), ids=FILES)
def test_hostile_file_is_refused_or_rebuilt(file: File, site: Site, uploader: Visitor) -> None:
    content, token, before = file.make(), uploader.token("/photos/upload/"), stored(site)
    logged = site.log.stat().st_size
    answer = uploader.upload(content, file.name, token=token)

    log = site.log.read_bytes()[logged:].decode().splitlines()
    refusals = [line["code"] for line in map(json.loads, log) if line["event"] == "upload_validation"]
    assert refusals == ([file.refused] if file.refused else [])
    new = stored(site) - before
    if file.refused:
        assert answer.status == (413 if file.refused == "too_large" else 200)
        assert not new
    else:
        assert (answer.status, answer.location) == (302, "/photos/mine/")
        assert {path.name for path in new} == {"display.jpg", "thumbnail.jpg"}
        for path in new:
            assert b"HOSTILE-MARKER" not in path.read_bytes()
            assert b"<?php" not in path.read_bytes()
            picture = Image.open(BytesIO(path.read_bytes()))
            assert set(picture.info) <= {"jfif", "jfif_version", "jfif_unit", "jfif_density"}
    assert "HOSTILE-MARKER" not in answer.text
