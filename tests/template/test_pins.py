"""One tested set: pinned packages, Python and uv, and the machines that raise them."""

import json
import os
import re
import shutil
import tomllib
from collections.abc import Iterable
from dataclasses import replace
from itertools import chain, pairwise
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
    FEATURES,
    FORK_TABLE,
    OTHER_BOT,
    PROMPTS,
    RAW,
    ROOT,
    VENDOR,
    Answers,
    Project,
    is_text,
    name,
    own_paths,
    run,
)
from tests.support.index import Release, serve
from tests.support.renewal import (
    AT_ONCE,
    RENOVATE,
    ROW_OF_BOTS,
    UV,
    has_bot,
    read_dependabot,
    read_renovate,
)

PIN = re.compile(r"==[\d.]+")
PATCHES = re.compile(r"~=\d+\.\d+\.\d+")
CI = "ci_scanning"
GITLAB = ALL_ON | {CI: "gitlab"}
ON_GITHUB = ALL_ON | {CI: "github"}


def metadata(folder: Path) -> dict[str, Any]:
    """Return what a folder's pyproject.toml says."""
    return tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))


def requirements(folder: Path) -> list[Requirement]:
    """Return what a project requires and constrains, with extras and groups.

    The vendored package is left out.
    """
    pyproject = metadata(folder)
    project = pyproject["project"]
    texts = chain(
        project["dependencies"],
        *project["optional-dependencies"].values(),
        *pyproject["dependency-groups"].values(),
        pyproject["tool"]["uv"]["constraint-dependencies"],
    )
    return without_package(texts)


def pinned_set() -> list[Requirement]:
    """Return the tested set: what the template's own environment has."""
    return without_package(metadata(ROOT)["dependency-groups"]["dev"])


def without_package(texts: Iterable[str]) -> list[Requirement]:
    """Return requirements without those of the package, which has no other version."""
    requirements = [Requirement(text) for text in texts]
    return [it for it in requirements if it.name != "secure-django"]


def ranges() -> list[Requirement]:
    """Return what the package takes, in all its extras."""
    project = metadata(ROOT)["project"]
    extras = project["optional-dependencies"].values()
    return without_package(chain(project["dependencies"], *extras))


def unpinned(requirements: list[Requirement]) -> list[str]:
    """Return the requirements that take more releases than they may.

    They may take a pin, or patches of the packages that need them.
    """
    return [
        str(it)
        for it in requirements
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
    pins = {canonicalize_name(it.name): it for it in pinned_set()}
    assert not unpinned(pinned_set())
    assert not unpinned(requirements(pristine(answers)))
    for requirement in requirements(pristine(answers)):
        pin = pins[canonicalize_name(requirement.name)]
        assert requirement.specifier == pin.specifier, f"{requirement} is not {pin}"
        assert requirement.extras <= pin.extras, (
            f"{requirement} has other extras than {pin}"
        )


@pytest.mark.parametrize("answers", COMBINATIONS, ids=name)
def test_every_package_that_the_chosen_extras_need_is_pinned(
    answers: Answers, pristine: Project
) -> None:
    """A fresh lock then has the tested set, whatever the package's ranges take."""
    project = metadata(pristine(answers))
    extras = chosen_extras(pristine(answers))
    offered = metadata(ROOT)["project"]["optional-dependencies"]
    needed = without_package(chain(*(offered[extra] for extra in extras)))
    pinned = {canonicalize_name(it.name) for it in requirements(pristine(answers))}
    assert {canonicalize_name(it.name) for it in needed} <= pinned
    assert {"site", "guard", "redis", "s3"} <= extras
    assert ("accounts" in extras) == answers.get("auth_app", False)
    assert ("cloudinary" in extras) == answers.get("cloudinary_moderation", False)
    assert project["tool"]["uv"]["sources"] == {
        "secure-django": {"path": f"{VENDOR}/secure-django", "editable": True}
    }


def chosen_extras(folder: Path) -> set[str]:
    """Return the extras of the package that a project names, each in this release."""
    pyproject = metadata(folder)
    project = pyproject["project"]
    texts = chain(
        project["dependencies"],
        *project["optional-dependencies"].values(),
        *pyproject["dependency-groups"].values(),
    )
    named = [Requirement(text) for text in texts]
    own = [it for it in named if it.name == "secure-django"]
    release = f"=={PROMPTS['_version']}+vendored"
    assert {str(it.specifier) for it in own} == {release}
    return set().union(*(it.extras for it in own))


def test_ranges_of_the_package_admit_the_pinned_set() -> None:
    pins = {canonicalize_name(it.name): it.specifier for it in pinned_set()}
    for requirement in ranges():
        pin = pins[canonicalize_name(requirement.name)]
        (version,) = [it.version for it in pin]
        assert requirement.specifier.contains(version), f"{requirement} without {pin}"


def test_template_has_the_settings_of_uv_that_projects_have(pristine: Project) -> None:
    own = metadata(ROOT)["tool"]["uv"]
    emitted = metadata(pristine(ALL_ON))["tool"]["uv"]
    for setting in ("exclude-newer", "required-version"):
        assert own[setting] == emitted[setting]
    at_once = emitted["exclude-newer-package"]
    assert at_once.pop("secure-django") is False, "its fixes are not delayed either"
    assert own["exclude-newer-package"] == at_once


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
    # Nothing installs a package of a feature that was not chosen.
    for feature, package in (
        ("cloudinary_moderation", "cloudinary"),
        ("auth_app", "fido2"),
    ):
        assert (package in versions) == bool(answers.get(feature))


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


def found(pattern: str, path: Path) -> list[str]:
    """Return what a pattern finds in a file."""
    return re.findall(pattern, path.read_text(encoding="utf-8"), re.MULTILINE)


def versions_of_python(bounds: str) -> list[str]:
    """Return the versions from the lower to below the upper bound."""
    first, end = map(int, re.findall(r"3\.(\d+)", bounds))
    return [f"3.{minor}" for minor in range(first, end)]


def test_every_file_names_the_same_versions_of_python(pristine: Project) -> None:
    github, gitlab = pristine(ALL_ON), pristine(GITLAB)
    bounds = metadata(github)["project"]["requires-python"]
    versions = versions_of_python(bounds)
    matrix = json.dumps(versions)
    newest = versions[-1]
    own_tests = ".github/workflows/tests.yml"
    images = r"^FROM python:(\S+?)-"
    sentence = r"Python (3\.\d+ to 3\.\d+)"
    places = [
        ("pyproject.toml", ROOT, r'^requires-python = "(.+?)"', bounds),
        (own_tests, ROOT, r"^ +python: (\[.+\])$", matrix),
        (".github/workflows/ci.yml", github, r"^ +python: (\[.+\])$", matrix),
        (".gitlab-ci.yml", gitlab, r"^ +- PYTHON: (\[.+\])$", matrix),
        (".gitlab-ci.yml", gitlab, r'^  PYTHON: "(.+)"$', newest),
        ("Dockerfile", github, images, newest),
        ("README.md", github, sentence, f"{versions[0]} to {newest}"),
        ("README.md", gitlab, sentence, f"{versions[0]} to {newest}"),
    ]
    wrong = [
        f"{'the template' if folder == ROOT else RAW}/{path}: {expected}"
        for path, folder, pattern, expected in places
        if set(found(pattern, folder / path)) != {expected}
    ]
    assert not wrong, (
        f"The raw pyproject.toml requires Python {bounds}. Write the same into:\n"
        + "\n".join(wrong)
        + f"\n{FORK_TABLE}another oldest or newest Python"
    )
    for folder in (ROOT, github, gitlab):
        assert not (folder / ".python-version").exists(), (
            "tools such as pyenv would stop at it"
        )


# How a script or a workflow reads the version of uv.
READS_UV = re.compile(r"sed -nE '(?P<expression>[^']*astral-sh[^']*)'")
INSTALL_UV = (
    ".ci/run",
    f"{RAW}/.gitlab-ci.yml",
    f"{RAW}/.github/workflows/template-update.yml",
    f"{RAW}/deploy/release",
)


def scripts(folder: Path) -> dict[str, str]:
    """Return the text files of a folder but Python's, by their paths."""
    return {
        path.relative_to(folder).as_posix(): path.read_text(encoding="utf-8")
        for path in folder.rglob("*")
        if is_text(path) and path.suffix != ".py"
    }


def test_version_of_uv_stands_in_the_dockerfile_alone(template: Path) -> None:
    """Both bots raise it there. GitLab's image, which can read no file, repeats it."""
    versioned = re.compile(r"(?:\buv==|astral-sh/uv:)(\d[\d.]*)")
    unversioned = re.compile(r"\b(?:install|add)\b[^\n`]* uv(?!\S)")
    texts = scripts(template)
    assert not [path for path, text in texts.items() if unversioned.search(text)]
    versions = {path: set(versioned.findall(text)) for path, text in texts.items()}
    assert {path: found for path, found in versions.items() if found} == {
        f"{RAW}/Dockerfile": {UV},
        f"{RAW}/.gitlab-ci.yml": {UV},
    }
    wanted = metadata(ROOT)["tool"]["uv"]["required-version"]
    assert UV in SpecifierSet(wanted)
    assert re.fullmatch(r">=[\d.]+", wanted), (
        "an upper bound would stop developers with a newer uv"
    )
    readme = (template / RAW / "README.md").read_text(encoding="utf-8")
    assert f"[uv](https://docs.astral.sh/uv/) {wanted[2:]} or later" in readme


def steps_that_set_up_uv(folder: Path) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Return the steps of workflows that install uv, each after the step before it."""
    return [
        (before, step)
        for path in (folder / ".github" / "workflows").glob("*.yml")
        for job in yaml.safe_load(path.read_text(encoding="utf-8"))["jobs"].values()
        for before, step in pairwise(job.get("steps", []))
        if "setup-uv@" in step.get("uses", "")
    ]


def test_each_file_that_installs_uv_reads_its_version(template: Path) -> None:
    for folder in (template, template / RAW):
        steps = steps_that_set_up_uv(folder)
        assert steps
        for before, step in steps:
            assert step["with"]["version"] == "${{ steps.uv.outputs.version }}"
            assert before["id"] == "uv"
            assert READS_UV.search(before["run"])
            # An empty version would be the newest one.
            assert before["run"].endswith(' | grep . >> "$GITHUB_OUTPUT"')
    texts = scripts(template)
    assert not [path for path in INSTALL_UV if not READS_UV.search(texts[path])]


@pytest.mark.skipif(os.name != "posix", reason="sed")
@pytest.mark.parametrize("digest", ["", "@sha256:" + "0" * 64])
def test_version_of_uv_is_read_with_and_without_a_digest(
    digest: str, template: Path, tmp_path: Path
) -> None:
    texts = scripts(template)
    pinned = re.sub(
        r"(astral-sh/uv:[\d.]+)\S*", rf"\1{digest}", texts[f"{RAW}/Dockerfile"]
    )
    dockerfile = tmp_path / "Dockerfile"
    dockerfile.write_text(pinned, encoding="utf-8")
    expressions = {
        expression for text in texts.values() for expression in READS_UV.findall(text)
    }
    printed = {
        run(tmp_path, "sed", "-nE", expression, str(dockerfile))
        for expression in expressions
    }
    assert printed == {f"{UV}\n", f"version={UV}\n"}


# Machines that raise the pins


def test_dependabot_raises_the_pins_of_a_project(pristine: Project) -> None:
    config = read_dependabot(pristine(ON_GITHUB))
    (packages,) = [
        update for update in config["updates"] if update["package-ecosystem"] == "uv"
    ]
    images = [
        update["directory"]
        for update in config["updates"]
        if update["package-ecosystem"] == "docker"
    ]
    assert "/" in images, (
        f"dependabot.yml needs docker: the Dockerfile has uv's version\n{ROW_OF_BOTS}"
    )
    needed = {"directory": "/", "versioning-strategy": "increase"}
    assert needed.items() <= packages.items(), (
        f"dependabot.yml needs {needed} for uv: it raises pins, not uv.lock alone"
        f"\n{ROW_OF_BOTS}"
    )


def test_dependabot_leaves_the_templates_pins_to_the_renewal() -> None:
    """It would raise them in one of the two files."""
    config = read_dependabot(ROOT)
    (packages,) = [
        update for update in config["updates"] if update["package-ecosystem"] == "uv"
    ]
    assert packages["open-pull-requests-limit"] == 0, (
        f"security updates have a limit of their own\n{ROW_OF_BOTS}"
    )


def renovate_problems(folder: Path) -> list[str]:
    """Return what a configuration of Renovate lacks."""
    config = read_renovate(folder)
    rules = config.get("packageRules", [])
    problems = []
    if not config.get("osvVulnerabilityAlerts"):
        problems.append("`osvVulnerabilityAlerts`, for security fixes at once")
    bumps = {"matchManagers": ["pep621"], "rangeStrategy": "bump"}
    if not any(bumps.items() <= rule.items() for rule in rules):
        problems.append(f"a rule with {bumps}, which raises pins, not uv.lock alone")
    oldest = {"matchDepTypes": ["requires-python"], "enabled": False}
    if not any(oldest.items() <= rule.items() for rule in rules):
        problems.append(f"a rule with {oldest}: bump would raise the oldest Python")
    images = {
        "matchDatasources": ["docker"],
        "pinDigests": True,
        "minimumReleaseAgeBehaviour": "timestamp-optional",
    }
    if not any(images.items() <= rule.items() for rule in rules):
        problems.append(f"a rule with {images}: most registries date no image")
    patterns = [
        pattern.replace("(?<", "(?P<")
        for manager in config.get("customManagers", [])
        for pattern in manager["matchStrings"]
    ]
    texts = {
        path: (folder / path).read_text(encoding="utf-8")
        for path in own_paths(folder) - {"renovate.json"}
        if is_text(folder / path)
    }
    problems += [
        f"no custom manager that finds nothing, as {pattern} does"
        for pattern in patterns
        if not any(re.search(pattern, text) for text in texts.values())
    ]
    for path, text in texts.items():
        if Path(path).name == "Dockerfile":  # Renovate reads it by itself
            continue
        raised = [
            match["currentValue"]
            for pattern in patterns
            for match in re.finditer(pattern, text)
        ]
        if raised != re.findall(r"uv(?:==|:)(\d[\d.]*)", text):
            problems.append(f"a custom manager for the version of uv in {path}")
    return problems


def with_renovate(pristine: Project) -> list[Path]:
    """Return the projects that Renovate raises, or skip the test without any."""
    projects = [pristine(ALL_ON | {"ci_scanning": ci}) for ci in FEATURES[CI]]
    chosen = [project for project in projects if has_bot(project, RENOVATE)]
    if not chosen:
        pytest.skip(f"{OTHER_BOT}{RENOVATE}")
    return chosen


def test_renovate_raises_the_pins_of_a_project(pristine: Project) -> None:
    problems = {
        problem: None
        for project in with_renovate(pristine)
        for problem in renovate_problems(project)
    }
    assert not problems, (
        "renovate.json needs:\n" + "\n".join(problems) + f"\n{ROW_OF_BOTS}"
    )


# Security fixes of the package


def test_dependabot_raises_a_fix_of_the_package_at_once(pristine: Project) -> None:
    config = read_dependabot(pristine(ON_GITHUB))
    [packages] = [it for it in config["updates"] if it["package-ecosystem"] == "uv"]
    # With another branch, the entry would not be about security updates.
    delayed = f"a fix of the package would wait for the others\n{ROW_OF_BOTS}"
    assert "target-branch" not in packages, delayed
    for group in packages.get("groups", {}).values():
        assert "applies-to" not in group, delayed
    for rule in packages.get("ignore", []):
        kinds = rule["update-types"]
        assert all(kind.startswith("version-update:") for kind in kinds), delayed
        assert "version-update:semver-patch" not in kinds, delayed


def test_renovate_raises_a_fix_of_the_package_at_once(pristine: Project) -> None:
    for folder in with_renovate(pristine):
        problems = delays_of_fixes(read_renovate(folder))
        assert not problems, f"renovate.json needs:\n{problems}\n{ROW_OF_BOTS}"


def delays_of_fixes(config: dict[str, Any]) -> str:
    """Return what delays a security fix of the package."""
    if not config.get("osvVulnerabilityAlerts"):
        return "`osvVulnerabilityAlerts`, for security fixes at once"
    if "vulnerabilityAlerts" in config:
        return "no `vulnerabilityAlerts`: the defaults lift the age and the schedule"
    for rule in config.get("packageRules", []):
        is_of_package = rule.get("matchPackageNames") == ["secure-django"]
        if is_of_package and "patch" in rule.get("matchUpdateTypes", ["patch"]):
            return "no rule for patches of secure-django, which are its fixes"
        if "force" in rule:
            return "no `force`, which also holds for security fixes"
    return ""


def test_uv_locks_a_fix_of_the_package_at_once(pristine: Project) -> None:
    text = (pristine(ALL_OFF) / "pyproject.toml").read_text(encoding="utf-8")
    uv = tomllib.loads(text)["tool"]["uv"]
    assert uv["exclude-newer"]
    assert uv["exclude-newer-package"]["secure-django"] is False
