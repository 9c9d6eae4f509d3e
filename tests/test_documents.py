"""What the template's own documents say is so."""

import re
from pathlib import Path

import pytest

from benchmarks.mutations import FEATURES as FEATURE_MUTATIONS
from benchmarks.mutations import FOUNDATION as FOUNDATION_MUTATIONS
from benchmarks.size import count
from tests.baking import ALL_OFF, ALL_ON, FEATURES, PROMPTS, RAW, ROOT, Project, bake

README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_readme_shows_the_prompts_and_the_summary_as_they_are(
    template: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    bake(template, tmp_path, project_name="Field Notes")
    assert capfd.readouterr().out.strip() in README
    for prompt, label in PROMPTS["__prompts__"].items():
        shown = [label] if isinstance(label, str) else label.values()
        assert not [it for it in shown if it not in README], prompt


def test_first_screen_holds_two_commands_that_end_in_green_tests() -> None:
    generate, test = re.findall(r"^```sh\n(.*?)^```", README, re.MULTILINE | re.DOTALL)[0].splitlines()
    assert generate.split("#")[0].split() == ["uvx", "cookiecutter", "gh:org/secure-django"]
    assert generate.endswith("uvx cookiecutter .")
    assert test.startswith("cd field-notes && uv run poe test ")
    commands = (ROOT / RAW / "README.md").read_text(encoding="utf-8")
    assert "uv run poe test\n" in commands, "which test_readme.py runs"


def test_readme_explains_every_feature_and_its_choices() -> None:
    for feature, answers in FEATURES.items():
        assert f"| `{feature}` |" in README
        assert not [it for it in answers if isinstance(it, str) and it != "none" and f"`{it}`" not in README]


@pytest.mark.parametrize("document", ["README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md"])
def test_files_that_a_document_names_are_there(document: str, template: Path) -> None:
    text = (template / document).read_text(encoding="utf-8")
    linked = [template / path for path in re.findall(r"(?:\]\(|src(?:set)?=\")(?!https?:)([^)#\"]+)[)\"]", text)]
    emitted = [template / RAW / path for path in re.findall(r"`([a-z]+/tests/test_\w+\.py)`", text)]
    own = [template / path for path in re.findall(r"`((?:hooks|tests)/[\w.]+)`", text)]
    assert not [path for path in linked + emitted + own if not path.exists()]


def test_combination_that_the_readme_shows_is_the_default() -> None:
    assert ALL_ON == {"cloudinary_moderation": True, "auth_app": True, "ci_scanning": "github"}


def test_figures_that_need_no_clock_are_what_is_counted(pristine: Project) -> None:
    for answers in (ALL_OFF, ALL_ON):
        assert " | `size` | {:,} / {:,} / {:,} | ".format(*count(pristine(answers))) in README
    assert f"breaks {len(FOUNDATION_MUTATIONS + FEATURE_MUTATIONS)} controls" in README
