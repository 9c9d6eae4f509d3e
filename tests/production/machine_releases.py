"""deploy/release on its own machine, while visitors load pages and upload photos."""

import http.client
import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread
from typing import NamedTuple

from tests.support.baking import commit, run
from tests.support.images import encode, landscape
from tests.support.live import ADMIN, Response, Site, Visitor
from tests.support.machine import Machine, push
from tests.support.releases import VENDOR
from tests.support.services import wait_until

# The project's copy of the package, which a release of the template replaces.
PACKAGE = f"{VENDOR}/src/secure_django"
LABEL = "secure_django_photos"
ADD = """\
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("secure_django_photos", "{before}")]
    operations = [
        migrations.AddField(
            "photo", "{name}", models.CharField(max_length=9, {default}="")
        )
    ]
"""
FAIL = """\
from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("secure_django_photos", "0002_shelf")]
    operations = [migrations.RunSQL("SELECT 1 / 0")]
"""
MODEL = (
    "    title = models.CharField("
    "max_length=120, blank=True, validators=[validate_one_line])\n"
)
# Given up is a release that … : a file, the end of it, and what the command says.
BROKEN = {
    "has a URL without a view": (
        "config/urls.py",
        "urlpatterns += [path('x/', views.nothing)]\n",
        "A check fails.",
    ),
    "does not load": (
        "config/wsgi.py",
        "raise RuntimeError\n",
        "It does not load.",
    ),
    # systemd gives this variable to services only.
    "does not start": (
        "config/wsgi.py",
        "assert 'INVOCATION_ID' not in os.environ\n",
        "It does not become ready",
    ),
    "is never ready": (
        f"{PACKAGE}/web/health.py",
        "SERVICES['never'] = lambda: 1 / 0\n",
        "It does not become ready",
    ),
    "has no page": (
        "templates/base.html",
        "{% load nothing_here %}\n",
        "Its start page answers with status 500 instead of 200",
    ),
    "breaks nginx": (
        "deploy/site.conf",
        "nonsense;\n",
        "nginx does not accept its configuration.",
    ),
    "cannot migrate": (
        f"{PACKAGE}/photos/migrations/0003_fail.py",
        FAIL,
        "A migration failed.",
    ),
}
# A release waits 20 seconds for its server, and systemd would wait for 90 by itself.
GIVEN_UP_SECONDS = 100
# The terminal goes once the release has begun.
INTERRUPT = """
before=$(ls releases | wc -l)
setsid deploy/release &
until [ "$(ls releases | wc -l)" -gt "$before" ]; do sleep 0.1; done
kill -HUP -- "-$!"
! wait "$!"
"""


class Visits:
    """Visitors who load pages and upload photos, and what failed for them."""

    def __init__(self, site: Site) -> None:
        """Log the uploaders in."""
        self.site = site
        self.stop = Event()
        self.failed: list[str] = []
        self.pages = self.uploads = 0

    def see(self, what: str, response: Response, expected: int) -> bool:
        """Note a response that is not as expected."""
        if response.status != expected:
            self.failed.append(f"{what}: {response.status} {response.text[:200]}")
        return response.status == expected

    def repeat(self, work: str, visitor: Visitor) -> None:
        """Repeat one kind of visit until the end."""
        photo = encode(landscape(1, (1600, 1200), 0.25), quality=90)
        while not self.stop.wait(0.2):
            try:
                if work == "upload":
                    time.sleep(2)  # or most of the machine's time goes to photos
                    token = visitor.token("/photos/upload/")
                    response = visitor.upload(photo, token=token)
                    # A busy site says so.
                    if response.status == 302 or "Retry-After" not in response.headers:
                        self.uploads += self.see(work, response, 302)
                else:
                    page = visitor.get(work)
                    self.pages += self.see(work, page, 200)
                    for style in re.findall(r"/static/site\.\w+\.css", page.text):
                        # As a browser that has the page of before.
                        time.sleep(0.5)
                        self.see(style, visitor.get(style), 200)
            except (OSError, http.client.HTTPException, AssertionError) as error:
                self.failed.append(f"{work}: {error!r}")


@contextmanager
def visits(site: Site) -> Iterator[Visits]:
    """Let visitors come and go; at the end, none of them has seen an error."""
    seen = Visits(site)
    work = ["/", "/", "/accounts/login/", "/health/live/"]
    threads = [Thread(target=seen.repeat, args=(path, site.visitor())) for path in work]
    threads.append(Thread(target=seen.repeat, args=("upload", site.visitor(ADMIN))))
    for thread in threads:
        thread.start()
    try:
        yield seen
        time.sleep(2)  # some visits of the new release
    finally:
        seen.stop.set()
        for thread in threads:
            thread.join()
    assert not seen.failed
    assert seen.pages > 5
    assert seen.uploads > 0
    # Shown when a later step fails.
    print(f"{seen.pages} pages and {seen.uploads} uploads")  # noqa: T201


def style(site: Site) -> str:
    """Return the URL of the start page's style sheet, which names a release."""
    time.sleep(2)  # nginx has no older page
    (found,) = re.findall(r"/static/site\.\w+\.css", site.visitor().get("/").text)
    return str(found)


def change(
    machine: Machine,
    project: Path,
    number: int,
    files: dict[str, str] | None = None,
    tag: str = "",
) -> None:
    """Push a commit with another style sheet and other files.

    With a tag, move this tag to it instead of the branch.
    """
    changed = {"static/site.css": f"/* {number} */\n"} | (files or {})
    for path, text in changed.items():
        with (project / path).open("a", encoding="utf-8") as file:
            file.write(text)
    commit(project, f"Change {number}")
    if not tag:
        push(machine, project)
        return
    repository = str(machine.root / "srv" / "my-secure-site.git")
    run(project, "git", "tag", "--force", tag)
    run(project, "git", "push", "--quiet", "--force", repository, f"refs/tags/{tag}")


def photos(machine: Machine, column: str = "id") -> int:
    """Count the rows of the table with a column."""
    # The column is this module's.
    query = f"SELECT count({column}) FROM {LABEL}_photo WHERE status <> 'deleted'"  # noqa: S608
    return int(
        machine.run(
            f'runuser -u site -- psql --tuples-only --command="{query}" site'
        ).split()[-1]
    )


def current(machine: Machine) -> str:
    """Return the name of the release that answers."""
    return (machine.root / "srv" / "my-secure-site" / "current").readlink().name


def check_package(machine: Machine) -> None:
    """Check that the running release has a package of its own."""
    show = "import secure_django; print(secure_django.__file__)"
    output = machine.run(f"current/.venv/bin/python -c '{show}'")
    assert f"/releases/{current(machine)}/{VENDOR}/src/" in output


def instances(machine: Machine) -> list[str]:
    """Return the releases that systemd runs."""
    units = machine.run(
        "systemctl list-units --state=active,activating --plain --no-legend "
        "'site-web@*'"
    )
    return re.findall(r"^site-web@(\S+)\.service", units, re.MULTILINE)


def release(
    machine: Machine, site: Site, command: str = "deploy/release", typed: str = ""
) -> str:
    """Release under load: no request fails, and no photo is lost."""
    before = photos(machine)
    with visits(site) as seen:
        output = machine.run(command, typed)
    assert photos(machine) == before + seen.uploads
    assert instances(machine) == [current(machine)]
    assert f"{current(machine)} answers." in output
    return output


def given_up(machine: Machine, command: str = "deploy/release", typed: str = "") -> str:
    """Try a release that must be given up, which changes nothing; return the output."""
    answers, folders = (
        current(machine),
        machine.run(
            "ls releases; cat /etc/nginx/conf.d/site.conf; ls /etc/systemd/system"
        ),
    )
    output = machine.run(f"! {command}; date +%s", typed)
    (name,) = re.findall(r"^release: (\S+): Change", output, re.MULTILINE)
    log = machine.run(f"journalctl --quiet --output=short-unix --unit=site-web@{name}")
    (ended,) = re.findall(r"^\d{10}$", output, re.MULTILINE)
    for began in re.findall(r"^\d{10}", log, re.MULTILINE)[:1]:
        assert int(ended) - int(began) < GIVEN_UP_SECONDS
    assert f"{answers} still answers." in output
    assert (current(machine), instances(machine)) == (answers, [answers])
    assert (
        machine.run(
            "ls releases; cat /etc/nginx/conf.d/site.conf; ls /etc/systemd/system"
        )
        == folders
    )
    return output


def give_up_broken_releases(machine: Machine, folder: Path) -> None:
    """Try releases that cannot work, and one whose plan a person does not accept."""
    for reason, (path, text, why) in BROKEN.items():
        original = (
            (folder / path).read_text(encoding="utf-8")
            if (folder / path).exists()
            else None
        )
        change(machine, folder, 4, {path: text})
        output = given_up(machine, "deploy/release --yes")
        assert why in output, reason
        assert "Traceback" not in output
        if original is None:
            (folder / path).unlink()
        else:
            (folder / path).write_text(original, encoding="utf-8")
    harmful = ADD.format(before="0002_shelf", name="row", default="default")
    migration = f"{PACKAGE}/photos/migrations/0003_row.py"
    change(machine, folder, 5, {migration: harmful})
    output = given_up(machine)
    assert f"{LABEL}.0003_row\n    Add field row to photo\n" in output
    (folder / migration).unlink()


class Release(NamedTuple):
    """A release that answers: its name, and the style sheet of its start page."""

    name: str
    style: str


def answering(machine: Machine, site: Site) -> Release:
    """Return the release that answers."""
    return Release(current(machine), style(site))


def check_way_back(machine: Machine, site: Site, earlier: list[Release]) -> None:
    """Go back, further back, and forward to the newest again by its name.

    The way back never leads to a release that it left.
    """
    newest = current(machine)
    for target in earlier:
        output = release(machine, site, "deploy/release --back")
        assert answering(machine, site) == target
        assert f"back to {target.name}." in output
    # The document has released once before the certificate.
    machine.run("deploy/release --back; ! deploy/release --back")
    release(machine, site, f"deploy/release --back {newest}")
    assert current(machine) == newest


def add_column(machine: Machine, site: Site, project: Path, command: str) -> None:
    """Release a column that the running release does not know, once a person agrees."""
    models = project / PACKAGE / "photos" / "models.py"
    text = models.read_text(encoding="utf-8")
    assert text.count(MODEL) == 1
    shelf = '    shelf = models.CharField(max_length=9, db_default="")\n'
    models.write_text(text.replace(MODEL, MODEL + shelf), encoding="utf-8")
    expand = ADD.format(before="0001_initial", name="shelf", default="db_default")
    migration = {f"{PACKAGE}/photos/migrations/0002_shelf.py": expand}
    change(machine, project, 3, migration, tag="next")
    given_up(machine, command, typed="n\n")
    output = release(machine, site, command, typed="y\n")
    assert f"{LABEL}.0002_shelf\n" in output
    assert "fails" not in output
    assert photos(machine, "shelf") == photos(machine)


def check_interruptions(machine: Machine, project: Path) -> None:
    """Start two releases at once, and one whose terminal goes."""
    change(machine, project, 6)
    with ThreadPoolExecutor() as threads:
        releases = machine.root / "srv" / "my-secure-site" / "releases"
        before = set(releases.iterdir())
        one = threads.submit(machine.run, "deploy/release")
        wait_until(lambda: set(releases.iterdir()) - before, "it does not begin")
        output = machine.run("! deploy/release; ! deploy/release --back")
        assert "Another one is under way." in output
        assert "answers." in one.result()
    assert "It was interrupted." in machine.run(INTERRUPT)
    assert instances(machine) == [current(machine)]


def check_releases(machine: Machine, site: Site, project: Path) -> None:
    """Release, go back and give up: no request fails, and no photo is lost."""
    first = answering(machine, site)
    # A tag on no branch, which is moved later.
    by_tag = "deploy/release next"
    change(machine, project, 2, tag="next")
    release(machine, site, by_tag)
    second = answering(machine, site)
    assert len({*first, *second}) == 4
    check_package(machine)
    styles_of_before = site.visitor().get(first.style)
    assert styles_of_before.status == 200, "a page that a browser has names it"
    add_column(machine, site, project, by_tag)
    check_way_back(machine, site, [second, first])
    with visits(site):
        give_up_broken_releases(machine, project)
    check_interruptions(machine, project)
