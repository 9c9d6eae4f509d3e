"""What the template's own documents state is true."""

import re
import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest

from benchmarks import RESULTS, record
from benchmarks.figures import block
from benchmarks.size import EXTREMES, Size, count
from tests.support.baking import ALL_OFF, ALL_ON, FEATURES, PROMPTS, RAW, ROOT, Answers, Project, bake, name

README = (ROOT / "README.md").read_text(encoding="utf-8")
MOST_LINES = 150
GENERATION = (ROOT / "docs" / "generation.md").read_text(encoding="utf-8")


def test_guide_shows_the_real_prompts_and_summary(
    template: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    bake(template, tmp_path, project_name="Field Notes")
    assert capfd.readouterr().out.strip() in GENERATION
    for prompt, label in PROMPTS["__prompts__"].items():
        shown = [label] if isinstance(label, str) else label.values()
        assert not [it for it in shown if it not in GENERATION], prompt


def test_readme_starts_with_commands_that_work() -> None:
    clone, published = re.findall(r"^```sh\n(.*?)^```", README, re.MULTILINE | re.DOTALL)[:2]
    assert clone == "uvx cookiecutter .\nuv run pytest\n"
    slug = "my-secure-site"
    assert published == f"uvx cookiecutter gh:org/secure-django\ncd {slug} && uv run poe test\n"
    assert slug in PROMPTS["project_slug"]
    commands = (ROOT / RAW / "README.md").read_text(encoding="utf-8")
    assert "uv run poe test\n" in commands, "test_readme.py runs this command"


def test_readme_is_short() -> None:
    assert len(README.splitlines()) <= MOST_LINES


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
        "docs/generation.md",
        *(path.relative_to(ROOT).as_posix() for path in (ROOT / "docs" / "recipes").glob("*.md")),
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


def test_figures_in_the_readme_are_the_counted_ones(pristine: Project) -> None:
    text = block(pristine(ALL_OFF), pristine(ALL_ON))
    assert text in README, "`uv run python -m benchmarks.figures` writes these figures"


def test_long_benchmark_stores_its_figures_for_the_readme(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pristine: Project
) -> None:
    results = shutil.copy(RESULTS, tmp_path / RESULTS.name)
    for module in ("benchmarks", "benchmarks.figures"):
        monkeypatch.setattr(f"{module}.RESULTS", results)
    record("attack", p99=99, honest="9 of 10")
    today = datetime.now(UTC).date()
    stated = f"| 99 ms; 9 of 10 photos of other users get in ({today.day} {today:%B %Y}) |"
    assert stated in block(pristine(ALL_OFF), pristine(ALL_ON))


@pytest.mark.parametrize("kind", EXTREMES)
def test_project_is_no_larger_than_its_bound(kind: str, pristine: Project) -> None:
    extreme = EXTREMES[kind]
    assert count(pristine(extreme.answers)).lines <= extreme.bound, "benchmarks/size.py has the bound"


def test_size_counts_shell_scripts_and_leaves_out_migrations(tmp_path: Path) -> None:
    files = {
        "app.py": 'import os\n\n"""A."""\n',
        "deploy/set-up": "#!/bin/sh\nset -e\n",
        "deploy/site.conf": "server {}\n",
        "app/tests/test_app.py": "1\n2\n3\n4\n",
        "conftest.py": "5\n",
        "app/migrations/0001_initial.py": "6\n",
    }
    for path, text in files.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text, encoding="utf-8")
    assert count(tmp_path) == Size(files=2, lines=5, tests=5, migrations=1)


@pytest.mark.parametrize("answers", [ALL_ON, ALL_OFF], ids=name)
def test_every_variable_that_a_project_reads_is_documented(answers: Answers, pristine: Project) -> None:
    project = pristine(answers)
    code = "".join(path.read_text(encoding="utf-8") for path in project.rglob("*.py"))
    read = set(re.findall(r"\b(?:os\.environ(?:\.get\(|\[)|env\.\w+\()\"([A-Z]\w+)\"", code))
    documents = [project / ".env.example", project / "README.md"]
    documented = set(re.findall(r"\b[A-Z_]{4,}\b", "".join(it.read_text(encoding="utf-8") for it in documents)))
    assert {"BIND", "DEBUG", "ENV_FILE", "OSV_URL", "TEST_DATABASE_URL"} <= read
    assert read - documented <= {"GITHUB_STEP_SUMMARY", "SYSTEMROOT"}, "these come from GitHub and Windows"
