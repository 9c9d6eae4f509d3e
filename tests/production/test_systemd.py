"""The systemd units, and docs/deployment.md on a machine of its own."""

import re
import shutil
from pathlib import Path

import pytest
import trustme

from tests.production.machine_releases import answering, check_releases, instances
from tests.production.machine_status import check_faults_are_named
from tests.support.baking import (
    ALL_OFF,
    ALL_ON,
    WITH_GALLERY,
    Answers,
    Project,
    commit,
    name,
    run,
)
from tests.support.containers import PORT_TIMEOUT, https_port
from tests.support.live import Site
from tests.support.machine import (
    Machine,
    blocks,
    boot,
    follow,
    install,
    prepare,
    push,
)
from tests.support.publishing import is_published, publish

pytestmark = pytest.mark.tier("whole")

MOST_LINES = 135


@pytest.mark.skipif(
    not shutil.which("systemd-analyze"), reason="systemd is not installed"
)
@pytest.mark.parametrize("answers", [ALL_ON, ALL_OFF], ids=name)
def test_units_are_valid_and_hardened(
    answers: Answers, pristine: Project, tmp_path: Path
) -> None:
    for path in (pristine(answers) / "deploy").glob("site-*.*"):
        if path.is_dir():
            shutil.copytree(path, tmp_path / path.name)
        else:
            # The programs are not installed here.
            text = re.sub(
                r"/srv/my-secure-site/\S*\.venv/bin/\w+",
                "/bin/true",
                path.read_text(encoding="utf-8"),
            )
            (tmp_path / path.name).write_text(text, encoding="utf-8")
    units = sorted(path.name for path in tmp_path.glob("*.service"))
    timers = sorted(path.name for path in tmp_path.glob("*.timer"))
    assert units == [
        f"site-{it}.service" for it in ("backup", "status", "web@", "worker")
    ]
    assert (
        run(
            tmp_path,
            "systemd-analyze",
            "verify",
            *(f"./{unit}" for unit in [*units, *timers]),
        )
        == ""
    )
    for unit in units:
        run(
            tmp_path,
            "systemd-analyze",
            "security",
            "--offline=true",
            "--threshold=25",
            f"./{unit}",
        )
    assert "\nKillMode=mixed\n" in (tmp_path / "site-web@.service").read_text(
        encoding="utf-8"
    )
    filters = (tmp_path / "site-.service.d" / "hardening.conf").read_text(
        encoding="utf-8"
    )
    assert "@sandbox" in filters, "or the image decoder silently loses its own"


def check_rights(machine: Machine) -> None:
    """Check who may read secrets, and who may change code."""
    # nginx is in the group of the site for its socket, and .env may hold secrets.
    machine.run("! runuser -u www-data -- cat .env 2>/dev/null")
    machine.run("! runuser -u site -- cat secrets/tls/privkey.pem 2>/dev/null")
    # The site's user changes no code.
    writable = "find releases -user site ! -type l -o -perm /022 ! -type l"
    machine.run(f'[ -z "$({writable})" ]')


def check_restore(machine: Machine, site: Site, project: Path) -> None:
    """Check that a backup brings back the photos, and removes what is newer."""
    backup, restore = blocks(project, "Backup and restore")
    follow(machine, project, backup)
    machine.run("systemctl stop 'site-web@*' site-worker && rm -r /var/lib/site/media")
    # What the migration of a new app makes.
    newer = "CREATE TABLE note (owner bigint REFERENCES users_user)"
    machine.run(f"runuser -u site -- psql --command='{newer}' site")
    assert site.visitor().get("/").status == 502
    assert "Please try again" in site.visitor().get("/").text
    machine.run("systemctl start site-web@$(basename $(readlink current))")
    follow(machine, project, restore)
    assert is_published(site)
    tables = machine.run("runuser -u site -- psql --command='\\dt' site")
    assert "note" not in tables


def check_update(machine: Machine, site: Site, project: Path) -> None:
    """Check the commands that release, and go back, with a page of nginx's."""
    page = project / "deploy" / "error-pages" / "unavailable.html"
    text = page.read_text(encoding="utf-8")
    page.write_text(text.replace("Please try", "Do try"), encoding="utf-8")
    commit(project)
    push(machine, project)
    release, back = blocks(project, "Update")
    for block, shown in ((release, "Do try"), (back, "Please try")):
        follow(machine, project, block)
        assert is_published(site)
        assert shown in machine.run("cat /srv/error-pages/unavailable.html")


def check_services(machine: Machine) -> None:
    """Check that the worker runs, and that backups are due."""
    output = machine.run("systemctl is-active site-worker site-backup.timer")
    assert output.split()[-2:] == ["active", "active"]


@PORT_TIMEOUT
def test_machine_by_the_document_restores_names_faults_and_releases(
    locked_project: Project, tmp_path: Path
) -> None:
    """One journey, since each machine takes minutes to install."""
    folder = locked_project(WITH_GALLERY)
    prepare(folder, UPLOADS_PER_HOUR="100000", UPLOAD_DECODE_SECONDS="100000")
    document = (folder / "docs" / "deployment.md").read_text(encoding="utf-8")
    assert len(document.splitlines()) <= MOST_LINES
    authority = trustme.CA()
    with https_port(), boot(tmp_path) as machine:
        site = install(machine, folder, tmp_path, authority)
        check_rights(machine)
        publish(site)
        check_restore(machine, site, folder)
        check_faults_are_named(machine, folder, authority)
        check_releases(machine, site, folder)
        check_update(machine, site, folder)
        check_services(machine)
        last = answering(machine, site)
    # The power was cut.
    ready = "curl --silent --fail --insecure https://localhost/health/ready/"
    with https_port(), boot(tmp_path) as machine:
        machine.run(f"until {ready}; do sleep 1; done")
        assert answering(machine, site) == last
        assert instances(machine) == [last.name]
        check_services(machine)
