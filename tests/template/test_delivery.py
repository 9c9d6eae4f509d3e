"""How the package arrives in a project: in vendor/, from an index, or from a fork."""

import json
import os
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple
from zipfile import ZipFile

import pytest

from secure_django.commands.pins import pin_in_vendor, pin_on_index
from tests.support.baking import (
    ALL_OFF,
    ALL_ON,
    RAW,
    ROOT,
    Answers,
    Project,
    bake,
    commit,
    complete,
    paths,
    run,
    typed,
)
from tests.support.forking import edit_prompts
from tests.support.index import Built, serve
from tests.support.releases import (
    NEXT,
    RELEASE,
    REPOSITORY,
    VENDOR,
    change,
    publish,
    publish_next,
)
from tests.support.updating import Machine, package_of

WHOLE = pytest.mark.tier("whole")
# Every way ends with the same files. The answers are those of the prompts' defaults.
SLUG = "my-secure-site"
PACKAGE_FILE = f"{VENDOR}/src/secure_django/csv.py"
PYTHON = (sys.executable, "-m")
VENDORED = (*PYTHON, "secure_django.commands.vendored")
SOURCE = (*PYTHON, "secure_django.commands.source")
API = """\
import json, sys
from cookiecutter.main import cookiecutter
template, answers = sys.argv[1], json.loads(sys.argv[2])
cookiecutter(template, no_input=True, extra_context=answers)
"""
# Cookiecutter in this environment instead of a download.
UV = """\
#!/bin/bash
if [ "$1" = tool ]; then
  while [ "$1" != cookiecutter ]; do shift; done
  exec "$@"
fi
exec {uv} "$@"
"""


class Place(NamedTuple):
    """A published template, a folder for the project, and a home."""

    repository: Path
    output: Path
    home: dict[str, str]

    @property
    def url(self) -> str:
        """Return the address of the repository."""
        return self.repository.as_uri()

    def run(self, *command: str, folder: Path | None = None) -> None:
        """Run a command where the project is to be, and answer yes to questions."""
        run(folder or self.output, *command, typed="y\n", **self.home)


@pytest.fixture
def place(template: Path, tmp_path: Path, home: dict[str, str]) -> Place:
    # Cookiecutter takes a URL with `git` in it for one of Git.
    repository = shutil.copytree(template, tmp_path / "git" / "secure-django")
    publish(repository)
    output = tmp_path / "output"
    output.mkdir()
    return Place(repository, output, home)


def from_checkout(place: Place) -> None:
    """Generate from a checkout in which people have worked."""
    for leftover in (
        "src/secure_django/__pycache__/csv.cpython-314.pyc",
        "src/secure_django/.mypy_cache/cache.json",
        "src/secure_django/csv.py.orig",
        "src/secure_django/photos/.DS_Store",
        "src/secure_django.egg-info/PKG-INFO",
        ".venv/bin/python",
        f"{RAW}/.venv/bin/python",
        f"{RAW}/config/__pycache__/urls.cpython-314.pyc",
    ):
        file = place.repository / leftover
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    place.run("cookiecutter", "--no-input", str(place.repository), *typed())


def from_its_own_folder(place: Place) -> None:
    """Generate with a relative path, which is "." in the README."""
    options = ("--no-input", "--output-dir", str(place.output))
    place.run("cookiecutter", *options, ".", *typed(), folder=place.repository)


def from_git(place: Place) -> None:
    place.run("cookiecutter", "--no-input", place.url, *typed())


def from_tag(place: Place) -> None:
    file = place.repository / "src" / "secure_django" / "later.py"
    file.touch()
    commit(place.repository, "Go on")
    options = ("--no-input", "--checkout", f"v{RELEASE}")
    place.run("cookiecutter", *options, place.url, *typed())


def from_zip(place: Place) -> None:
    archive = place.output.parent / "secure-django.zip"
    command = ("git", "archive", "--prefix=secure-django/", f"--output={archive}")
    run(place.repository, *command, "HEAD")
    place.run("cookiecutter", "--no-input", str(archive), *typed())


def from_replay(place: Place) -> None:
    from_git(place)
    shutil.rmtree(place.output / SLUG)
    place.run("cookiecutter", "--replay", place.url)


def from_python(place: Place) -> None:
    answers = json.dumps(complete())
    place.run(sys.executable, "-c", API, str(place.repository), answers)


def from_cruft(place: Place) -> None:
    answers = json.dumps(complete())
    place.run("cruft", "create", "--no-input", "--extra-context", answers, place.url)


def hash_of(project: Path) -> dict[str, bytes]:
    """Return the files of vendor/."""
    folder = project / "vendor"
    return {path: (folder / path).read_bytes() for path in paths(folder)}


@WHOLE
@pytest.mark.parametrize(
    "generate",
    [
        from_checkout,
        *(
            pytest.param(way, marks=WHOLE)
            for way in (
                from_its_own_folder,
                from_git,
                from_tag,
                from_zip,
                from_replay,
                from_python,
                from_cruft,
            )
        ),
    ],
    ids=lambda way: way.__name__,
)
def test_package_arrives_in_every_way(
    generate: Callable[[Place], None], place: Place, template: Path, tmp_path: Path
) -> None:
    generate(place)
    expected = bake(template, tmp_path / "expected")
    assert hash_of(place.output / SLUG) == hash_of(expected)


def test_package_is_whole_and_tracked(project: Project, template: Path) -> None:
    site = project(ALL_OFF)
    commit(site, "Start")
    tracked = run(site, "git", "ls-files", VENDOR).splitlines()
    # Hidden files are for the work on the package.
    source = {
        f"{VENDOR}/{path}"
        for path in paths(template)
        if path.startswith("src/") and "/." not in path
    }
    others = {f"{VENDOR}/{name}" for name in ("LICENSE", "pyproject.toml")}
    assert set(tracked) == source | others
    for path in source:
        own = (site / path).read_bytes()
        assert own == (template / Path(path).relative_to(VENDOR)).read_bytes(), path
    run(site / VENDOR, "sha256sum", "--check", "--quiet", "../secure-django.sha256")


@pytest.mark.parametrize("edit", ["changed", "added", "removed"])
def test_edit_by_accident_is_named(edit: str, project: Project) -> None:
    site = project(ALL_OFF)
    assert run(site, *VENDORED, **package_of(site)) == ""
    file = site / PACKAGE_FILE
    if edit == "changed":
        file.write_text("# ours\n", encoding="utf-8")
    elif edit == "removed":
        file.unlink()
    else:
        file = file.with_name("own.py")
        file.touch()
    with pytest.raises(AssertionError, match=file.name):
        run(site, *VENDORED, **package_of(site))


def test_line_ends_of_windows_are_no_edit(project: Project) -> None:
    site = project(ALL_OFF)
    file = site / PACKAGE_FILE
    file.write_bytes(file.read_bytes().replace(b"\n", b"\r\n"))
    run(site, *VENDORED, **package_of(site))


def test_backups_of_containers_need_no_packages(project: Project) -> None:
    """The host has Python, and no virtual environment."""
    site = project(ALL_OFF)
    program = f"{VENDOR}/src/secure_django/commands/backups.py"
    guide = (site / "docs" / "containers.md").read_text(encoding="utf-8")
    assert f"python3 {program} create --compose" in guide
    alone = (sys.executable, "-I", "-S", program)
    with pytest.raises(AssertionError, match=r"secrets/field_encryption_keys'\. "):
        run(site, *alone, "create", "--compose")


def test_dependency_check_needs_no_tools_of_the_project(project: Project) -> None:
    """CI runs it in an image with Docker, where not every tool can be installed."""
    site = project(ALL_OFF)
    pipeline = (ROOT / RAW / ".gitlab-ci.yml").read_text(encoding="utf-8")
    assert "uv run --no-dev python -m secure_django.scans dependency-check" in pipeline
    code = f"import sys; sys.path.insert(0, '{VENDOR}/src'); import secure_django.scans"
    run(site, sys.executable, "-I", "-S", "-c", code)


@WHOLE
def test_coverage_leaves_the_package_out(project: Project) -> None:
    site = project(ALL_OFF)
    run(site, *PYTHON, "coverage", "run", "manage.py", "check", **package_of(site))
    report = run(site, *PYTHON, "coverage", "report")
    assert "config/settings.py" in report.replace("\\", "/")
    assert "vendor" not in report


# On an index


@pytest.fixture(scope="module")
def wheel(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a wheel of the package, built as a release is: without a network.

    Before a release, `DISTRIBUTIONS` names the folder with what is published.
    """
    distributions = os.environ.get("DISTRIBUTIONS")
    if distributions:
        [published] = Path(distributions).glob("*.whl")
        return published
    folder = tmp_path_factory.mktemp("wheel")
    build = ("uv", "build", "--quiet", "--wheel", "--offline", "--out-dir", str(folder))
    run(template, *build, UV_CACHE_DIR=str(folder / "cache"))
    [wheel] = folder.glob("*.whl")
    return wheel


def test_wheel_has_every_file_of_the_package(wheel: Path, template: Path) -> None:
    with ZipFile(wheel) as archive:
        names = set(archive.namelist())
    # Hidden files are for the work on the package.
    source = {path for path in paths(template / "src") if "/." not in f"/{path}"}
    source.remove("README.md")  # the wheel has it as its description
    assert source <= names
    for kind in (".md", ".pot", ".html", "py.typed"):
        assert any(path.endswith(kind) for path in source)


@WHOLE
@pytest.mark.parametrize("django", ["5.2", "6.0"])
def test_guard_in_the_wheel_works_with_older_django(
    django: str, wheel: Path, tmp_path: Path
) -> None:
    """It is all that a project needs, with what the extra `guard` names."""
    project = shutil.copytree(ROOT / "tests" / "guard" / "foreign", tmp_path / "site")
    packages = ("--with", f"{wheel}[guard]", "--with", f"django=={django}.*")
    command = ("uv", "run", "--isolated", "--no-project", *packages, "pytest")
    with pytest.raises(AssertionError) as failed:
        run(project, *command, "-p", "no:cacheprovider")
    report = str(failed.value)
    assert "POST /notes/<pk>/delete/ changes Note of the owner (other)" in report
    assert "6 failed" in report


@WHOLE
def test_engine_says_that_django_is_too_old(wheel: Path, tmp_path: Path) -> None:
    packages = ("--with", str(wheel), "--with", "django==5.2.*")
    command = ("uv", "run", "--isolated", "--no-project", *packages, "python", "-c")
    sentence = "secure_django.conf needs Django 6.1 or later, and this is 5.2"
    with pytest.raises(AssertionError, match=sentence):
        run(tmp_path, *command, "import secure_django.conf")


@pytest.fixture(scope="module")
def index(wheel: Path) -> Iterator[str]:
    """Serve the wheel; yield the index's URL."""
    # Younger than the cooldown.
    release = Built("secure-django", RELEASE, days=0, python=">=3.12", path=wheel)
    with serve([release]) as url:
        yield url


@pytest.fixture
def machine(template: Path, tmp_path: Path) -> Machine:
    """Return a machine with uv, which finds the template at its published address."""
    if os.name != "posix":
        pytest.skip("the stand-in for uv is a shell script")
    publish(shutil.copytree(template, tmp_path / "repositories" / REPOSITORY))
    machine = Machine(tmp_path, tmp_path / "repositories")
    cache = run(tmp_path, "uv", "cache", "dir").strip()
    uv = UV.format(uv=shutil.which("uv"))
    (tmp_path / "bin" / "uv").write_text(uv, encoding="utf-8")
    machine.environment["UV_CACHE_DIR"] = cache
    return machine


def start(template: Path, machine: Machine) -> Path:
    """Generate, lock and commit a project."""
    site = bake(template, machine.folder, **ALL_ON)
    machine.run(site, "uv", "lock", "--quiet")
    commit(site, "Start")
    return site


def move(machine: Machine, site: Path, *arguments: str) -> str:
    """Run the command in the project, with its own copy of the package if any."""
    environment = machine.environment | package_of(site)
    return run(site, *SOURCE, *arguments, **environment)


def changes(site: Path) -> set[str]:
    """Return the changed paths, with one for all in vendor/."""
    output = run(site, "git", "status", "--porcelain", "--no-renames")
    changed = {line[3:] for line in output.splitlines()}
    return {"vendor" if it.startswith("vendor/") else it for it in changed}


@WHOLE
@pytest.mark.timeout(1000)
@pytest.mark.parametrize("kind", ["private", "public"])
def test_project_moves_to_an_index_and_back(
    kind: str, template: Path, machine: Machine, index: str
) -> None:
    site = start(template, machine)
    before = (site / "pyproject.toml").read_text(encoding="utf-8")
    arguments = [index] if kind == "private" else []
    if kind == "public":
        machine.environment["UV_INDEX"] = index
    move(machine, site, "index", *arguments)
    assert changes(site) == {"pyproject.toml", "uv.lock", "vendor"}
    assert not (site / "vendor").exists()
    metadata = (site / "pyproject.toml").read_text(encoding="utf-8")
    assert f'"secure-django[site]=={RELEASE}"' in metadata
    assert 'path = "vendor/' not in metadata
    assert "docs/updating.md" not in metadata
    assert (index in metadata) == (kind == "private")
    machine.run(site, "uv", "sync", "--quiet", "--locked")
    show = "import secure_django; print(secure_django.__file__)"
    python = str(site / ".venv" / "bin" / "python")
    assert "site-packages" in machine.run(site, python, "-c", show)
    machine.run(site, python, "manage.py", "check")
    source = index if kind == "private" else "index"
    generated = bake(template, machine.folder / kind, **ALL_ON, _package=source)
    assert paths_but_own(generated) == paths_but_own(site)
    for path in paths_but_own(generated):
        assert (generated / path).read_bytes() == (site / path).read_bytes(), path
    commit(site, "Take the package from an index")
    move(machine, site, "vendor")
    assert (site / "pyproject.toml").read_text(encoding="utf-8") == before
    commit(site, "Take the package from vendor/")
    assert run(site, "git", "diff", "--stat", "HEAD~2") == ""


@WHOLE
def test_edit_of_the_package_is_not_lost(
    template: Path, machine: Machine, index: str
) -> None:
    site = start(template, machine)
    (site / PACKAGE_FILE).write_text("# ours\n", encoding="utf-8")
    commit(site, "Edit the package")
    with pytest.raises(AssertionError, match=Path(PACKAGE_FILE).name):
        move(machine, site, "index", index)
    assert not changes(site)


@WHOLE
def test_index_without_the_package_changes_nothing(
    template: Path, machine: Machine
) -> None:
    site = start(template, machine)
    with (
        serve([]) as empty,
        pytest.raises(AssertionError, match="nothing was changed") as failure,
    ):
        move(machine, site, "index", empty)
    assert "Traceback" not in str(failure.value)
    assert not changes(site)


@WHOLE
def test_password_of_an_index_stays_out_of_the_project(
    template: Path, machine: Machine
) -> None:
    site = bake(template, machine.folder, **ALL_OFF)
    url = "https://ann:made-up@packages.example.com/simple/"
    with pytest.raises(AssertionError, match="UV_INDEX_SECURE_DJANGO_PASSWORD"):
        move(machine, site, "index", url)


# By the private variable of the template, which a fork or an organization sets once

URL = "https://packages.example.com/simple/"


def paths_but_own(site: Path) -> set[str]:
    """Return the paths of a project that do not belong to one machine or history."""
    return {
        path
        for path in paths(site)
        if path not in {".env", "db.sqlite3", "uv.lock"}
        and not path.startswith((".git/", ".venv/"))
    }


@pytest.mark.parametrize("answers", [ALL_ON, ALL_OFF], ids=["all on", "all off"])
@pytest.mark.parametrize(("source", "url"), [("index", ""), (URL, URL)])
def test_new_project_has_its_package_on_an_index(
    source: str, url: str, answers: Answers, template: Path, tmp_path: Path
) -> None:
    vendored = bake(template, tmp_path / "vendored", **answers)
    site = bake(template, tmp_path / "site", **answers, _package=source)
    rest = {it for it in paths_but_own(vendored) if not it.startswith("vendor/")}
    assert paths_but_own(site) == rest
    assert not (site / "vendor").exists()
    for path in rest - {"pyproject.toml"}:
        assert (site / path).read_bytes() == (vendored / path).read_bytes(), path
    before = (vendored / "pyproject.toml").read_text(encoding="utf-8")
    after = (site / "pyproject.toml").read_text(encoding="utf-8")
    assert "+vendored" not in after
    assert after == pin_on_index(before, url)
    assert pin_in_vendor(after) == before


def test_default_of_the_template_is_one_variable(
    template: Path, tmp_path: Path, home: dict[str, str]
) -> None:
    fork = shutil.copytree(template, tmp_path / "fork")
    edit_prompts(fork, lambda prompts: prompts.update(_package=URL))
    answers = [answer for answer in typed() if not answer.startswith("_package=")]
    run(tmp_path, "cookiecutter", "--no-input", str(fork), *answers, **home)
    assert not (tmp_path / SLUG / "vendor").exists()
    metadata = (tmp_path / SLUG / "pyproject.toml").read_text(encoding="utf-8")
    assert f'url = "{URL}"' in metadata


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        (
            "https://ann:made-up@packages.example.com/",
            "UV_INDEX_SECURE_DJANGO_PASSWORD",
        ),
        ('https://example.com/"\n[x]', "has a URL such as"),
        ("wheel", "_package is vendor, index or the URL of an index, not wheel."),
    ],
)
def test_package_from_nowhere_is_refused(
    source: str, sentence: str, template: Path, tmp_path: Path, home: dict[str, str]
) -> None:
    answers = [answer for answer in typed() if not answer.startswith("_package=")]
    command = ("cookiecutter", "--no-input", str(template), *answers)
    with pytest.raises(AssertionError, match=re.escape(sentence)):
        run(tmp_path, *command, f"_package={source}", **home)
    assert not (tmp_path / SLUG).exists()


@WHOLE
@pytest.mark.skipif(os.name != "posix", reason="the stand-in for uv is a shell script")
@pytest.mark.parametrize("source", ["vendor", "index"])
def test_update_keeps_the_source_of_a_project(
    source: str, template: Path, tmp_path: Path
) -> None:
    """Also when the default of the template has changed."""
    upstream = shutil.copytree(template, tmp_path / "repositories" / REPOSITORY)
    publish(upstream)
    machine = Machine(tmp_path, upstream.parent)
    site = bake(template, machine.folder, **ALL_OFF, _package=source)
    commit(site, "Start")
    upstream = machine.folder / "repositories" / REPOSITORY
    change(
        upstream, [("cookiecutter.json", '"_package": "vendor"', '"_package": "index"')]
    )
    publish_next(upstream)
    output = machine.run(site, "poe", "template-update")
    assert "Conflicts" not in output
    assert "is not what this project was generated from" not in output
    metadata = (site / "pyproject.toml").read_text(encoding="utf-8")
    local = "+vendored" if source == "vendor" else ""
    assert f'"secure-django[site]=={NEXT}{local}"' in metadata
    assert (site / "vendor").exists() == (source == "vendor")


@pytest.mark.tier("scheduled", "hooks/*", "release.py", "pyproject.toml")
@pytest.mark.timeout(1700)
def test_project_from_an_index_passes_its_tests(
    template: Path, machine: Machine, index: str
) -> None:
    """Before a release too, with the wheel that is published."""
    site = bake(template, machine.folder, **ALL_OFF, _package=index)
    machine.run(site, "uv", "lock", "--quiet")
    machine.run(site, "uv", "sync", "--quiet", "--locked")
    python = str(site / ".venv" / "bin" / "python")
    show = "import secure_django; print(secure_django.__file__)"
    assert "site-packages" in machine.run(site, python, "-c", show)
    machine.run(site, python, "manage.py", "check")
    output = machine.run(site, python, "-m", "pytest", "-q", "-n0")
    assert " passed" in output


# In vendor/, as uv installs it


@WHOLE
@pytest.mark.timeout(1000)
def test_environment_follows_an_edit_in_vendor(
    template: Path, machine: Machine
) -> None:
    site = start(template, machine)
    sync = ("uv", "sync", "--locked", "--no-dev")
    machine.run(site, *sync, "--quiet")
    (site / VENDOR / "src" / "secure_django" / "own.py").touch()
    python = str(site / ".venv" / "bin" / "python")
    machine.run(site, *sync, "--quiet")
    machine.run(site, python, "-c", "import secure_django.own")
    metadata = site / VENDOR / "pyproject.toml"
    text = metadata.read_text(encoding="utf-8")
    other = re.sub(
        "^dependencies = .+$", 'dependencies = ["idna"]', text, flags=re.MULTILINE
    )
    metadata.write_text(other, encoding="utf-8")
    with pytest.raises(AssertionError, match="lockfile"):
        machine.run(site, *sync)
