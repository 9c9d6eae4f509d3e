"""One tested set: pinned packages, Python and uv, and the machines that raise them."""

import json
import re
import shutil
import tomllib
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from tests.support.baking import (
    ALL_OFF,
    ALL_ON,
    COMBINATIONS,
    RAW,
    ROOT,
    Answers,
    Project,
    is_text,
    name,
    run,
)
from tests.support.index import Release, serve
from tests.support.readme import section
from tests.support.renewal import AT_ONCE, UV

PIN = re.compile(r"==[\d.]+")
PATCHES = re.compile(r"~=\d+\.\d+\.\d+")
GITLAB = ALL_ON | {"ci_scanning": "gitlab"}


def metadata(folder: Path) -> dict[str, Any]:
    """Return what a folder's pyproject.toml says."""
    return tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))


def requirements(folder: Path) -> list[Requirement]:
    """Return every direct requirement of a pyproject.toml, with extras and groups."""
    project, groups = metadata(folder)["project"], metadata(folder)["dependency-groups"]
    extras = project.get("optional-dependencies", {})
    texts = chain(project.get("dependencies", []), *extras.values(), *groups.values())
    return [Requirement(text) for text in texts]


def unpinned(folder: Path) -> list[str]:
    """Return the requirements that take more releases than they may.

    They may take a pin, or patches of the packages that need them.
    """
    return [
        str(it)
        for it in requirements(folder)
        if not (PATCHES if canonicalize_name(it.name) in AT_ONCE else PIN).fullmatch(
            str(it.specifier)
        )
    ]


def locked(folder: Path) -> dict[str, str]:
    """Return the versions in a folder's uv.lock."""
    packages = tomllib.loads((folder / "uv.lock").read_text(encoding="utf-8"))[
        "package"
    ]
    return {package["name"]: package.get("version", "") for package in packages}


# Packages


@pytest.mark.parametrize("answers", COMBINATIONS, ids=name)
def test_every_package_is_pinned_as_in_the_template(
    answers: Answers, pristine: Project
) -> None:
    tested = {canonicalize_name(it.name): it for it in requirements(ROOT)}
    assert not unpinned(ROOT)
    assert not unpinned(pristine(answers))
    for requirement in requirements(pristine(answers)):
        pin = tested[canonicalize_name(requirement.name)]
        assert requirement.specifier == pin.specifier, f"{requirement} is not {pin}"
        assert requirement.extras <= pin.extras, (
            f"{requirement} has other extras than {pin}"
        )


def test_template_has_the_settings_of_uv_that_projects_have(pristine: Project) -> None:
    assert metadata(ROOT)["tool"]["uv"] == metadata(pristine(ALL_ON))["tool"]["uv"]


@pytest.mark.tier("whole")
@pytest.mark.parametrize("answers", [ALL_ON, ALL_OFF], ids=name)
def test_pinned_set_locks_under_its_own_cooldown(
    answers: Answers, project: Project
) -> None:
    folder = project(answers)
    run(folder, "uv", "lock")
    versions = locked(folder)
    assert not [
        it
        for it in requirements(folder)
        if versions[canonicalize_name(it.name)] not in it.specifier
    ]


@pytest.mark.tier("whole")
def test_own_pins_lock_under_their_own_cooldown(tmp_path: Path) -> None:
    for file in ("pyproject.toml", "README.md"):
        shutil.copy(ROOT / file, tmp_path)
    run(tmp_path, "uv", "lock")


def later(version: str, part: int) -> str:
    """Return the next version: 1 raises the minor number, 2 the patch."""
    numbers = [*map(int, version.split(".")), 0][:3]
    return ".".join(map(str, [*numbers[:part], numbers[part] + 1, *[0] * (2 - part)]))


def releases(folder: Path, days: float) -> list[Release]:
    """Return the pinned releases of a folder, all of one age.

    All extras and a transitive package are among them.
    """
    extras = ("binary", "mfa", "s3", "sarif")
    pins = {
        canonicalize_name(it.name): next(iter(it.specifier)).version
        for it in requirements(folder)
    }
    return [
        Release(package, version, days, ("asgiref",), extras)
        for package, version in pins.items()
    ]


@pytest.mark.tier("whole")
def test_patch_of_django_arrives_and_other_newer_releases_change_nothing(
    project: Project, tmp_path: Path
) -> None:
    folder = project(ALL_ON)
    pinned = releases(folder, days=30)
    minors = [replace(it, version=later(it.version, 1), days=10) for it in pinned]
    patches = [
        replace(it, version=later(it.version, 2), days=0 if it.name in AT_ONCE else 10)
        for it in pinned
    ]
    transitive = [Release("asgiref", "3.1", days=8), Release("asgiref", "3.2", days=6)]
    with serve([*pinned, *minors, *patches, *transitive]) as url:
        run(
            folder,
            "uv",
            "lock",
            UV_DEFAULT_INDEX=url,
            UV_CACHE_DIR=str(tmp_path / "cache"),
        )
    arrived = {it.name: it.version for it in patches if it.name in AT_ONCE}
    assert "django" in arrived
    expected = {it.name: it.version for it in pinned} | arrived | {"asgiref": "3.1"}
    assert {
        package: version
        for package, version in locked(folder).items()
        if package in expected
    } == expected


@pytest.mark.tier("whole")
def test_pin_younger_than_the_cooldown_is_noticed(
    project: Project, tmp_path: Path
) -> None:
    folder = project(ALL_ON)
    young = [
        replace(it, days=6) if it.name == "redis" else it
        for it in releases(folder, days=8)
    ]
    with (
        serve([*young, Release("asgiref", "3.1")]) as url,
        pytest.raises(AssertionError, match=r"redis.*exclude-newer"),
    ):
        run(
            folder,
            "uv",
            "lock",
            UV_DEFAULT_INDEX=url,
            UV_CACHE_DIR=str(tmp_path / "cache"),
        )


# Python and uv


def test_every_file_names_the_same_versions_of_python(pristine: Project) -> None:
    github, gitlab = pristine(ALL_ON), pristine(GITLAB)
    workflow = yaml.safe_load(
        (github / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8")
    )
    pipeline = yaml.safe_load((gitlab / ".gitlab-ci.yml").read_text(encoding="utf-8"))
    own = yaml.safe_load(
        (ROOT / ".github" / "workflows" / "tests.yml").read_text(encoding="utf-8")
    )
    tested: list[str] = own["jobs"]["test"]["strategy"]["matrix"]["python"]
    assert workflow["jobs"]["test"]["strategy"]["matrix"]["python"] == tested
    assert pipeline["test"]["parallel"]["matrix"] == [{"PYTHON": tested}]
    assert pipeline["variables"]["PYTHON"] == tested[-1]
    images = re.findall(
        r"^FROM python:(\S+?)-",
        (github / "Dockerfile").read_text(encoding="utf-8"),
        re.MULTILINE,
    )
    assert set(images) == {tested[-1]}
    major, minor = map(int, tested[-1].split("."))
    for folder in (ROOT, github, gitlab):
        assert (
            metadata(folder)["project"]["requires-python"]
            == f">={tested[0]},<{major}.{minor + 1}"
        )
        assert not (folder / ".python-version").exists(), (
            "tools such as pyenv would stop at it"
        )
    for folder in (github, gitlab):
        assert f"Python {tested[0]} to {tested[-1]}" in section(
            folder / "README.md", "Start"
        )


def test_every_file_that_installs_uv_names_the_same_version(template: Path) -> None:
    versioned = re.compile(r"\buv==([\w.]+)|astral-sh/uv:([\d.]+)")
    unversioned = re.compile(r"\b(?:install|add)\b[^\n`]* uv(?!\S)")
    versions: set[str] = set()
    for path in (
        it for it in template.rglob("*") if is_text(it) and it.suffix != ".py"
    ):
        content = path.read_text(encoding="utf-8")
        versions |= {"".join(groups) for groups in versioned.findall(content)}
        assert not unversioned.findall(content), path
        if path.parent.name == "workflows":
            for job in yaml.safe_load(content)["jobs"].values():
                for step in job.get("steps", []):
                    if "setup-uv@" in step.get("uses", ""):
                        versions.add(step["with"]["version"])
    assert versions == {UV}
    wanted = metadata(ROOT)["tool"]["uv"]["required-version"]
    assert UV in SpecifierSet(wanted)
    assert re.fullmatch(r">=[\d.]+", wanted), (
        "an upper bound would stop developers with a newer uv"
    )
    readme = (template / RAW / "README.md").read_text(encoding="utf-8")
    assert f"[uv](https://docs.astral.sh/uv/) {wanted[2:]} or later" in readme


# Machines that raise the pins


def test_dependabot_raises_pins_weekly_in_one_request(pristine: Project) -> None:
    config = yaml.safe_load(
        (pristine(ALL_ON) / ".github" / "dependabot.yml").read_text(encoding="utf-8")
    )
    (packages,) = [
        update for update in config["updates"] if update["package-ecosystem"] == "uv"
    ]
    assert packages == {
        "package-ecosystem": "uv",
        "directory": "/",
        "versioning-strategy": "increase",
        "schedule": {"interval": "weekly"},
        # GitHub applies it to version updates only, never to security updates.
        "cooldown": {"default-days": 7},
        "groups": {"packages": {"update-types": ["minor", "patch"]}},
    }


def test_dependabot_leaves_the_templates_pins_to_the_renewal() -> None:
    """It would raise them in one of the two files."""
    config = yaml.safe_load(
        (ROOT / ".github" / "dependabot.yml").read_text(encoding="utf-8")
    )
    (packages,) = [
        update for update in config["updates"] if update["package-ecosystem"] == "uv"
    ]
    assert packages["open-pull-requests-limit"] == 0, (
        "security updates have a limit of their own"
    )


@pytest.mark.parametrize("ci_scanning", ["gitlab", "none"])
def test_renovate_raises_pins_weekly_in_one_request(
    ci_scanning: str, pristine: Project
) -> None:
    folder = pristine(ALL_ON | {"ci_scanning": ci_scanning})
    config = json.loads((folder / "renovate.json").read_text(encoding="utf-8"))
    assert config["osvVulnerabilityAlerts"], "security fixes at once"
    assert config["schedule"] == ["* 0-5 * * 1"]
    raised, grouped = (
        rule
        for rule in config["packageRules"]
        if rule.get("matchManagers") == ["pep621"]
    )
    assert raised["rangeStrategy"] == "bump"
    assert grouped["matchUpdateTypes"] == ["minor", "patch"]
    assert grouped["groupName"] == "packages"
    (python,) = (
        rule
        for rule in config["packageRules"]
        if rule.get("matchDepTypes") == ["requires-python"]
    )
    assert not python["enabled"], "bump would raise the oldest Python"
    # Every command that installs uv is found.
    for path in (it for it in folder.rglob("*") if it.suffix in {".yml", ".md"}):
        text = path.read_text(encoding="utf-8")
        found = [
            match["currentValue"]
            for manager in config["customManagers"]
            for expression in manager["matchStrings"]
            for match in re.finditer(expression.replace("(?<", "(?P<"), text)
        ]
        assert found == re.findall(r"uv(?:==|:)(\d[\d.]*)", text), path
