"""A rehearsal of docs/security-releases.md: a fix reaches projects of three kinds."""

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
from tests.support.releases import REPOSITORY, VENDOR, set_version
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

UPDATE = "from secure_django.commands.template_update import main; main('', [])"


class Release(NamedTuple):
    """The repository of the template, with the old release and the fix."""

    repositories: Path
    at_old: Path
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
    commit(origin, "Release")
    run(origin, "git", "tag", f"v{old_number}")
    at_old = shutil.copytree(origin, folder / "old")
    old_wheel = build_wheel(at_old, folder / "old-wheel")
    number = add_patch_release(origin)
    set_version(origin, number)
    text = (origin / FIXED_FILE).read_text(encoding="utf-8")
    (origin / FIXED_FILE).write_text(f"{text}{FIX}", encoding="utf-8", newline="\n")
    commit(origin, "Fix")
    run(origin, "git", "tag", f"v{number}")
    wheel = build_wheel(origin, folder / "wheel")
    wheels = [
        Built("secure-django", version, days=0, python=">=3.12", path=path)
        for version, path in ((old_number, old_wheel), (number, wheel))
    ]
    with serve(wheels) as index, serve_advisories() as osv:
        osv.own.append(list_advisory(number))
        yield Release(origin.parent, at_old, number, old_number, index, osv)


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
    assert audit(site, release, release.at_old) == ""
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


def test_release_of_another_minor_version_needs_the_template(
    release: Release, tmp_path: Path
) -> None:
    site = bake(release.at_old, tmp_path, **ALL_OFF)
    command = (sys.executable, "-m", "secure_django.commands.source", "update")
    for wanted in ("99.1.0", release.old_number, "1.0", "x"):
        with pytest.raises(AssertionError, match=f"poe template-update {wanted}"):
            run(site, *command, wanted, **package_of(site))
