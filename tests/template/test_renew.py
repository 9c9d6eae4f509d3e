"""The renewal of the pins: the command on a local index, and the weekly workflow."""

import os
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.error import URLError

import pytest
import yaml

import renew as renewal
from tests.support.baking import RAW, ROOT, commit, run
from tests.support.index import Release, serve
from tests.support.registry import (
    BLOBS,
    HUB,
    LOGIN,
    Registry,
    digest_of,
    serve_images,
)
from tests.support.renewal import UV
from tests.support.updating import Machine, Request, execute

pytestmark = pytest.mark.tier(
    "scheduled",
    "renew.py",
    ".github/workflows/renew.yml",
    f"{RAW}/pyproject.toml",
    f"{RAW}/*Dockerfile",
    "docs/recipes/*",
)

WORKFLOW = ".github/workflows/tests.yml"
COMMIT = "3d3c42e5aac5ba805825da76410c181273ba90b1"
# A template in small: each form of a pin, and each place of uv's and Python's version.
FILES = {
    "pyproject.toml": """\
[project]
requires-python = ">=3.12,<3.15"

[project.optional-dependencies]
site = ["django>=6.1.3,<6.2", "django-allauth>=65.21.0,<65.22", "gunicorn>=27.0"]
accounts = ["made-up[site]", "django-allauth[mfa]>=65.21.0,<65.22"]

[dependency-groups]
dev = [
    # Generates projects.
    "cookiecutter==2.7.1",
    "cryptography~=50.0.0",
    "django-allauth[mfa]~=65.21.1",
    "django~=6.1.3",
    "gunicorn==27.0.1",
    "ruff==0.17.5", # 0.17.5 is quoted here
]
""",
    f"{RAW}/pyproject.toml": """\
[project]
requires-python = ">=3.12,<3.15" # 3.14 is the newest that CI tests
dependencies = [
    "cryptography~=50.0.0",
    "django~=6.1.3",
    "django-allauth~=65.21.1",
    # % if cookiecutter.auth_app
    "django-allauth[mfa]~=65.21.1",
    # % endif
    "gunicorn==27.0.1; sys_platform != 'win32'",
]

[dependency-groups]
dev = ["ruff==0.17.5", "secure-django[guard]==1.0.0+vendored"]

[tool.uv]
required-version = ">=0.13.9"
exclude-newer = "7 days"

[tool.uv.exclude-newer-package]
cryptography = false
django = false
django-allauth = false
""",
    "update.py": (
        'COOKIECUTTER = ("uv", "tool", "run", "--from", "cookiecutter==2.7.1", '
        '"cookiecutter")\n'
    ),
    "README.md": "| Python | 3.12, 3.13, 3.14 |\n",
    "docs/recipes/htmx.md": 'uv add "django-htmx==1.29.0"\n',
    "docs/recipes/old.md": 'uv add "old==1.0"\n',
    "CHANGELOG.md": "- Takes astral-sh/uv:0.13.9.\n",
    ".ci/run": 'pip install "uv==$(sed -n s/uv:// Dockerfile)"\n',
    ".github/workflows/tests.yml": f"""\
jobs:
  test:
    strategy:
      matrix:
        python: ["3.12", "3.13", "3.14"]
    container: ghcr.io/astral-sh/uv:0.13.9-trixie
    steps:
      - uses: actions/checkout@{COMMIT} # v7.0.1
      - uses: astral-sh/setup-uv@{COMMIT} # v10.0.1
        with:
          python-version: ${{{{ matrix.python }}}}
          version: ${{{{ steps.uv.outputs.version }}}}
      - uses: acme/other@{COMMIT} # v1.0.0
        with:
          version: "0.13.9"
""",
    f"{RAW}/.gitlab-ci.yml": """\
variables:
  PYTHON: "3.14"
default:
  image: ghcr.io/astral-sh/uv:0.13.9-python$PYTHON-trixie
test:
  parallel:
    matrix:
      - PYTHON: ["3.12", "3.13", "3.14"]
""",
    f"{RAW}/Dockerfile": (
        "FROM ghcr.io/astral-sh/uv:0.13.9 AS uv\nFROM python:3.14-slim-trixie\n"
    ),
}
PRESENT = [
    Release("cookiecutter", "2.7.1"),
    Release("cryptography", "50.0.0"),
    Release("Django", "6.1.3"),
    Release("django-allauth", "65.21.1", extras=("mfa",), requires=("django>=5",)),
    Release("django-htmx", "1.29.0", requires=("django>=5",)),
    Release("gunicorn", "27.0.1"),
    Release("old", "1.0", requires=("django<6.1.4",)),
    Release("ruff", "0.17.5"),
    Release("uv", "0.13.9"),
]
NEWER = [
    Release("cookiecutter", "2.8.0", days=8),
    Release("cookiecutter", "2.9.0", days=6),
    Release("cryptography", "50.1", days=0.1),
    Release("Django", "6.1.4", days=0.1),
    Release("Django", "6.2.0", days=20),
    Release(
        "django-allauth", "65.22.1", days=0.1, extras=("mfa",), requires=("django>=5",)
    ),
    Release("django-htmx", "1.30.0", days=8, requires=("django>=5",)),
    Release("gunicorn", "28.0.0", days=6),
    Release("ruff", "0.18.0", days=8),
    Release("uv", "0.14.0", days=8),
    Release("uv", "0.14.1", days=6),
]
TABLE = """\
| package or image | from | to |
| --- | --- | --- |
| cookiecutter | 2.7.1 | 2.8.0 |
| cryptography | 50.0.0 | 50.1 |
| django | 6.1.3 | 6.1.4 |
| django-allauth | 65.21.1 | 65.22.1 |
| django-htmx | 1.29.0 | 1.30.0 |
| ruff | 0.17.5 | 0.18.0 |
| uv | 0.13.9 | 0.14.0 |
"""


def make(folder: Path) -> Path:
    """Create the template in small, with the real command, and commit it."""
    for path, text in FILES.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8", newline="\n")
    shutil.copy2(ROOT / "renew.py", folder)
    commit(folder, "Start")
    return folder


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """Return a template in small that no test has changed."""
    return make(tmp_path / "template")


@pytest.fixture(scope="module")
def renewed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """Return a small template after its renewal, and the output; tests only read it."""
    folder = make(tmp_path_factory.mktemp("renewed") / "template")
    return folder, renew(folder, PRESENT + NEWER)


def renew(
    folder: Path, releases: list[Release], *options: str, **environment: str
) -> str:
    """Run the command against an index with these releases, and return its output.

    A folder stands in for GitHub.
    """
    config = folder.parent / "gitconfig"
    config.write_text(
        f'[url "{folder.parent.as_posix()}/"]\ninsteadOf = https://github.com/\n',
        encoding="utf-8",
    )
    with serve(releases) as url:
        command = (sys.executable, "renew.py", *options)
        return run(
            folder,
            *command,
            GIT_CONFIG_GLOBAL=str(config),
            UV_DEFAULT_INDEX=url,
            UV_PYTHON=sys.executable,
            **environment,
        )


def read(folder: Path, path: str) -> str:
    return (folder / path).read_text(encoding="utf-8")


def masked(text: str) -> str:
    """Return a text without the digits of its versions."""
    return re.sub(r"\d+(?:\.\d+)+", "X", text)


def changed(folder: Path) -> set[str]:
    return {
        line[3:].strip('"')
        for line in run(folder, "git", "status", "--porcelain", "-z").split("\0")
        if line
    }


def without(releases: list[Release], *names: str) -> list[Release]:
    return [release for release in releases if release.name not in names]


def test_pins_are_raised_to_what_the_cooldown_allows(renewed: tuple[Path, str]) -> None:
    folder, printed = renewed
    assert f"releases of the actions …\n{TABLE}" in printed
    own, emitted = read(folder, "pyproject.toml"), read(folder, f"{RAW}/pyproject.toml")
    for text in (own, emitted):
        assert '"django~=6.1.4"' in text
        assert '"django-allauth[mfa]~=65.22.1"' in text
        assert '"cryptography~=50.1.0"' in text, (
            "with two numbers, it would take new features"
        )
        assert '"gunicorn==27.0.1' in text, "28.0.0 is too young"
        assert '"ruff==0.18.0"' in text
    assert '"django-allauth~=65.22.1"' in emitted
    assert '"cookiecutter==2.8.0"' in own
    assert '"cookiecutter==2.8.0"' in read(folder, "update.py")
    assert '"secure-django[guard]==1.0.0+vendored"' in emitted


def test_range_of_the_package_follows_the_pin(renewed: tuple[Path, str]) -> None:
    text = read(renewed[0], "pyproject.toml")
    assert 'site = ["django>=6.1.3,<6.2", "django-allauth>=65.22.1,<65.23", ' in text
    assert '"django-allauth[mfa]>=65.22.1,<65.23"' in text
    assert '"gunicorn>=27.0"' in text


def test_recipe_is_raised_or_named_if_its_packages_do_not_fit(
    renewed: tuple[Path, str],
) -> None:
    folder, printed = renewed
    page = read(folder, "docs/recipes/htmx.md")
    assert page == 'uv add "django-htmx==1.30.0"\n'
    assert (
        "- docs/recipes/old.md no longer applies: its packages do not fit. "
        "Edit the page, which names old.\n" in printed
    )


def test_uv_is_raised_wherever_it_is_installed(renewed: tuple[Path, str]) -> None:
    folder, _ = renewed
    places = (f"{RAW}/Dockerfile", f"{RAW}/.gitlab-ci.yml", WORKFLOW)
    for path in places:
        assert re.findall(r"uv:([\d.]+)", read(folder, path)) == ["0.14.0"]
    assert 'required-version = ">=0.13.9"' in read(folder, f"{RAW}/pyproject.toml")


def test_files_that_stay_as_they_are_exist() -> None:
    """One that moved would be rewritten."""
    assert [path for path in sorted(renewal.KEPT) if not (ROOT / path).is_file()] == []


def test_only_versions_change(renewed: tuple[Path, str]) -> None:
    folder, _ = renewed
    for path, text in FILES.items():
        assert masked(read(folder, path)) == masked(text), path
    kept = {"README.md", "CHANGELOG.md", "docs/recipes/old.md", ".ci/run"}
    assert changed(folder) == set(FILES) - kept
    assert "# 0.17.5 is quoted here" in read(folder, "pyproject.toml")


def test_second_run_changes_nothing(renewed: tuple[Path, str], tmp_path: Path) -> None:
    folder = shutil.copytree(renewed[0], tmp_path / "template")
    commit(folder, "Renew")
    assert "\nNothing to raise.\n" in renew(folder, PRESENT + NEWER)
    assert not changed(folder)


def test_new_line_of_django_is_left_for_a_decision(renewed: tuple[Path, str]) -> None:
    page, heading = "docs/support.md", "move-to-django-62-lts"
    assert f"- Django 6.2 is out: {page}#{heading} says what to edit.\n" in renewed[1]
    assert "\n## Move to Django 6.2 LTS\n" in read(ROOT, page)


def test_package_that_leaves_its_range_names_the_page(
    renewed: tuple[Path, str],
) -> None:
    page, heading = "docs/decisions.md", "private-parts-of-other-packages"
    sentence = (
        "- django-allauth 65.22.1 leaves the range below 65.22: "
        f"read its changelog beside {page}#{heading}.\n"
    )
    assert sentence in renewed[1]
    assert "\n## Private parts of other packages\n" in read(ROOT, page)
    assert "gunicorn" not in renewed[1]


def test_pin_that_is_too_young_is_lowered(small: Path) -> None:
    """`uv lock` fails in every new project that has it."""
    young = [
        *without(PRESENT, "ruff"),
        Release("ruff", "0.17.5", days=2),
        Release("ruff", "0.17.4"),
    ]
    printed = renew(small, young)
    assert "| ruff | 0.17.5 | 0.17.4 |" in printed
    assert (
        "Lowered, since the pin is withdrawn or younger than 7 days:\n\n- ruff\n"
        in printed
    )
    assert '"ruff==0.17.4", # 0.17.5 is quoted here' in read(small, "pyproject.toml")


def test_newer_release_pulls_no_other_package_down(small: Path) -> None:
    """Alone, the resolver would take the newest gunicorn, and an older ruff with it."""
    both = [
        Release("gunicorn", "28.0.0", requires=("ruff<0.17",)),
        Release("ruff", "0.16.0"),
    ]
    assert "\nNothing to raise.\n" in renew(small, PRESENT + both)


def test_one_version_fits_every_python(small: Path) -> None:
    newest = [Release("ruff", "0.18.0"), Release("ruff", "0.19.0", python=">=3.13")]
    newest += [Release("gunicorn", "28.0.0", python=">=3.13", requires=("ruff<0.18",))]
    printed = renew(small, PRESENT + newest)
    assert "| ruff | 0.17.5 | 0.18.0 |" in printed
    assert "gunicorn" not in printed


def test_set_that_cannot_be_resolved_ends_with_the_reason(small: Path) -> None:
    apart = [
        Release("gunicorn", "27.0.1", requires=("ruff<0.17",)),
        *without(PRESENT, "gunicorn"),
    ]
    with pytest.raises(
        AssertionError, match="uv finds no set that fits together"
    ) as failure:
        renew(small, apart)
    assert "gunicorn" in str(failure.value)
    assert not changed(small)


def test_next_python_is_added_on_demand_once_there_are_wheels(small: Path) -> None:
    """Use 3.15: uv knows it, and these files lack it."""
    old = [
        *without(PRESENT, "cryptography"),
        Release("cryptography", "50.0.0", tag="cp314-cp314-manylinux_2_17_x86_64"),
    ]
    lacking = (
        "- Python 3.15 is out, but cryptography has no wheel for it on "
        "x86_64-manylinux_2_28.\n"
    )
    assert lacking in renew(small, old, "--python")
    assert not changed(small)
    assert "- Python 3.15 is out, with wheels of every package:" in renew(
        small, PRESENT
    )
    assert not changed(small)
    assert "- Python 3.15 is added." in renew(small, PRESENT, "--python")
    assert read(small, "README.md") == "| Python | 3.12, 3.13, 3.14, 3.15 |\n"
    for path in (".github/workflows/tests.yml", f"{RAW}/.gitlab-ci.yml"):
        assert '["3.12", "3.13", "3.14", "3.15"]' in read(small, path)
    assert 'PYTHON: "3.15"' in read(small, f"{RAW}/.gitlab-ci.yml")
    assert "FROM python:3.15-slim-trixie" in read(small, f"{RAW}/Dockerfile")
    for path in ("pyproject.toml", f"{RAW}/pyproject.toml"):
        assert 'requires-python = ">=3.12,<3.16"' in read(small, path)


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    """Serve images in place of every registry."""
    folder = tmp_path / "registry"
    folder.mkdir()
    nginx = ["1.30-alpine", "1.31-alpine", "1.32-alpine", "1.34-alpine", "1.36"]
    tags = {
        "library/nginx": [*nginx, "2.0-alpine", "stable-alpine"],
        "library/redis": ["8"],
        "library/python": ["3.14-slim-trixie"],
        "owasp/dependency-check": ["12.2.2", "12.3.0", "12.10.1", "13.0.0"],
        "team/site": ["1.0", "1.1"],
    }
    with serve_images(Registry(tags, {"1.34-alpine"}), folder) as served:
        yield served


IMAGES = {
    f"{RAW}/compose.yaml": "services:\n  proxy:\n    image: nginx:1.30-alpine\n",
    f"{RAW}/.github/workflows/ci.yml": (
        "        image: postgres:18-alpine # a service\n"
    ),
    "src/secure_django/scans/Dockerfile": "FROM owasp/dependency-check:12.2.2\n",
    "tests/test_compose.py": 'IMAGES = "nginx:1.30-alpine", "my-nginx:1.30-alpine"\n',
}


def add_files(folder: Path, files: dict[str, str]) -> None:
    """Commit files in a template in small."""
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")
    commit(folder, "Images")


def test_images_are_raised_within_their_major_version(
    small: Path, registry: Registry
) -> None:
    add_files(small, IMAGES)
    printed = renew(small, PRESENT, **registry.environment)
    assert "\n| nginx-alpine | 1.30 | 1.32 |\n" in printed
    assert "\n| owasp/dependency-check | 12.2.2 | 12.10.1 |\n" in printed
    advice = "read its changelog, then write the version into"
    left = [
        f"nginx 2 is out: {advice} tests/test_compose.py, {RAW}/compose.yaml.",
        "not read: the tags of postgres",
        (
            f"owasp/dependency-check 13 is out: {advice} "
            "src/secure_django/scans/Dockerfile."
        ),
    ]
    assert (
        re.findall(r"^- (.+)$", printed.partition("Due in")[0], re.MULTILINE)[:3]
        == left
    )
    assert (
        read(small, "tests/test_compose.py")
        == 'IMAGES = "nginx:1.32-alpine", "my-nginx:1.30-alpine"\n'
    )
    pinned = {f"{RAW}/Dockerfile"}
    assert changed(small) - pinned == IMAGES.keys() - {
        f"{RAW}/.github/workflows/ci.yml"
    }


def test_token_is_for_its_registry_alone(small: Path, registry: Registry) -> None:
    add_files(small, IMAGES)
    renew(small, PRESENT, **registry.environment)
    with_token = {host for host, _, has_token in registry.asked if has_token}
    assert with_token == {HUB, "ghcr.io"}
    without_token = {host for host, _, has_token in registry.asked if not has_token}
    assert without_token >= {LOGIN, BLOBS}


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/", "ftp://127.0.0.1:1/"])
def test_registry_is_asked_by_https_alone(url: str) -> None:
    """A redirect is opened by the same opener."""
    with pytest.raises(URLError, match="unknown url type"):
        renewal.make_opener().open(url, timeout=1)


def test_busy_registry_is_asked_again(small: Path, registry: Registry) -> None:
    image = f"{RAW}/compose.yaml"
    add_files(small, {image: "image: busy.example.com/team/site:1.0\n"})
    (small / RAW / "Dockerfile").write_text(
        "FROM ghcr.io/astral-sh/uv:0.13.9 AS uv\n", encoding="utf-8"
    )
    commit(small, "One image")
    printed = renew(small, PRESENT, **registry.environment)
    assert "\n| busy.example.com/team/site | 1.0 | 1.1 |\n" in printed


def test_hanging_registry_ends_with_what_it_waited_for(
    small: Path, registry: Registry
) -> None:
    image = f"{RAW}/compose.yaml"
    add_files(small, {image: "image: slow.example.com/team/site:1.0\n"})
    start = time.monotonic()
    with pytest.raises(AssertionError, match="ended with 1") as failure:
        renew(small, PRESENT, "--limit", "10", **registry.environment)
    assert time.monotonic() - start < 25
    printed = str(failure.value)
    assert "The time is over, and this had no answer yet: " in printed
    assert "Nothing was changed." in printed
    assert not changed(small)


def test_images_get_the_digest_of_their_tag(small: Path, registry: Registry) -> None:
    compose = f"{RAW}/compose.yaml"
    workflow = f"{RAW}/.github/workflows/ci.yml"
    old = digest_of("old")
    add_files(
        small,
        {
            compose: f"image: nginx:1.30-alpine@{old}\n"
            'image: "my-site:${RELEASE:-latest}"\n'
            f"image: redis:8@{old}\n",
            workflow: "image: nginx:1.30-alpine\n",
        },
    )
    printed = renew(small, PRESENT, **registry.environment)
    assert read(small, compose) == (
        f"image: nginx:1.32-alpine@{digest_of('nginx:1.32-alpine')}\n"
        'image: "my-site:${RELEASE:-latest}"\n'
        f"image: redis:8@{digest_of('redis:8')}\n"
    )
    # No bot would raise it there.
    assert read(small, workflow) == "image: nginx:1.32-alpine\n"
    python = "python:3.14-slim-trixie"
    assert f"FROM {python}@{digest_of(python)}\n" in read(small, f"{RAW}/Dockerfile")
    assert f"| {python} | no digest | sha256:" in printed
    title = "Without a digest, since their registry could not be read:"
    unread = printed.partition(title)[2]
    assert unread.startswith("\n\n- ghcr.io/astral-sh/uv:0.13.9\n")
    commit(small, "Renew")
    registry.tags.clear()
    # The same tags keep their digests, and a new one has none.
    added = renew(small, PRESENT, "--python", **registry.environment)
    assert "Python 3.15 is added." in added
    assert changed(small) >= {f"{RAW}/Dockerfile"}
    assert compose not in changed(small)
    assert "FROM python:3.15-slim-trixie\n" in read(small, f"{RAW}/Dockerfile")


def test_due_actions_are_listed(small: Path) -> None:
    for action, tags in {
        "actions/checkout": ["v7.0.1", "v7.1.0", "v8"],
        "astral-sh/setup-uv": ["v10.0.1"],
    }.items():
        (small.parent / action).mkdir(parents=True)
        commit(small.parent / action, "Release")
        for tag in tags:
            run(small.parent / action, "git", "tag", tag)
    due = renew(small, PRESENT).partition("Due in `.github/workflows/`")[2]
    assert re.findall(r"^- (.+)$", due, re.MULTILINE) == [
        "actions/checkout 7.0.1 → 7.1.0",
        "not read: the releases of acme/other",
    ]


# The real files


def test_every_pin_of_the_real_files_is_raised(template: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(template, tmp_path / "template")
    commit(folder, "Start")
    files = ("pyproject.toml", f"{RAW}/pyproject.toml", "update.py")
    before = {path: read(folder, path) for path in files}
    pins = dict(
        re.findall(
            r'"([\w.-]+)(?:\[[\w,-]+\])?(?:==|~=)(\d[\d.]*)(?=[";])',
            "\n".join(before.values()),
        )
    ) | {"uv": UV}
    extras = tuple(
        {
            extra
            for found in re.findall(r"\[([\w,-]+)\](?:==|~=)", "".join(before.values()))
            for extra in found.split(",")
        }
    )
    newer = {
        name: f"{version}.1" if version.count(".") == 1 else patched(version)
        for name, version in pins.items()
    }
    both = [
        Release(name, version, days, extras=extras)
        for days, it in ((30, pins), (8, newer))
        for name, version in it.items()
    ]
    table = renew(folder, both).partition("\n\n")[0]
    assert set(
        re.findall(r"^\| ([\w-]+) \| [\d.]+ \| [\d.]+ \|", table, re.MULTILINE)
    ) == set(pins)
    for path in files:
        expected = before[path]
        for name, version in pins.items():
            pin = re.compile(
                rf'("{re.escape(name)}(?:\[[\w,-]+\])?(?:==|~=))'
                rf"{re.escape(version)}(?![\d.])"
            )
            expected = pin.sub(rf"\g<1>{newer[name]}", expected)
        assert read(folder, path) == expected
    removed = [
        line
        for line in run(folder, "git", "diff", "-U0").splitlines()
        if re.match(r"-(?!--)", line)
    ]
    others = [
        line
        for line in removed
        if line[1:] not in "".join(before.values()).splitlines()
    ]
    assert others
    assert not [line for line in others if UV not in line], (
        "outside these files, only uv is raised"
    )
    texts = {
        path: text
        for path, text in renewal.tracked_texts().items()
        if path.suffix != ".lock"
    }
    left = [
        path
        for path in texts
        if re.search(rf"\b{re.escape(UV)}\b", read(folder, str(path.relative_to(ROOT))))
    ]
    assert not left


def patched(version: str) -> str:
    """Return the next patch release."""
    start, _, last = version.rpartition(".")
    return f"{start}.{int(last) + 1}"


def test_next_python_reaches_every_real_file() -> None:
    """test_pins.py compares these places."""
    texts = renewal.tracked_texts()
    last = max(re.findall(r'"(3\.\d+)"', texts[ROOT / WORKFLOW]), key=renewal.number)
    new = renewal.following(last)
    renewal.add_python(texts, new)
    for path in (WORKFLOW, f"{RAW}/.github/workflows/ci.yml", f"{RAW}/.gitlab-ci.yml"):
        assert f'"{last}", "{new}"]' in texts[ROOT / path], path
    left = {
        path.relative_to(ROOT).as_posix()
        for path, text in texts.items()
        if re.search(rf"(?<![\d.]){re.escape(last)}(?!, {new}|\", \"{new}|[\d.])", text)
    }
    assert not left
    for folder in (ROOT, ROOT / RAW):
        assert f",<{renewal.following(new)}" in texts[folder / "pyproject.toml"]
        assert new in texts[folder / "README.md"]


# The weekly workflow

# It also tries to change what the request will contain. GitHub gives it no RED: here it
# says how the tests end.
CI_RUN = """\
#!/bin/bash
# uv==0.13.9
printf '%s\\n' 'diff --git a/more b/more' 'new file mode 100644' '--- /dev/null' \\
  '+++ b/more' '@@ -0,0 +1 @@' '+more' |
  tee -a "$RUNNER_TEMP"/renewal/* "$RUNNER_TEMP"/failures/{body.md,renewal.patch}
if [ "$RED" = hanging ]; then exit 124; fi
if [ -n "$RED" ] && grep -q ruff==0.18.0 pyproject.toml; then
  echo "FAILED tests/template/test_updates.py::test_request[token of the job]" \\
    "- AssertionError: assert 1 - 2"
  echo "ERROR tests/template/test_http.py::test_errors"
  echo "FAILED 1 of 2"
  exit 1
fi
"""


@pytest.fixture
def machine(tmp_path: Path, small: Path) -> Machine:
    """Return a machine with gh's stand-in, and a repository whose tests can be red."""
    if os.name != "posix" or not shutil.which("jq"):
        pytest.skip("the stand-in for gh is a shell script, and needs jq")
    (small / ".ci" / "run").write_text(CI_RUN, encoding="utf-8")
    (small / ".ci" / "run").chmod(0o755)
    commit(small, "Make the tests red on demand")
    machine = Machine(tmp_path, tmp_path / "github.com" / "org")
    # The real one runs, against this machine's index.
    (tmp_path / "bin" / "uv").unlink()
    git = (tmp_path / "home" / ".gitconfig").read_text(encoding="utf-8")
    (tmp_path / "home" / ".gitconfig").write_text(
        git.replace("/org/", "/"), encoding="utf-8"
    )
    run(tmp_path, "git", "clone", "--quiet", "--bare", str(small), str(machine.remote))
    return machine


def run_workflow(
    machine: Machine, *, releases: list[Release], red: str = "", allowed: bool = True
) -> Request:
    """Run both jobs of the workflow, each in a new clone.

    An artifact has what its folder had at that moment.
    """
    jobs = yaml.safe_load(read(ROOT, ".github/workflows/renew.yml"))["jobs"]
    artifacts = Path(tempfile.mkdtemp(dir=machine.folder))
    request = Request(artifacts)
    before = run(machine.remote, "git", "for-each-ref")
    with serve(releases) as url:
        found = run_job(
            jobs["renew"],
            request,
            machine,
            {"UV_DEFAULT_INDEX": url, "UV_PYTHON": sys.executable, "RED": red},
        )
    if "changed=yes" in found["GITHUB_OUTPUT"] and not request.failed:
        fixed = {
            key: value
            for key, value in jobs["request"]["env"].items()
            if "${{" not in value
        }
        fixed |= {
            "TESTS": request.tests,
            "RUN": "https://run",
            "ALLOWED": "yes" if allowed else "",
        }
        request.body = run_job(jobs["request"], request, machine, fixed)["body"]
    request.pushed = run(machine.remote, "git", "for-each-ref") != before
    return request


def run_job(
    job: dict[str, Any], request: Request, machine: Machine, environment: dict[str, str]
) -> dict[str, str]:
    """Run a job's steps, each under its condition; return the texts that it leaves."""
    clone, runner = machine.clone("main"), Path(tempfile.mkdtemp(dir=machine.folder))
    output, page = runner / "output", runner / "page.md"
    output.touch()
    environment = environment | {
        "RUNNER_TEMP": str(runner),
        "GITHUB_OUTPUT": str(output),
    }
    environment["GITHUB_STEP_SUMMARY"] = str(page)
    for step in job["steps"]:
        met = {
            "": True,
            "${{ steps.patch.outputs.changed }}": "changed=yes"
            in output.read_text(encoding="utf-8"),
            "${{ steps.tests.outcome == 'failure' }}": request.tests == "failure",
            "${{ needs.renew.outputs.tests == 'failure' }}": request.tests == "failure",
        }
        if request.failed or not met[step.get("if", "")]:
            continue
        folder = runner / step.get("with", {}).get("path", "").removeprefix(
            "${{ runner.temp }}/"
        )
        if "upload-artifact@" in step.get("uses", ""):
            shutil.copytree(folder, request.artifact / step["with"]["name"])
        elif "download-artifact@" in step.get("uses", ""):
            source = request.artifact / step["with"]["name"]
            shutil.copytree(source, folder, dirs_exist_ok=True)
        elif "uv tool install" in step.get("run", ""):
            pass  # the uv of this index is empty
        elif "run" in step:
            code = execute(request, machine, clone, step["run"], environment)
            if step.get("id") == "tests":
                request.tests = "failure" if code else "success"
            else:
                request.failed = bool(code)
    body = runner / "renewal" / "body.md"
    return {
        "GITHUB_OUTPUT": output.read_text(encoding="utf-8"),
        "body": body.read_text(encoding="utf-8") if body.is_file() else "",
    }


def test_green_renewal_becomes_a_request(machine: Machine) -> None:
    request = run_workflow(machine, releases=PRESENT + NEWER)
    assert not request.failed, request.log
    assert TABLE in request.body
    assert "All tests (`.ci/run`): success, see https://run" in request.body
    assert "Checks do not start by themselves" in request.body
    assert "gh pr create --head renewal --title Raise the pins" in request.log
    assert "--draft" not in request.log
    pulled = machine.clone("renewal")
    assert '"ruff==0.18.0"' in read(pulled, "pyproject.toml")
    assert "more" not in request.body
    assert not (pulled / "more").exists(), "the tests' code reached the request"


def test_own_workflows_are_left_alone_and_listed(machine: Machine) -> None:
    request = run_workflow(machine, releases=PRESENT + NEWER)
    pulled = machine.clone("renewal")
    assert read(pulled, WORKFLOW) == FILES[WORKFLOW]
    assert "uv:0.14.0" in read(pulled, f"{RAW}/Dockerfile")
    assert (
        "\n-    container: ghcr.io/astral-sh/uv:0.13.9-trixie\n"
        "+    container: ghcr.io/astral-sh/uv:0.14.0-trixie\n" in request.body
    )
    assert (
        "- not read: the releases of acme/other, actions/checkout, astral-sh/setup-uv\n"
        in request.body
    )
    run(pulled, "git", "apply", str(request.artifact / "renewal" / "workflows.patch"))
    assert "uv:0.14.0-trixie" in read(pulled, WORKFLOW)
    # Merged without them: nothing else is due, so there is no request.
    run(machine.remote, "git", "update-ref", "refs/heads/main", "refs/heads/renewal")
    again = run_workflow(machine, releases=PRESENT + NEWER)
    assert not again.pushed
    assert not again.failed
    assert "Only .github/workflows is due." in again.log


def test_red_renewal_is_a_draft_that_names_the_tests(machine: Machine) -> None:
    request = run_workflow(machine, releases=PRESENT + NEWER, red="yes")
    assert not request.failed, request.log
    assert re.search(r"gh pr create .+ --draft$", request.log, re.MULTILINE)
    assert "All tests (`.ci/run`): failure, see https://run" in request.body
    names = request.body.partition("\nFailed:\n\n")[2].partition("\n\n")[0]
    assert names.splitlines() == [
        "- `tests/template/test_http.py::test_errors`",
        "- `tests/template/test_updates.py::test_request[token of the job]`",
    ]
    assert "more" not in request.body
    assert not (machine.clone("renewal") / "more").exists(), "the patch was replaced"
    hanging = run_workflow(machine, releases=PRESENT + NEWER, red="hanging")
    assert "gh pr ready renewal --undo" in hanging.log
    assert "No test failed by name: the run's log says why." in hanging.body
    green = run_workflow(machine, releases=PRESENT + NEWER)
    assert "gh pr edit renewal" in green.log
    assert re.search(r"gh pr ready renewal$", green.log, re.MULTILINE)


def test_nothing_to_raise_opens_no_request(machine: Machine) -> None:
    request = run_workflow(machine, releases=PRESENT)
    assert not request.failed
    assert not request.pushed
    assert request.tests == "skipped"


def test_commits_of_a_person_stay_on_the_branch(machine: Machine) -> None:
    run_workflow(machine, releases=PRESENT + NEWER)
    clone = machine.clone("renewal")
    (clone / "fix.md").write_text("# Fix\n", encoding="utf-8")
    commit(clone, "Fix")
    run(clone, "git", "push", "--quiet", "origin", "renewal")
    refused = run_workflow(machine, releases=PRESENT + NEWER)
    assert refused.failed
    assert "has commits of yours" in refused.log
    assert (machine.clone("renewal") / "fix.md").is_file()


def test_workflow_says_how_to_allow_requests(machine: Machine) -> None:
    request = run_workflow(machine, releases=PRESENT + NEWER, allowed=False)
    assert request.failed
    assert "Settings > Actions > General" in request.log
