"""The template's own checks pass on the template, and fail on sabotaged copies."""

import os
import re
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.baking import (
    ALL_OFF,
    COMBINATIONS,
    RAW,
    ROOT,
    VENDOR,
    Answers,
    Project,
    name,
    run,
    typed,
)
from tests.support.records import (
    LAYOUT,
    PACKAGE,
    edited_migrations,
    lock_problem,
    record,
    recorded_names,
    removed_names,
)
from tests.support.releases import change, set_version
from tests.support.renewal import (
    DEPENDABOT,
    RENOVATE,
    ROW_OF_BOTS,
    SHORTEST_COOLDOWN,
    UV,
    cooldowns,
    has_bot,
    images,
    need_bot,
    undated_images,
)

WHOLE = pytest.mark.tier("whole")

CHECK, POST = "secure_django_refusals.py", "hooks/post_gen_project.py"

# Python imports it at its start. It notes each use of the network, and each program
# that a hook starts. Cookiecutter's own process is exempt from the rest: it starts the
# hooks, and urllib3 opens a socket when imported.
WATCH = """\
import os, sys

CONTACTS = ("socket.connect", "socket.get", "socket.send")
PROGRAMS = (
    "socket.", "subprocess.Popen", "os.exec", "os.fork", "os.posix_spawn",
    "os.startfile", "os.system",
)
REFUSED = CONTACTS if sys.orig_argv[1:2] == ["-m"] else CONTACTS + PROGRAMS

def watch(event, arguments):
    if event.startswith(REFUSED):
        with open(os.environ["NOTE"], "a", encoding="utf-8") as note:
            note.write(f"{event}\\n")
        raise RuntimeError(f"generation may not use {event}")

sys.addaudithook(watch)
"""


def copy(template: Path, tmp_path: Path) -> Path:
    """Return a copy of the template to sabotage."""
    return shutil.copytree(template, tmp_path / "copy")


def outside_contacts(template: Path, folder: Path) -> str:
    """Generate a project with the network refused; return what was tried anyway."""
    (folder / "watch").mkdir()
    (folder / "watch" / "sitecustomize.py").write_text(WATCH, encoding="utf-8")
    note = folder / "note.txt"
    note.touch()
    command = (
        sys.executable,
        "-m",
        "cookiecutter",
        "--no-input",
        "--default-config",
        str(template),
        *typed(),
    )
    environment = {
        "PYTHONPATH": str(folder / "watch"),
        "NOTE": str(note),
        "HOME": str(folder),
    }
    run(folder, *command, **environment, USERPROFILE=str(folder))
    return note.read_text(encoding="utf-8")


def test_generation_uses_no_network(template: Path, tmp_path: Path) -> None:
    assert outside_contacts(template, tmp_path) == ""
    assert (tmp_path / "my-secure-site" / "manage.py").is_file()


@WHOLE
@pytest.mark.parametrize(
    ("script", "contact"),
    [
        (CHECK, "__import__('socket').create_connection(('127.0.0.1', 9))"),
        (POST, "__import__('socket').create_connection(('127.0.0.1', 9))"),
        (POST, "__import__('urllib.request').request.urlopen('http://127.0.0.1:9/')"),
        (POST, "__import__('subprocess').run(['curl', 'http://127.0.0.1:9/'])"),
        (POST, "__import__('os').system('curl http://127.0.0.1:9/')"),
    ],
)
def test_script_that_uses_the_network_is_noticed(
    script: str, contact: str, template: Path, tmp_path: Path
) -> None:
    if "system" in contact and os.name == "nt":
        contact = contact.replace("curl", "curl.exe")
    sabotaged = copy(template, tmp_path)
    with (sabotaged / script).open("a", encoding="utf-8") as file:
        file.write(f"\ntry:\n    {contact}\nexcept BaseException:\n    pass\n")
    assert outside_contacts(sabotaged, tmp_path)


def test_released_migrations_are_never_edited(template: Path) -> None:
    assert not edited_migrations(template)


def date_a_release(template: Path) -> None:
    """Put a release at the top of the changelog."""
    changelog = template / "CHANGELOG.md"
    text = changelog.read_text(encoding="utf-8")
    text = text.replace("\n## ", "\n## 99.0.0, 2099-01-01\n\n## ", 1)
    changelog.write_text(text, encoding="utf-8")


def test_names_of_a_release_stay(template: Path) -> None:
    assert not removed_names(template), (
        "Keep these names until the next major version: docs/support.md says why"
    )


@WHOLE
def test_removed_name_of_a_release_is_noticed(template: Path, tmp_path: Path) -> None:
    sabotaged = copy(template, tmp_path)
    date_a_release(sabotaged)
    record(sabotaged)
    assert not removed_names(sabotaged)
    kinds = {name.partition(" ")[0] for name in recorded_names(sabotaged)["99.0.0"]}
    assert kinds == {
        *("block", "check", "command", "label", "management", "prompt", "public"),
        *("route", "setting", "static", "template", "url", "variable"),
    }
    example = sabotaged / RAW / ".env.example"
    text = example.read_text(encoding="utf-8").replace("PORT=", "HTTP_PORT=")
    example.write_text(text, encoding="utf-8")
    assert not removed_names(sabotaged), "1.0.0 is of another major number"
    set_version(sabotaged, "99.0.1")
    assert removed_names(sabotaged) == ["variable PORT of 99.0.0"]


@WHOLE
@pytest.mark.parametrize(
    ("folder", "migration"),
    [
        (RAW, "users/migrations/0001_initial.py"),
        (PACKAGE, "secure_django/photos/migrations/0001_initial.py"),
    ],
    ids=["project", "package"],
)
def test_edit_of_a_released_migration_is_noticed(
    folder: str, migration: str, template: Path, tmp_path: Path
) -> None:
    sabotaged = copy(template, tmp_path)
    date_a_release(sabotaged)
    assert "99.0.0 is not recorded" in edited_migrations(sabotaged)
    record(sabotaged)
    assert not edited_migrations(sabotaged)
    released = sabotaged / folder / migration
    with released.open("a", encoding="utf-8") as file:
        file.write("# edited\n")
    released.with_name("0002_later.py").touch()
    record(sabotaged)
    edits = [f"{migration} of {state}" for state in (LAYOUT, "99.0.0")]
    assert edited_migrations(sabotaged) == edits, "no record is written again"
    released.unlink()
    assert edited_migrations(sabotaged) == edits


@pytest.mark.parametrize("answers", COMBINATIONS, ids=name)
def test_images_have_versions_and_releases_a_cooldown(
    answers: Answers, pristine: Project
) -> None:
    project = pristine(answers)
    assert len(images(project)) >= 4
    assert not undated_images(project)
    assert not cooldowns(project), (
        f"These files need a cooldown of {SHORTEST_COOLDOWN} days or more"
        f"\n{ROW_OF_BOTS}"
    )
    has_bot(project, RENOVATE)  # it fails with none or both


def test_patch_release_changes_no_line_of_settings_lock(template: Path) -> None:
    release = lock_problem(template)
    assert not release, f"Raise the minor number: settings.lock differs from {release}."


@WHOLE
def test_changed_lock_of_a_patch_release_is_noticed(
    template: Path, tmp_path: Path
) -> None:
    sabotaged = copy(template, tmp_path)
    date_a_release(sabotaged)
    record(sabotaged)
    with (sabotaged / RAW / "settings.lock").open("a", encoding="utf-8") as file:
        file.write("DEBUG = True\n")
    metadata = sabotaged / "pyproject.toml"
    text = metadata.read_text(encoding="utf-8")
    for version, noticed in (("99.0.1", "99.0.0"), ("99.1.0", ""), ("100.0.0", "")):
        line = f'version = "{version}"'
        changed = re.sub('^version = ".+"$', line, text, count=1, flags=re.MULTILINE)
        metadata.write_text(changed, encoding="utf-8")
        assert lock_problem(sabotaged) == noticed


# The check, the choice of CI, the file, a text in it, and its replacement.
type Sabotage = tuple[Callable[[Path], list[str]], str, str, str, str]

COOLDOWN = "    cooldown:\n      default-days: 7\n    groups:\n      packages"
SCANS = f"{VENDOR}/secure-django/src/secure_django/scans"
CONFIGURATION = ROOT / RAW / RENOVATE
# A fork may have Dependabot alone.
AGES = CONFIGURATION.read_text(encoding="utf-8") if CONFIGURATION.is_file() else ""
AGE = "".join(re.findall(r'"minimumReleaseAge": "\d+ days"', AGES))
SABOTAGES: list[Sabotage] = [
    (
        undated_images,
        "github",
        "Dockerfile",
        "FROM python:3.14-slim-trixie AS",
        "FROM python:latest AS",
    ),
    (
        undated_images,
        "github",
        "Dockerfile",
        "FROM python:3.14-slim-trixie AS",
        "FROM python AS",
    ),
    (
        undated_images,
        "github",
        f"{SCANS}/dependency-check/Dockerfile",
        "owasp/dependency-check:12.2.2",
        "owasp/dependency-check",
    ),
    (undated_images, "github", "compose.yaml", "nginx:1.30-alpine", "nginx:latest"),
    (undated_images, "github", "compose.yaml", "nginx:1.30-alpine", "nginx"),
    (
        undated_images,
        "github",
        ".github/workflows/ci.yml",
        "postgres:18-alpine",
        "postgres:latest",
    ),
    (undated_images, "gitlab", ".gitlab-ci.yml", "[postgres:18-alpine]", "[postgres]"),
    (
        undated_images,
        "gitlab",
        ".gitlab-ci.yml",
        f"uv:{UV}-python$PYTHON-trixie",
        "uv:latest",
    ),
    (
        cooldowns,
        "github",
        DEPENDABOT,
        COOLDOWN,
        "    groups:\n      packages",
    ),
    (cooldowns, "github", "pyproject.toml", 'exclude-newer = "7 days"\n', ""),
    (
        cooldowns,
        "github",
        "pyproject.toml",
        "pillow = false\n",
        "pillow = false\nrequests = false\n",
    ),
    (cooldowns, "gitlab", RENOVATE, AGE, '"removed": ""'),
    (cooldowns, "none", RENOVATE, AGE, re.sub(r"\d+", "0", AGE)),
]


@pytest.mark.parametrize(
    "sabotage", SABOTAGES, ids=lambda it: f"{it[2]}-{it[4].strip() or 'removed'}"
)
def test_latest_image_or_lost_cooldown_is_noticed(
    sabotage: Sabotage, project: Project
) -> None:
    check, ci_scanning, path, old, new = sabotage
    folder = project(ALL_OFF | {"ci_scanning": ci_scanning})
    if path in {DEPENDABOT, RENOVATE}:
        need_bot(folder, path)
    before = check(folder)
    change(folder, [(path, old, new)])
    assert check(folder) != before == []
