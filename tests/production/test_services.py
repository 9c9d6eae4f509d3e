"""Object storage and Redis, each with a real server of the project."""

import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.baking import ALL_OFF, WITH_GALLERY, Project, production, run
from tests.support.images import encode, landscape
from tests.support.live import OTHER_USER, OWNER, PAGE_OF_PHOTO, Site, serve
from tests.support.services import Buckets, fetch, wait_until

pytestmark = [
    pytest.mark.tier("whole"),
    pytest.mark.skipif(
        sys.platform == "win32", reason="gunicorn does not run on Windows"
    ),
]

PHOTO = encode(landscape(1, (320, 240)))
SWEEP = """
from datetime import timedelta
from django.utils import timezone
from secure_django.photos import jobs
later = timezone.now() + timedelta(hours=1)
jobs.hour_ago = lambda: later
for number in range(256):
    jobs.delete_orphaned_files(f"{number:02x}")
"""


def log_lines(site: Site) -> list[dict[str, Any]]:
    """Return the JSON lines of the server's log."""
    return [
        json.loads(line)
        for line in site.log.read_text(encoding="utf-8").splitlines()
        if line.startswith("{")
    ]


def stored(storage_url: str) -> list[str]:
    """Return the names of all files in a bucket."""
    _, _, address = storage_url.partition("@")
    body = fetch(f"http://{address.partition('?')[0]}?list-type=2").read().decode()
    return re.findall(r"<Key>(.+?)</Key>", body)


def test_photos_live_and_end_in_a_private_bucket(
    project: Project, buckets: Buckets
) -> None:
    storage_url = buckets()
    with serve(project(WITH_GALLERY), STORAGE_URL=storage_url) as site:
        owner = site.visitor(OWNER)
        assert owner.upload(PHOTO, title="Harbor").status == 302
        assert not Path(site.environment["MEDIA_ROOT"]).exists()
        display, thumbnail = stored(storage_url)
        file_url = f"/photos/{Path(display).name[:36]}/display/"

        link = owner.get(file_url)
        assert (link.status, link.headers["Cache-Control"]) == (302, "no-store")
        assert link.location.startswith(
            storage_url.replace("s3://key:a%2Fsecret@", "http://").partition("?")[0]
        )
        assert "X-Amz-Expires=60&" in link.location
        file = fetch(link.location)
        assert (file.status, file.headers["Content-Type"]) == (200, "image/jpeg")
        assert file.read().startswith(b"\xff\xd8")
        grants = fetch(link.location.partition("?")[0] + "?acl").read().decode()
        assert "AllUsers" not in grants
        (images,) = re.findall(
            r"img-src (.+?);", owner.get("/").headers["Content-Security-Policy"]
        )
        assert images == f"'self' {link.location.partition(display)[0]}"
        for person in (site.visitor(), site.visitor(OTHER_USER)):
            hidden = person.get(file_url)
            assert (hidden.status, hidden.location) == (404, "")

        # Orphaned files of an interrupted upload, and the files of a deleted photo.
        site.python("Photo.objects.all().delete()")
        site.manage("worker", "--once")
        assert len(stored(storage_url)) == 2  # they are new
        site.python(SWEEP)
        assert stored(storage_url) == []
        assert thumbnail.endswith("-thumbnail.jpg")
        assert owner.upload(PHOTO, title="Harbor").status == 302
        (page,) = PAGE_OF_PHOTO.findall(owner.get("/photos/mine/").text)
        assert owner.post(f"{page}delete/", {}, page=page).status == 302
        site.manage("worker", "--once")
        assert stored(storage_url) == []


def test_missing_bucket_is_named_by_readiness(
    project: Project, buckets: Buckets
) -> None:
    storage_url = buckets().replace("/photos-", "/missing-")
    with serve(project(WITH_GALLERY), STORAGE_URL=storage_url) as site:
        ready = site.visitor().get("/health/ready/")
        assert (ready.status, ready.text) == (503, "not ready")
        (line,) = [it for it in log_lines(site) if it["event"] == "not ready: storage"][
            :1
        ]
        assert (line["request_id"], line["error"]) == (
            ready.headers["X-Request-ID"],
            "NoSuchBucket",
        )
        # The site answers as before, except to uploads.
        assert site.visitor().get("/").status == 200
        assert site.visitor(OWNER).upload(PHOTO).status == 500
        assert site.python("print(Photo.objects.count())").strip() == "0"
        assert "a/secret" not in site.log.read_text(encoding="utf-8")


def test_keys_come_from_the_url_or_the_machines_role(project: Project) -> None:
    folder = project(ALL_OFF)
    code = (
        "from django.core.files.storage import default_storage; "
        "print(default_storage.url('photo.jpg'))"
    )
    # A role's variables, as containers of AWS have them. A key in the URL must not be
    # mixed with them.
    role = {
        "AWS_ACCESS_KEY_ID": "rolekey",
        "AWS_SECRET_ACCESS_KEY": "rolesecret",
        "AWS_SESSION_TOKEN": "roletoken",
    }
    for key, expected, mixed in (("", "rolekey", False), ("own:secret@", "own", True)):
        environment = (
            production(folder)
            | role
            | {"STORAGE_URL": f"s3://{key}s3.example.com/photos?region=eu-west-1"}
        )
        *_, url = run(
            folder,
            sys.executable,
            "manage.py",
            "shell",
            "-v0",
            "--command",
            code,
            **environment,
        ).splitlines()
        assert url.startswith("https://s3.example.com/photos/photo.jpg?")
        assert f"Credential={expected}%2F" in url
        assert ("roletoken" in url) is not mixed


def test_collected_files_are_readable_and_photos_are_not(project: Project) -> None:
    with serve(project(WITH_GALLERY)) as site:
        assert site.visitor(OWNER).upload(PHOTO).status == 302
        modes = {
            name: {
                path.stat().st_mode & 0o777
                for path in Path(folder).rglob("*")
                if path.is_file()
            }
            for name, folder in (
                ("static", site.project / "staticfiles"),
                ("media", site.environment["MEDIA_ROOT"]),
            )
        }
        assert modes["media"] == {0o600}
        assert all(mode & 0o044 == 0o044 for mode in modes["static"])
        assert site.visitor().get("/health/ready/").status == 200


def test_lost_manifest_is_named_by_readiness(project: Project) -> None:
    with serve(project(ALL_OFF)) as site:
        assert site.visitor().get("/health/ready/").status == 200
        (site.project / "staticfiles" / "staticfiles.json").unlink()
        (worker,) = site.workers()
        # A worker reads the manifest when it starts.
        run(site.project, "kill", "-TERM", str(worker))
        wait_until(lambda: site.workers() not in ([], [worker]), "no new worker")
        assert site.visitor().get("/health/ready/").status == 503
        assert '"not ready: static files"' in site.log.read_text(encoding="utf-8")


def test_missing_extra_stops_the_start(project: Project) -> None:
    folder = project(ALL_OFF)
    # Modules that cannot be found, as without the extras.
    hide = "import sys; sys.modules.update(dict.fromkeys(['redis', 'storages']))\n"
    manage = folder / "manage.py"
    manage.write_text(hide + manage.read_text(encoding="utf-8"), encoding="utf-8")
    environment = production(folder) | {
        "CACHE_URL": "redis://localhost",
        "STORAGE_URL": "s3://localhost/photos?region=eu",
    }
    with pytest.raises(AssertionError) as stopped:
        run(folder, sys.executable, "manage.py", "check", **environment)
    _, _, output = str(stopped.value).partition("\n")
    assert output.count("uv sync --all-extras") == 2
