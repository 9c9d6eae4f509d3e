"""A rehearsal of docs/security-releases.md: a fix reaches projects of each kind.

Those have the package in vendor/ or from an index, or come from a fork with numbers of
its own, which merges the release or takes the commit of the fix alone.
"""

import json
import os
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.support.baking import ALL_OFF, ALL_ON, ROOT, Answers, bake, commit, run
from tests.support.index import Built, serve
from tests.support.releases import (
    REPOSITORY,
    SERVER,
    URL,
    VENDOR,
    renumber,
    set_version,
)
from tests.support.releasing import add_patch_release, first_section
from tests.support.scanning import Advisories, serve_advisories
from tests.support.updating import Machine, package_of

pytestmark = [
    pytest.mark.tier("whole"),
    pytest.mark.timeout(1000),
    pytest.mark.skipif(os.name != "posix", reason="a stand-in is a shell script"),
]

GUIDE = (ROOT / "docs" / "security-releases.md").read_text(encoding="utf-8")
FIXED_FILE = "src/secure_django/photos/images.py"
FIX = "\n# A made-up fix of the image code.\n"
ADVISORY = "GHSA-2222-3333-4444"
FIXES = "src/secure_django/fixes"
# Cookiecutter in this environment instead of a download.
UV = """\
#!/bin/bash
if [ "$1" = tool ]; then
  while [ "$1" != cookiecutter ]; do shift; done
  exec "$@"
fi
exec {uv} "$@"
"""
AUDIT = """\
from pathlib import Path
from secure_django.scans import audit_packages
folder = Path("reports/audit")
folder.mkdir(parents=True, exist_ok=True)
print(*audit_packages(folder), sep="\\n")
"""

AUDIT_OWN = """\
from secure_django.scans.own_package import audit_own_package, find_sources
for source in find_sources():
    print(*audit_own_package(source, ()).values(), sep="\\n")
"""
FORK = "museum-django"
LOCK = """\
[[package]]
name = "secure-django"
version = "{version}+vendored"
"""
UPDATE = "from secure_django.commands.template_update import main; main('', [])"


class Release(NamedTuple):
    """The repository of the template, with the old release and the fix."""

    repositories: Path
    at_old: Path
    origin: Path
    fix: str  # the commit
    number: str
    old_number: str
    url: str  # of an index with both
    osv: Advisories


def build_wheel(template: Path, folder: Path) -> Path:
    """Build the package's wheel, as a release does."""
    build = ("uv", "build", "--quiet", "--wheel", "--offline", "--out-dir", str(folder))
    run(template, *build)
    [wheel] = folder.glob("*.whl")
    return wheel


def list_advisory(fixed: str) -> dict[str, Any]:
    """Return the advisory of the guide, for a made-up fix."""
    [example] = re.findall(r"```json\n(.*?)```", GUIDE, re.DOTALL)
    [advisory] = json.loads(example)
    advisory["affected"][0]["ranges"][0]["events"] = [
        {"introduced": "0"},
        {"fixed": fixed},
    ]
    return dict(advisory)


@pytest.fixture(scope="module")
def release(
    template: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Release]:
    """Publish a fix of the image code, by tag, index and advisory."""
    folder = tmp_path_factory.mktemp("security")
    origin = shutil.copytree(template, folder / "repositories" / REPOSITORY)
    old_number, _, _ = first_section(origin)
    set_version(origin, old_number)
    commit(origin, "Release")
    run(origin, "git", "tag", f"v{old_number}")
    at_old = shutil.copytree(origin, folder / "old")
    old_wheel = build_wheel(at_old, folder / "old-wheel")
    text = (origin / FIXED_FILE).read_text(encoding="utf-8")
    (origin / FIXED_FILE).write_text(f"{text}{FIX}", encoding="utf-8", newline="\n")
    (origin / FIXES / f"{ADVISORY}.txt").write_text("The code.\n", encoding="utf-8")
    commit(origin, "Fix the image code")
    fix = run(origin, "git", "rev-parse", "HEAD").strip()
    number = add_patch_release(origin)
    set_version(origin, number)
    advisories = json.dumps([list_advisory(number)])
    (origin / "advisories.json").write_text(advisories, encoding="utf-8")
    commit(origin, f"Release {number}")
    run(origin, "git", "tag", f"v{number}")
    wheel = build_wheel(origin, folder / "wheel")
    wheels = [
        Built("secure-django", version, days=0, python=">=3.12", path=path)
        for version, path in ((old_number, old_wheel), (number, wheel))
    ]
    with serve(wheels) as index, serve_advisories() as osv:
        osv.own.append(list_advisory(number))
        yield Release(
            repositories=origin.parent,
            at_old=at_old,
            origin=origin,
            fix=fix,
            number=number,
            old_number=old_number,
            url=index,
            osv=osv,
        )


def use_real_uv(machine: Machine) -> None:
    """Let uv lock, and cookiecutter run in this environment."""
    machine.environment["UV_CACHE_DIR"] = run(
        machine.folder, "uv", "cache", "dir"
    ).strip()
    uv = UV.format(uv=shutil.which("uv"))
    (machine.folder / "bin" / "uv").write_text(uv, encoding="utf-8")


def audit(site: Path, release: Release, code: Path) -> str:
    """Return what the audit of a project finds, by the package's code in a folder."""
    return run(
        site,
        sys.executable,
        "-c",
        AUDIT,
        **release.osv.environment,
        PYTHONPATH=str(code / "src"),
    ).strip()


@pytest.mark.parametrize(
    ("source", "answers"),
    [("vendor", ALL_OFF), ("index", ALL_OFF), ("index", ALL_ON)],
    ids=["vendored", "index all off", "index all on"],
)
def test_fix_is_taken_by_one_command(
    source: str, answers: Answers, release: Release, tmp_path: Path
) -> None:
    machine = Machine(tmp_path, release.repositories)
    use_real_uv(machine)
    site = bake(release.at_old, tmp_path, **answers)
    machine.run(site, "uv", "lock", "--quiet")
    commit(site, "Start")
    environment = machine.environment | {"PYTHONPATH": str(release.at_old / "src")}
    command = (sys.executable, "-m", "secure_django.commands.source")
    if source == "index":
        run(site, *command, "index", release.url, **environment)
        commit(site, "Take the package from an index")
    before = audit(site, release, release.at_old)
    [advice] = re.findall(r"run `uv run poe package (.+)`$", before)
    assert advice == f"update {release.number}"
    run(site, *command, *advice.split(), **environment)
    installed = site / VENDOR if source == "vendor" else release.origin
    assert audit(site, release, installed) == ""
    run(site, "git", "add", "--all")
    names = run(site, "git", "diff", "--cached", "--name-only")
    changed = set(names.splitlines())
    own = {"pyproject.toml", "uv.lock"}
    if source == "index":
        assert changed == own
        return
    assert changed == own | {
        ".cruft.json",
        f"{VENDOR}.sha256",
        f"{VENDOR}/pyproject.toml",
        f"{VENDOR}/{FIXED_FILE}",
        f"{VENDOR}/{FIXES}/{ADVISORY}.txt",
        f"{VENDOR}/{FIXES}/release.txt",
        f"{VENDOR}/src/secure_django/controls/release.json",
    }
    commit(site, "Take the fix")
    run(
        site,
        sys.executable,
        "-m",
        "secure_django.commands.vendored",
        **package_of(site),
    )
    # The next update of the template takes the fix for no edit of the project.
    output = machine.run(site, sys.executable, "-c", UPDATE)
    assert f"Merged v{release.number} over v{release.old_number}." in output
    assert "Conflicts" not in output


def fork_template(release: Release, folder: Path, number: str) -> Path:
    """Fork the old release under a number of its own, beside the template."""
    repositories = folder / "repositories"
    shutil.copytree(release.repositories, repositories, symlinks=True)
    fork = repositories / FORK
    clone = ("git", "clone", "--quiet", "--branch", f"v{release.old_number}")
    run(folder, *clone, str(repositories / REPOSITORY), str(fork))
    prompts = fork / "cookiecutter.json"
    text = prompts.read_text(encoding="utf-8")
    named = text.replace(f'"{URL}"', f'"{SERVER}/{FORK}"')
    prompts.write_text(named, encoding="utf-8", newline="\n")
    tag_fork(fork, number)
    return fork


def tag_fork(fork: Path, number: str) -> None:
    """Release what the fork has."""
    renumber(fork, number)
    commit(fork, f"Release {number}")
    run(fork, "git", "tag", f"v{number}")


def audit_fork(site: Path, machine: Machine, number: str) -> str:
    """Return what the audit of a project finds, which has a release of the fork."""
    lock = LOCK.format(version=number)
    (site / "uv.lock").write_text(lock, encoding="utf-8")
    environment = machine.environment | package_of(site)
    own = (sys.executable, "-c", AUDIT_OWN)
    return run(site, *own, ADVISORIES_URL="", **environment).strip()


@pytest.mark.parametrize(
    "take",
    [("merge", "--quiet", "-X", "ours", "v{number}"), ("cherry-pick", "{fix}")],
    ids=["merge", "cherry-pick"],
)
def test_fix_reaches_projects_of_a_fork_with_its_own_numbers(
    take: tuple[str, ...], release: Release, tmp_path: Path
) -> None:
    fork = fork_template(release, tmp_path, "3.0.0")
    machine = Machine(tmp_path, fork.parent)
    site = bake(fork, tmp_path, **ALL_OFF)
    (site / "uv.lock").write_text(LOCK.format(version="3.0.0"), encoding="utf-8")
    commit(site, "Start")
    # The fork says nothing yet. Its project asks where the fork comes from, too.
    before = audit_fork(site, machine, "3.0.0")
    assert before.startswith(f"uv.lock: secure-django 3.0.0+vendored: {ADVISORY} ")
    assert before.endswith(
        f"fixed in {release.number}: take a release of {SERVER}/{FORK} that has the fix"
    )
    words = [word.format(number=release.number, fix=release.fix) for word in take]
    machine.run(fork, "git", *words)
    tag_fork(fork, "3.0.1")
    # That the fork has it, does not end the advisory of a project without it.
    assert {*audit_fork(site, machine, "3.0.0").splitlines()} - {""} == {before}
    commit(site, "Lock")
    command = (sys.executable, "-m", "secure_django.commands.source", "update", "3.0.1")
    run(site, *command, **machine.environment | package_of(site))
    assert FIX in (site / VENDOR / FIXED_FILE).read_text(encoding="utf-8")
    assert audit_fork(site, machine, "3.0.1") == ""


def test_tag_of_a_fix_carries_its_advisory(release: Release) -> None:
    show = ("git", "show", f"v{release.number}:advisories.json")
    [advisory] = json.loads(run(release.origin, *show))
    assert advisory["id"] == ADVISORY
    files = run(release.origin, "git", "show", "--format=", "--name-only", release.fix)
    assert set(files.split()) == {FIXED_FILE, f"{FIXES}/{ADVISORY}.txt"}


def test_release_of_another_minor_version_needs_the_template(
    release: Release, tmp_path: Path
) -> None:
    site = bake(release.at_old, tmp_path, **ALL_OFF)
    command = (sys.executable, "-m", "secure_django.commands.source", "update")
    for wanted in ("99.1.0", release.old_number, "1.0", "x"):
        with pytest.raises(AssertionError, match=f"poe template-update {wanted}"):
            run(site, *command, wanted, **package_of(site))
