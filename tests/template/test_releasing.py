"""A release from a clean clone to its tag, and the updates of projects to the next."""

import json
import os
import shutil
import sys
import tarfile
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.support.baking import (
    ALL_OFF,
    ALL_ON,
    RAW,
    ROOT,
    Answers,
    bake,
    commit,
    paths,
    run,
)
from tests.support.releases import IDLE_TIMEOUT, REPOSITORY, VENDOR, change
from tests.support.releasing import (
    Runner,
    add_patch_release,
    date_release,
    first_section,
    publish_by_workflow,
    version,
)
from tests.support.updating import Machine

pytestmark = [
    pytest.mark.tier("whole"),
    pytest.mark.skipif(os.name != "posix", reason="the runners use Linux"),
]

FIX = "SESSION_COOKIE_AGE = 20 * 60"


class Releases(NamedTuple):
    """The repository of the template, clones of it, and what was published."""

    origin: Path
    commit_before: str
    before: Path  # a clone at that commit
    tag: str
    at_tag: Path
    notes: str
    archive: Path


@pytest.fixture(scope="module")
def releases(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Releases:
    """Return the present state as a release, with a made-up date."""
    folder = tmp_path_factory.mktemp("releasing")
    origin = shutil.copytree(template, folder / "repositories" / REPOSITORY)
    commit(origin, "Work")
    commit_before = run(origin, "git", "rev-parse", "HEAD").strip()
    before = clone(origin, folder / "before")
    expected_tag = date_release(origin)
    tag = publish_by_workflow(origin, folder / "workflow")
    assert tag == expected_tag
    published = folder / "workflow" / "published" / tag
    return Releases(
        origin=origin,
        commit_before=commit_before,
        before=before,
        tag=tag,
        at_tag=clone(origin, folder / "at_tag", "--branch", tag),
        notes=(published / "notes.md").read_text(encoding="utf-8"),
        archive=published / f"secure-django-{tag}.tar.gz",
    )


def clone(origin: Path, target: Path, *options: str) -> Path:
    """Clone a repository; the tag is the option --branch."""
    command = ("git", "-c", "advice.detachedHead=false", "clone", "--quiet", *options)
    run(origin.parent, *command, str(origin), str(target))
    return target


def test_workflow_tags_the_release_with_its_section_as_notes(
    releases: Releases, tmp_path: Path
) -> None:
    tag, origin = releases.tag, releases.origin
    assert run(origin, "git", "tag").split() == [tag]
    tagged = run(origin, "git", "rev-list", "-1", tag).strip()
    assert tagged == run(origin, "git", "rev-parse", "HEAD").strip()
    number, date, section = first_section(releases.at_tag)
    assert (f"v{number}", date) == (tag, "2099-01-31")
    assert releases.notes == f"{section}\n"
    assert section.startswith("**What to do:** ")
    with tarfile.open(releases.archive) as archive:
        archive.extractall(tmp_path, filter="data")
    unpacked = tmp_path / f"secure-django-{tag}"
    assert version(unpacked) == number
    listed = run(releases.at_tag, "git", "ls-files", "-z").split("\0")
    assert paths(unpacked) == set(filter(None, listed))
    assert not publish_by_workflow(origin, tmp_path / "again"), "it has its tag"


def test_index_and_release_have_what_the_tag_builds(
    releases: Releases, tmp_path: Path
) -> None:
    """Whoever has the tag can compare: the release is the same, byte for byte."""
    published = releases.archive.parent
    index = published.parents[1] / "index"
    dist = tmp_path / "dist"
    build = (sys.executable, "release.py", releases.tag, str(dist))
    run(releases.at_tag, *build, "--commit", releases.tag)
    number = releases.tag.removeprefix("v")
    wheel = f"secure_django-{number}-py3-none-any.whl"
    sdist = f"secure_django-{number}.tar.gz"
    hashes = f"secure-django-{number}.sha256"
    assert paths(dist) == {wheel, sdist, hashes}
    assert paths(index) == {wheel, sdist}
    others = {"notes.md", "sbom.cdx.json", releases.archive.name}
    assert paths(published) == others | {wheel, sdist, hashes}
    for name in (wheel, sdist, hashes):
        assert (published / name).read_bytes() == (dist / name).read_bytes()
    for name in (wheel, sdist):
        assert (index / name).read_bytes() == (dist / name).read_bytes()


def test_release_has_the_hashes_of_a_projects_vendor(
    releases: Releases, tmp_path: Path
) -> None:
    published = releases.archive.parent
    number = releases.tag.removeprefix("v")
    project = bake(releases.at_tag, tmp_path, **ALL_OFF)
    own = (project / "vendor" / "secure-django.sha256").read_bytes()
    assert (published / f"secure-django-{number}.sha256").read_bytes() == own


def test_sbom_of_a_release_names_what_extras_bring_with_licenses(
    releases: Releases, tmp_path: Path
) -> None:
    """That its format is valid, the tests of the scans show, which write it too."""
    runner = Runner(releases.at_tag, tmp_path / "workflow")
    [script] = [step for step in runner.jobs["try"]["steps"] if "env" in step]
    clone(releases.origin, tmp_path / "clone")
    # The test before it in the job has installed and locked everything.
    shutil.copy2(ROOT / "uv.lock", tmp_path / "clone")
    environment = script["env"] | {"UV_PROJECT_ENVIRONMENT": sys.prefix}
    run(tmp_path / "clone", "bash", "-e", "-c", script["run"], **environment)
    text = (tmp_path / "clone" / "sbom" / "sbom.cdx.json").read_text(encoding="utf-8")
    sbom = json.loads(text)
    component = sbom["metadata"]["component"]
    assert f"v{component['version']}" == releases.tag
    names = {package["name"] for package in sbom["components"]}
    assert {"django", "django-allauth", "pillow", "redis", "boto3"} <= names
    assert not {"cookiecutter", "mypy", "ruff", "zensical"} & names
    assert not [it["name"] for it in sbom["components"] if not it["licenses"]]


@pytest.mark.parametrize("later", ["publish", "release"])
def test_distribution_that_was_replaced_is_not_published(
    later: str, releases: Releases, tmp_path: Path
) -> None:
    """Tests run between the build and the upload, with code of other people."""
    before = releases.archive.parents[2]
    shutil.copytree(before / "artifacts", tmp_path / "workflow" / "artifacts")
    runner = Runner(releases.at_tag, tmp_path / "workflow")
    runner.keep_outputs("new", before / "new")
    runner.keep_outputs("build", before / "build")
    [wheel] = tmp_path.glob("workflow/artifacts/distributions/*.whl")
    wheel.write_bytes(b"another wheel")
    with pytest.raises(AssertionError, match="FAILED"):
        runner.run_job(later)
    assert not list(tmp_path.glob("workflow/index/*"))
    assert not list(tmp_path.glob("workflow/published/*"))


@pytest.mark.parametrize("answers", [ALL_ON, ALL_OFF], ids=["all on", "all off"])
def test_projects_of_the_tag_and_of_the_commit_before_take_the_next(
    answers: Answers, releases: Releases, tmp_path: Path
) -> None:
    origin = shutil.copytree(
        releases.origin, tmp_path / "repositories" / REPOSITORY, symlinks=True
    )
    machine = Machine(tmp_path, origin.parent)
    projects = {
        releases.tag: bake(releases.at_tag, tmp_path / "tagged", **answers),
        releases.commit_before: bake(releases.before, tmp_path / "before", **answers),
    }
    number = add_patch_release(origin)
    change(origin / RAW, [("config/settings.py", IDLE_TIMEOUT, FIX)])
    (origin / RAW / "users" / "fix.md").write_text("# Fix\n", encoding="utf-8")
    (origin / "src" / "secure_django" / "fix.py").touch()
    date_release(origin)
    assert publish_by_workflow(origin, tmp_path / "workflow") == f"v{number}"
    following = clone(origin, tmp_path / "following", "--branch", f"v{number}")
    expected = bake(following, tmp_path / "expected", **answers)
    assert FIX in (expected / "config" / "settings.py").read_text(encoding="utf-8")
    assert (expected / VENDOR / "src" / "secure_django" / "fix.py").is_file()
    for start, project in projects.items():
        commit(project, "Start")
        output = machine.run(project, "poe", "template-update")
        assert f"Merged v{number} over {start}." in output
        assert "Conflicts" not in output
        assert not run(project, "git", "diff", "--name-only", "--diff-filter=U")
        record = (project / ".cruft.json").read_text(encoding="utf-8")
        assert f'"commit": "v{number}"' in record
        kept = {path for path in paths(project) if not path.startswith(".git/")}
        own = {".cruft.json", ".env", "uv.lock"}
        assert kept - own == paths(expected) - own
        for path in paths(expected) - own:
            assert (project / path).read_bytes() == (expected / path).read_bytes(), path
