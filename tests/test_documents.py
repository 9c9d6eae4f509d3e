"""What the template's own documents state is true."""

import re
from pathlib import Path

import pytest

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
)
from tests.support.features import removed_owner

every_combination = pytest.mark.parametrize("answers", COMBINATIONS, ids=name)

# Not those in an example of a template, which begin with a tag of Django.
LINK = re.compile(
    r"\]\((?!\w+:)([^)#\s]*)(?:#([^)\s]+))?\)"
    r"|\bsrc(?:set)?=\"(?!\w+:|\{)([^\"]+)\""
)
# In any text, also a comment or a command.
NAMED = re.compile(r"(?<![\w./-])(?:docs|deploy|config)/[\w./-]+\.[a-z]+\b")
# A figure in a project's documents, and the line of code that it repeats.
FIGURES = [
    (
        r"SMTP timeout is (\d+) seconds",
        "config/environment.py",
        r'"port": url\.port or port, "timeout": (\d+)',
    ),
    (
        r"takes longer than (\d+) minutes counts as hung",
        "core/jobs.py",
        r"^LIMIT = (\d+) \* 60",
    ),
    (
        r"has not been active for (\d+) minutes",
        "core/status.py",
        r"SILENCE = .*minutes=(\d+)",
    ),
    (
        r"it ends within (\d+) days",
        "core/status.py",
        r"CERTIFICATE_LEFT = .*days=(\d+)",
    ),
    (
        r"succeeded is older than (\d+) hours",
        "core/status.py",
        r"BACKUP_AGE = .*hours=(\d+)",
    ),
    (
        r"is read-only or has less than (\d+) MB",
        "core/health.py",
        r"(\d+) \* 1024\*\*2",
    ),
    (r"newest of each of (\d+) days", "scripts/backups.py", r"--keep-daily=(\d+)"),
    (r"and of each of (\d+) weeks", "scripts/backups.py", r"--keep-weekly=(\d+)"),
    (r"stays in backups for (\d+) weeks", "scripts/backups.py", r"--keep-weekly=(\d+)"),
    (
        r"when `rotate_encryption` says \(after (\d+) weeks\)",
        "core/management/commands/rotate_encryption.py",
        r"Keep the old keys for (\d+) weeks",
    ),
    (r"reads one of (\d+) parts", "scripts/backups.py", r"^PARTS = (\d+)"),
    (r"--keep-daily (\d+) --keep-weekly", "scripts/backups.py", r"--keep-daily=(\d+)"),
    (r"--keep-weekly (\d+) ", "scripts/backups.py", r"--keep-weekly=(\d+)"),
    (r"gets (\d+) seconds of CPU time", "uploads/images.py", r"^CPU_SECONDS = (\d+)"),
    (r"wall clock \((\d+) seconds\)", "uploads/images.py", r"^WALL_SECONDS = (\d+)"),
]


def anchors(document: Path) -> set[str]:
    """Return the anchors that GitHub and GitLab give to the headings of a document."""
    text = re.sub(
        r"^```.*?^```",
        "",
        document.read_text(encoding="utf-8"),
        flags=re.MULTILINE | re.DOTALL,
    )
    titles = (
        re.sub(r"[^\w\- ]", "", title.lower())
        for title in re.findall(r"^#+ (.+?)\s*$", text, re.MULTILINE)
    )
    return {title.replace(" ", "-") for title in titles}


def broken_links(documents: list[Path]) -> list[str]:
    """Return each link or image that leads to no file, or to no heading of it."""
    broken = []
    for document in documents:
        for path, anchor, image in LINK.findall(document.read_text(encoding="utf-8")):
            target = document.parent / (path or image) if path or image else document
            if not target.exists() or (anchor and anchor not in anchors(target)):
                broken.append(f"{document.name}: {path or image}#{anchor}")
    return broken


def test_links_of_the_templates_documents_lead_somewhere(template: Path) -> None:
    documents = [path for path in template.rglob("*.md") if RAW not in path.parts]
    assert len(documents) > 5
    assert not broken_links(documents)


@every_combination
def test_links_of_a_projects_documents_lead_somewhere(
    answers: Answers, pristine: Project
) -> None:
    documents = list(pristine(answers).rglob("*.md"))
    assert len(documents) > 5
    assert not broken_links(documents)


@pytest.mark.parametrize("answers", [ALL_ON, ALL_OFF], ids=name)
def test_files_named_in_a_project_exist(answers: Answers, pristine: Project) -> None:
    project = pristine(answers)
    texts = {
        path: path.read_text(encoding="utf-8")
        for path in project.rglob("*")
        if is_text(path)
    }
    named = {
        (path.name, it)
        for path, text in texts.items()
        if "tests" not in path.parts
        for it in NAMED.findall(text)
    }
    assert len(named) > 20
    assert not [it for it in named if not (project / it[1]).exists()]


def test_files_named_in_the_templates_documents_exist(template: Path) -> None:
    text = "".join(
        path.read_text(encoding="utf-8")
        for path in template.rglob("*.md")
        if RAW not in path.parts
    )
    emitted = [
        template / RAW / path
        for path in re.findall(r"`([a-z]+/tests/(?:test_)?\w+\.py)`", text)
        if not removed_owner(path)
    ]
    own = [
        template / path
        for path in re.findall(r"`((?:benchmarks|hooks|tests)/[\w./]+)`", text)
    ]
    assert not [path for path in emitted + own if not path.exists()]


@pytest.mark.parametrize("answers", [ALL_ON, ALL_OFF], ids=name)
def test_figures_in_a_projects_documents_are_those_of_its_code(
    answers: Answers, pristine: Project
) -> None:
    project = pristine(answers)
    documents = "".join(
        path.read_text(encoding="utf-8") for path in sorted(project.rglob("*.md"))
    )
    for sentence, path, line in FIGURES:
        (figure,) = set(
            re.findall(line, (project / path).read_text(encoding="utf-8"), re.MULTILINE)
        )
        assert set(re.findall(sentence, documents)) == {figure}, (
            f"{sentence}: {path} has {figure}"
        )
    # `NAME` (value): the default.
    example = (project / ".env.example").read_text(encoding="utf-8")
    defaults = dict(re.findall(r"^(\w+)=(.+)$", example, re.MULTILINE))
    stated = re.findall(r"`([A-Z_]{4,})` \((\d+)\)", documents)
    assert len(stated) >= 4
    assert not [
        (variable, value) for variable, value in stated if defaults[variable] != value
    ]
    settings = (project / "config" / "settings.py").read_text(encoding="utf-8")
    read = dict(
        re.findall(
            r"env\.read\(\s*\"(\w+)\",\s.*\"([^\"]+)\",?\s*\)(?:  #.*)?$",
            settings,
            re.MULTILINE,
        )
    )
    assert len(read) > 10
    assert not {
        variable: value
        for variable, value in read.items()
        if defaults.get(variable, value) != value
    }


@pytest.mark.parametrize("answers", [ALL_ON, ALL_OFF], ids=name)
def test_quoted_errors_are_those_of_the_code(
    answers: Answers, pristine: Project
) -> None:
    project = pristine(answers)
    page = (project / "docs" / "first-errors.md").read_text(encoding="utf-8")
    cells = re.findall(r"^\| (.+?) \| ", page, re.MULTILINE)
    quoted = set(re.findall(r"`(.+?)`", " ".join(cells)))
    assert len(quoted) > 10
    code = "".join(
        path.read_text(encoding="utf-8")
        for path in project.rglob("*")
        if path.suffix in {".html", ".py", ".toml"} and "tests" not in path.parts
    )
    # The code of core/tests prints the failures of the access table.
    code += (project / "core" / "tests" / "test_access.py").read_text(encoding="utf-8")
    assert not [it for it in quoted if it not in code]


def test_map_of_the_tests_is_complete() -> None:
    tests = ROOT / "tests"
    listed = set(
        re.findall(
            r"^\| `([\w./]+)` \|",
            (tests / "README.md").read_text(encoding="utf-8"),
            re.MULTILINE,
        )
    )
    modules = {path.name for path in tests.glob("test_*.py")}
    assert listed == modules | {
        f"{path.parent.name}/" for path in tests.glob("*/__init__.py")
    } - {"support/"}


def test_modules_of_the_benchmarks_are_documented() -> None:
    modules = {path.stem for path in (ROOT / "benchmarks").glob("[!_]*.py")}
    document = (ROOT / "benchmarks" / "README.md").read_text(encoding="utf-8")
    assert not [module for module in modules if f"`{module}`" not in document]


@pytest.mark.parametrize("answers", [ALL_ON, ALL_OFF], ids=name)
def test_every_variable_that_a_project_reads_is_documented(
    answers: Answers, pristine: Project
) -> None:
    project = pristine(answers)
    code = "".join(path.read_text(encoding="utf-8") for path in project.rglob("*.py"))
    read = set(
        re.findall(r"\b(?:os\.environ(?:\.get\(|\[)|env\.\w+\()\s*\"([A-Z]\w+)\"", code)
    )
    documents = [project / ".env.example", project / "README.md"]
    documented = set(
        re.findall(
            r"\b[A-Z_]{4,}\b",
            "".join(it.read_text(encoding="utf-8") for it in documents),
        )
    )
    assert {"BIND", "DEBUG", "ENV_FILE", "OSV_URL", "TEST_DATABASE_URL"} <= read
    assert read - documented <= {
        "GITHUB_STEP_SUMMARY",
        "NOTIFY_SOCKET",
        "SYSTEMROOT",
    }, "these come from GitHub, systemd and Windows"


@pytest.mark.parametrize("answers", [ALL_ON, ALL_OFF], ids=name)
def test_every_security_event_is_documented(
    answers: Answers, pristine: Project
) -> None:
    root = pristine(answers)
    code = "\n".join(
        path.read_text(encoding="utf-8")
        for path in root.glob("*/**/*.py")
        if "tests" not in path.parts
    )
    logged = set(re.findall(r'log_event\(\s*"(\w+)"', code))
    for events in re.findall(r"EVENTS = \{(.+?)\}", code, re.DOTALL):
        logged |= set(re.findall(r': "(\w+)"', events))
    document = (root / "docs" / "reference.md").read_text(encoding="utf-8")
    table = document.partition("| event | when |")[2].partition("\n\n")[0]
    cells = re.findall(r"^\| (`.+?) \|", table, re.MULTILINE)
    assert set(re.findall(r"`(\w+)`", " ".join(cells))) == logged
