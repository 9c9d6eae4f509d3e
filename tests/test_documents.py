"""What the template's own documents state is true."""

import re
from pathlib import Path

import pytest

from benchmarks.mutations import FEATURES as FEATURE_MUTATIONS
from benchmarks.mutations import FOUNDATION as FOUNDATION_MUTATIONS
from benchmarks.size import BUDGETS, count
from tests.support.baking import ALL_OFF, ALL_ON, FEATURES, PROMPTS, RAW, ROOT, Answers, Project, bake, name
from tests.support.corpus import FILES
from tests.support.readme import section

README = (ROOT / "README.md").read_text(encoding="utf-8")
FIGURES = section(ROOT / "benchmarks" / "README.md", "Figures")


def test_readme_shows_the_real_prompts_and_summary(
    template: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    bake(template, tmp_path, project_name="Field Notes")
    assert capfd.readouterr().out.strip() in README
    for prompt, label in PROMPTS["__prompts__"].items():
        shown = [label] if isinstance(label, str) else label.values()
        assert not [it for it in shown if it not in README], prompt


def test_readme_starts_with_commands_that_work() -> None:
    clone, published = re.findall(r"^```sh\n(.*?)^```", README, re.MULTILINE | re.DOTALL)[:2]
    assert clone == "uvx cookiecutter .\nuv run pytest\n"
    slug = "my-secure-site"
    assert published == f"uvx cookiecutter gh:org/secure-django\ncd {slug} && uv run poe test\n"
    assert slug in PROMPTS["project_slug"]
    commands = (ROOT / RAW / "README.md").read_text(encoding="utf-8")
    assert "uv run poe test\n" in commands, "test_readme.py runs this command"


def test_readme_explains_every_feature_and_its_choices() -> None:
    for feature, answers in FEATURES.items():
        assert f"| `{feature}` |" in README
        assert not [it for it in answers if isinstance(it, str) and it != "none" and f"`{it}`" not in README]


@pytest.mark.parametrize(
    "document",
    [
        "README.md",
        "CONTRIBUTING.md",
        "SECURITY.md",
        "CHANGELOG.md",
        "benchmarks/README.md",
        "docs/decisions.md",
        "docs/evidence.md",
        "tests/README.md",
    ],
)
def test_files_named_in_documents_exist(document: str, template: Path) -> None:
    text = (template / document).read_text(encoding="utf-8")
    folder = (template / document).parent
    linked = [folder / path for path in re.findall(r"(?:\]\(|src(?:set)?=\")(?!https?:)([^)#\"]+)[)\"]", text)]
    emitted = [template / RAW / path for path in re.findall(r"`([a-z]+/tests/(?:test_)?\w+\.py)`", text)]
    own = [template / path for path in re.findall(r"`((?:benchmarks|hooks|tests)/[\w./]+)`", text)]
    assert not [path for path in linked + emitted + own if not path.exists()]


def test_map_of_the_tests_is_complete() -> None:
    tests = ROOT / "tests"
    listed = set(re.findall(r"^\| `([\w./]+)` \|", (tests / "README.md").read_text(encoding="utf-8"), re.MULTILINE))
    modules = {path.name for path in tests.glob("test_*.py")}
    assert listed == modules | {f"{path.parent.name}/" for path in tests.glob("*/__init__.py")} - {"support/"}


def test_modules_of_the_benchmarks_are_documented() -> None:
    modules = {path.stem for path in (ROOT / "benchmarks").glob("[!_]*.py")}
    document = (ROOT / "benchmarks" / "README.md").read_text(encoding="utf-8")
    assert not [module for module in modules if f"`{module}`" not in document]


def test_figures_match_what_is_counted(pristine: Project) -> None:
    mutations = re.search(r"breaks more than (\d+) controls", README)
    assert mutations
    assert 0 < len(FOUNDATION_MUTATIONS + FEATURE_MUTATIONS) - int(mutations[1]) <= 50
    assert f"| `mutations` | controls broken, one at a time | more than {mutations[1]} | – |" in FIGURES
    rejected = sum(bool(file.error) for file in FILES.values())
    assert f"- {len(FILES)} malformed or malicious files are uploaded: {rejected} are rejected" in README
    for kind, (answers, budget) in BUDGETS.items():
        files, *lines = count(pristine(answers))
        code, tests = (round(number, -2) for number in lines)
        (row,) = [row for row in FIGURES.splitlines() if row.startswith(f"| `size`, {kind} |")]
        assert row.endswith(f" | {files} / {code:,} / {tests:,} | at most {budget:,} lines |")


def test_numbers_of_lines_and_controls_in_the_readme(pristine: Project) -> None:
    lines = re.search(r"at most (\d,\d{3}) lines of Python, (\d,\d{3}) with every feature", README)
    controls = re.search(r"More than (\d+) controls, more than (\d+) with every feature", README)
    assert lines
    assert controls
    for number, answers in enumerate((ALL_OFF, ALL_ON), start=1):
        project = pristine(answers)
        assert count(project)[1] <= int(lines[number].replace(",", ""))
        documents = [project / "SECURITY.md", *project.glob("[a-z]*/**/SECURITY.md")]
        text = "".join(document.read_text(encoding="utf-8") for document in documents)
        assert len(set(re.findall(r"^\| (\S+) \| .+ \| `test_", text, re.MULTILINE))) // 10 * 10 == int(
            controls[number]
        )


@pytest.mark.parametrize("answers", [ALL_ON, ALL_OFF], ids=name)
def test_every_variable_that_a_project_reads_is_documented(answers: Answers, pristine: Project) -> None:
    project = pristine(answers)
    code = "".join(path.read_text(encoding="utf-8") for path in project.rglob("*.py"))
    read = set(re.findall(r"\b(?:os\.environ(?:\.get\(|\[)|env\.\w+\()\"([A-Z]\w+)\"", code))
    documents = [project / ".env.example", project / "README.md"]
    documented = set(re.findall(r"\b[A-Z_]{4,}\b", "".join(it.read_text(encoding="utf-8") for it in documents)))
    assert {"BIND", "DEBUG", "ENV_FILE", "OSV_URL", "TEST_DATABASE_URL"} <= read
    assert read - documented <= {"GITHUB_STEP_SUMMARY", "SYSTEMROOT"}, "these come from GitHub and Windows"
