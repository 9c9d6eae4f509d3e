"""Texts, defaults and bounds of this repository.

A fork has its own, so this module is left out there.
"""

import json
import re
import tomllib
from pathlib import Path

import pytest
import yaml
from django.conf import settings
from jinja2 import Environment

from benchmarks.size import (
    EXTREMES,
    LABELS,
    PARTS,
    Bounds,
    Density,
    count,
    measure_density,
)
from secure_django.advisories import FIXES, MAIN, RELEASE, UPSTREAM
from tests.support.baking import (
    ALL_ON,
    DEFAULTS,
    FEATURES,
    PROMPTS,
    RAW,
    ROOT,
    Project,
    bake,
)
from tests.support.readme import draw_contracts
from tests.support.releasing import first_section

REPOSITORY = "https://github.com/org/secure-django"
if PROMPTS["_repository"] != REPOSITORY:
    pytest.skip(
        "a fork has texts, defaults and bounds of its own", allow_module_level=True
    )

# The test site has everything but the gallery.
SITE_ANSWERS = {
    "project_name": "Full Site",
    "__description": "A website made with Django.",
    "domain_name": "example.com",
    "author_email": "security@example.com",
    "auth_app": True,
    "cloudinary_moderation": True,
    "gallery": False,
}
README = (ROOT / "README.md").read_text(encoding="utf-8")
MOST_WORDS = 900
GENERATION = (ROOT / "docs" / "generation.md").read_text(encoding="utf-8")


def test_forks_ask_this_repository_for_advisories() -> None:
    assert UPSTREAM == REPOSITORY


def test_defaults_are_what_the_tests_answer() -> None:
    assert {
        key: value for key, value in PROMPTS.items() if not key.startswith("_")
    } == DEFAULTS


def test_copy_says_the_release_of_a_commit() -> None:
    """Between two releases, code of the next one may be there."""
    number, date, _ = first_section(ROOT)
    text = (FIXES / RELEASE).read_text(encoding="utf-8")
    assert text == f"{MAIN if date == 'unreleased' else number}\n"


def test_guide_shows_the_real_prompts_and_summary(
    template: Path,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PWD", str(tmp_path))
    bake(template, tmp_path, project_name="Field Notes")
    assert capfd.readouterr().out.strip() in GENERATION
    labels = [
        [label] if isinstance(label, str) else [*label.values()]
        for label in PROMPTS["__prompts__"].values()
    ]
    prompts = re.findall(r"^  (\[\d+/\d+\] .+)$", GENERATION, re.MULTILINE)
    for number, (prompt, label) in enumerate(zip(prompts, labels, strict=True), 1):
        assert prompt.startswith(f"[{number}/{len(labels)}] {label[0]}")
    assert re.findall(r"^    \d - (.+)$", GENERATION, re.MULTILINE) == [
        it for label in labels for it in label[1:]
    ]


def test_readme_starts_with_commands_that_work() -> None:
    """The first two that it names are those of a clone; a newcomer's block follows."""
    clone = ["uvx cookiecutter .", "uv run pytest"]
    assert re.findall(r"`(uvx? [^`]+)`", README)[:2] == clone
    blocks = re.findall(r"^```sh\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
    published, development = (re.sub(r" *#.*", "", block) for block in blocks)
    assert development.splitlines() == clone
    slug = "my-secure-site"
    assert published.splitlines() == [
        "uvx cookiecutter gh:org/secure-django",
        f"cd {slug}",
        "git init",
        "uv run poe start",
    ]
    assert slug in PROMPTS["project_slug"]
    commands = (ROOT / RAW / "README.md").read_text(encoding="utf-8")
    assert re.search(r"^uv run poe start\b", commands, re.MULTILINE), (
        "test_end_to_end.py runs this command"
    )


def test_readme_names_the_versions_of_python_and_uv() -> None:
    matrix = yaml.safe_load(
        (ROOT / ".github/workflows/tests.yml").read_text(encoding="utf-8")
    )["jobs"]["quick"]
    assert (
        f"\n| Python | {', '.join(matrix['strategy']['matrix']['python'])} |\n"
        in README
    )
    uv = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"][
        "uv"
    ]["required-version"]
    assert f"[uv](https://docs.astral.sh/uv/) {uv[2:]} or later" in README


def test_readme_is_short() -> None:
    assert len(README.split()) <= MOST_WORDS


def test_readme_says_the_figures_of_the_measurements(pristine: Project) -> None:
    unseen = (ROOT / "benchmarks" / "unseen" / "README.md").read_text("utf-8")
    row = r"^\| all \| (\d+) .*\| \*\*(\d+) .*\| (\d+) \(\d+\) \| \d+ \(\d+\) \|$"
    ((all_of_them, noticed, bandit),) = re.findall(row, unseen, re.MULTILINE)
    assert f"Of {all_of_them} weaknesses in twelve features" in README
    assert f"checks named {noticed}, and Bandit {bandit}:" in README
    lines = {
        kind: count(pristine(extreme.answers)).lines
        for kind, extreme in EXTREMES.items()
    }
    (most, least) = map(int, re.findall(r"less than (\d+)", README))
    assert most - 100 < max(lines.values()) < most
    assert least - 100 < min(lines.values()) < least


def test_guide_explains_every_feature_and_its_choices() -> None:
    words = (
        "no",
        "one",
        "two",
        "three",
        "four",
        "five",
        "six",
        "seven",
        "eight",
        "nine",
        "ten",
        "eleven",
        "twelve",
    )
    features = words[len(FEATURES)].title()
    prompts = words[len(DEFAULTS)]
    assert f"\n{features} of the {prompts} prompts choose features:\n" in GENERATION
    for feature, answers in FEATURES.items():
        assert f"| `{feature}` |" in GENERATION
        assert not [
            it
            for it in answers
            if isinstance(it, str) and it != "none" and f"`{it}`" not in GENERATION
        ]


@pytest.mark.parametrize("kind", EXTREMES)
def test_code_is_no_denser_than_its_bounds(kind: str, pristine: Project) -> None:
    extreme = EXTREMES[kind]
    density = measure_density(pristine(extreme.answers), "code")
    exceeded = exceeded_bounds(density, extreme.bounds)
    assert not exceeded, (
        f"the project with {kind} is denser than benchmarks/size.py allows;"
        f" make its code plainer: {exceeded}"
    )


@pytest.mark.parametrize("name", PARTS)
def test_repository_is_no_denser_than_its_bounds(name: str) -> None:
    part = PARTS[name]
    density = measure_density(part.folder, *part.kinds, without=part.without)
    exceeded = exceeded_bounds(density, part.bounds)
    assert not exceeded, (
        f"{part.folder.relative_to(ROOT)}/ is denser than benchmarks/size.py allows;"
        f" make what you changed there plainer: {exceeded}"
    )


def exceeded_bounds(density: Density, bounds: Bounds) -> list[str]:
    """Return the figures that are over their bounds, and the bounds."""
    figures = density._asdict()
    return [
        f"{LABELS[figure]}: {figures[figure]:.2f}, allowed {bound}"
        for figure, bound in bounds._asdict().items()
        if figures[figure] > bound
    ]


# One packed assignment, and blocks in blocks.
DENSE_CODE = """
def total_price(order):
    price, discount = find_price(order.product), find_discount(order.customer)
    if order.is_paid:
        if order.is_packed:
            for item in order.items:
                if not item.is_missing:
                    if not item.is_broken:
                        price = subtract(price, find_price(item) or discount(item.size))
    return price
"""


def test_dense_code_is_over_every_bound(tmp_path: Path) -> None:
    (tmp_path / "orders.py").write_text(DENSE_CODE, encoding="utf-8")
    density = measure_density(tmp_path, "code")
    all_bounds = [extreme.bounds for extreme in EXTREMES.values()]
    all_bounds += [part.bounds for part in PARTS.values()]
    for bounds in all_bounds:
        exceeded = exceeded_bounds(density, bounds)
        assert len(exceeded) == len(bounds), exceeded


def test_drawings_for_contributors_are_those_of_the_contracts() -> None:
    contributing = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    drawings = draw_contracts(ROOT)
    assert len(drawings) > 1
    missing = [drawing for drawing in drawings if drawing not in contributing]
    assert not missing, "CONTRIBUTING.md needs:\n" + "\n".join(missing)


def test_dependabot_opens_one_request_a_week(pristine: Project) -> None:
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
        # The template's update takes these, with the settings that they need.
        "ignore": [
            {
                "dependency-name": "secure-django",
                "update-types": [
                    "version-update:semver-major",
                    "version-update:semver-minor",
                ],
            }
        ],
    }


@pytest.mark.parametrize("ci_scanning", ["gitlab", "none"])
def test_renovate_opens_one_request_a_week(ci_scanning: str, pristine: Project) -> None:
    folder = pristine(ALL_ON | {"ci_scanning": ci_scanning})
    config = json.loads((folder / "renovate.json").read_text(encoding="utf-8"))
    assert config["schedule"] == ["* 0-5 * * 1"]
    updates_of_the_package = [
        (rule["matchUpdateTypes"], rule["enabled"])
        for rule in config["packageRules"]
        if rule.get("matchPackageNames") == ["secure-django"]
    ]
    assert updates_of_the_package == [(["major", "minor"], False)]
    _, grouped = (
        rule
        for rule in config["packageRules"]
        if rule.get("matchManagers") == ["pep621"]
    )
    assert grouped["matchUpdateTypes"] == ["minor", "patch"]
    assert grouped["groupName"] == "packages"


# The test site of the package


def render_settings(**answers: object) -> str:
    engine = Environment(  # noqa: S701 - Python, not HTML
        line_statement_prefix="# %", keep_trailing_newline=True
    )
    template = engine.from_string(
        (ROOT / RAW / "config" / "settings.py").read_text(encoding="utf-8")
    )
    return template.render(cookiecutter=SITE_ANSWERS | answers)


def test_site_has_the_settings_of_the_template() -> None:
    site = settings.BASE_DIR / "config" / "settings.py"
    assert site.read_text(encoding="utf-8") == render_settings()


def test_settings_are_short_enough_to_be_read() -> None:
    lines = render_settings(gallery=True).splitlines()
    assert 120 <= len(lines) <= 164
    assert max(map(len, lines)) <= 88
