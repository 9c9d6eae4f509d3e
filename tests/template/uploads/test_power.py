"""A power failure: what was acknowledged is on the disk, and nothing half is served.

The disk is an ext4 file system in a file. It is shut down without a last write, as by
`godown` of xfstests: what was not written to it is lost, and its journal is replayed
when it is mounted again.
"""

import json
import os
import shutil
import struct
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path
from threading import Event

import pytest
from PIL import Image

from tests.support.baking import ALL_OFF, WITH_GALLERY, Project, run
from tests.support.images import encode, landscape
from tests.support.live import OTHER_USER, OWNER, PATIENT, Visitor, serve
from tests.support.services import wait_until

pytestmark = [
    pytest.mark.tier("whole"),
    pytest.mark.skipif(sys.platform != "linux", reason="ext4 needs Linux"),
]

PHOTOS = 40
# From linux/fs.h and ext4.h: stop at once, without writing the journal.
EXT4_IOC_SHUTDOWN = 0x8004587D
WITHOUT_A_LAST_WRITE = struct.pack("I", 2)
ROWS = """
import json
from secure_django.photos.images import VARIANTS
print(json.dumps([
    [photo.title, str(photo.pk), [
        [photo.path(variant), getattr(photo, f"{variant}_size")]
        for variant in VARIANTS
    ]]
    for photo in Photo.objects.all()
]))
"""


class Disk:
    """A file system of its own, mounted on a folder."""

    def __init__(self, scratch: Path) -> None:
        """Make and mount it, or skip the test."""
        self.image = scratch / "disk"
        self.folder = scratch / "mounted"
        self.folder.mkdir()
        with self.image.open("wb") as file:
            file.truncate(256 * 1024**2)
        subprocess.run(["mkfs.ext4", "-q", "-F", self.image], check=True)
        mounted = self.mount()
        if mounted.returncode:
            pytest.skip(f"this machine mounts no disk: {mounted.stderr.decode()}")

    def mount(self) -> subprocess.CompletedProcess[bytes]:
        """Mount it, which replays its journal."""
        command = ["mount", "-o", "loop", str(self.image), str(self.folder)]
        return subprocess.run(command, check=False, capture_output=True)

    def unmount(self) -> None:
        """Unmount it."""
        subprocess.run(["umount", self.folder], check=True)

    def lose_power(self) -> None:
        """Lose what is not on the disk; from now on, each call fails."""
        import fcntl  # noqa: PLC0415  # not on Windows

        descriptor = os.open(self.folder, os.O_RDONLY)
        try:
            fcntl.ioctl(descriptor, EXT4_IOC_SHUTDOWN, WITHOUT_A_LAST_WRITE)
        finally:
            os.close(descriptor)

    def start_again(self) -> None:
        """Mount it again, after all programs that use it have ended."""
        self.unmount()
        self.mount().check_returncode()


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    """Return a mounted disk."""
    if os.geteuid():
        pytest.skip("only root mounts a disk")
    if not shutil.which("mkfs.ext4"):
        pytest.skip("not installed: mkfs.ext4")
    made = Disk(tmp_path)
    try:
        yield made
    finally:
        made.unmount()


def test_acknowledged_photos_survive_a_power_failure(
    project: Project, disk: Disk
) -> None:
    """Lose power while two users upload, and look at each photo that has a row."""
    folder = project(WITH_GALLERY)
    with (folder / "config" / "wsgi.py").open("a", encoding="utf-8") as file:
        file.write(PATIENT)
    media = disk.folder / "media"
    content = encode(landscape(1), quality=90)
    acknowledged: list[str] = []
    is_over = Event()

    def upload(visitor: Visitor, name: str) -> None:
        token = visitor.token("/photos/upload/")
        for number in count():
            title = f"{name} {number}"
            status = visitor.upload(content, title=title, token=token).status
            if is_over.is_set():
                return
            if status == 302:
                acknowledged.append(title)

    with serve(folder, MEDIA_ROOT=str(media)) as site, ThreadPoolExecutor(2) as threads:
        for email in (OWNER, OTHER_USER):
            threads.submit(upload, site.visitor(email), email)
        try:
            wait_until(lambda: len(acknowledged) >= PHOTOS, "no uploads")
            before = set(acknowledged)
            unsynced = [media / f"unsynced {number}" for number in range(PHOTOS)]
            for path in unsynced:
                path.write_bytes(content)
            disk.lose_power()
        finally:
            is_over.set()
    disk.start_again()
    # The kernel may have written some of them by itself.
    assert not all(is_whole(path, len(content)) for path in unsynced), (
        "the disk has lost nothing, so this test shows nothing"
    )
    rows = json.loads(site.python(ROWS))
    assert {title for title, *_ in rows} >= before
    damaged = [
        title
        for title, _, files in rows
        if not all(is_whole(media / path, size) for path, size in files)
    ]
    assert not damaged, f"{len(damaged)} of {len(rows)}"


def is_whole(path: Path, size: int) -> bool:
    """Return whether a photo's file has its size and can be decoded."""
    if not path.exists() or path.stat().st_size != size:
        return False
    try:
        with Image.open(path) as image:
            image.load()
    except OSError:
        return False
    return True


def test_secrets_survive_a_power_failure(project: Project, disk: Disk) -> None:
    made = disk.folder / "site"
    shutil.copytree(project(ALL_OFF) / "deploy", made / "deploy")
    os.sync()
    run(made, "deploy/make-secrets", EMAIL_URL="submission://a:b@mail.example.com")
    secrets = {path: path.read_bytes() for path in made.rglob("*") if path.is_file()}
    disk.lose_power()
    disk.start_again()
    assert {path: path.read_bytes() for path in made.rglob("*") if path.is_file()} == (
        secrets
    )
