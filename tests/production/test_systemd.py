"""The systemd units, and docs/deployment.md on a machine of its own."""

import re
import shutil
from pathlib import Path

import pytest

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
from tests.support.machine import blocks, boot, follow, install, prepare, push
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


@PORT_TIMEOUT
def test_deployment_document_leads_to_a_restored_photo(
    locked_project: Project, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = locked_project(WITH_GALLERY)
    prepare(folder)
    assert (
        len(
            (folder / "docs" / "deployment.md").read_text(encoding="utf-8").splitlines()
        )
        <= MOST_LINES
    )
    with https_port(tmp_path_factory.getbasetemp().parent), boot(tmp_path) as machine:
        site = install(machine, folder, tmp_path)
        # nginx is in the group of the site for its socket, and .env may hold secrets.
        machine.run("! runuser -u www-data -- cat .env 2>/dev/null")
        machine.run("! runuser -u site -- cat secrets/tls/privkey.pem 2>/dev/null")
        # The site's user changes no code.
        machine.run(
            '[ -z "$(find releases -user site ! -type l -o -perm /022 ! -type l)" ]'
        )
        publish(site)

        backup, restore = blocks(folder, "Backup and restore")
        follow(machine, folder, backup)
        machine.run(
            "systemctl stop 'site-web@*' site-worker && rm -r /var/lib/site/media"
        )
        # What the migration of a new app makes.
        newer = "CREATE TABLE note (owner bigint REFERENCES users_user)"
        machine.run(f"runuser -u site -- psql --command='{newer}' site")
        assert site.visitor().get("/").status == 502
        assert "Please try again" in site.visitor().get("/").text
        machine.run("systemctl start site-web@$(basename $(readlink current))")
        follow(machine, folder, restore)
        assert is_published(site)
        assert "note" not in machine.run(
            "runuser -u site -- psql --command='\\dt' site"
        )

        page = folder / "deploy" / "error-pages" / "unavailable.html"
        page.write_text(
            page.read_text(encoding="utf-8").replace("Please try", "Do try"),
            encoding="utf-8",
        )
        commit(folder)
        push(machine, folder)
        for block, shown in zip(
            blocks(folder, "Update"), ("Do try", "Please try"), strict=True
        ):
            follow(machine, folder, block)
            assert is_published(site)
            assert shown in machine.run("cat /srv/error-pages/unavailable.html")
        assert machine.run("systemctl is-active site-worker site-backup.timer").split()[
            -2:
        ] == ["active", "active"]
