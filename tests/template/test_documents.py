"""What the documents of the template, a project and the package state is true."""

import re
from pathlib import Path

import pytest

from tests.support.baking import (
    ALL_OFF,
    ALL_ON,
    COMBINATIONS,
    EXAMPLE,
    ON_PLATFORM,
    PROMPTS,
    RAW,
    ROOT,
    Answers,
    Project,
    is_text,
    name,
    own_modules,
    own_paths,
)
from tests.support.features import removed_owner

PACKAGE = ROOT / "src" / "secure_django"
# By these URLs, a project's documents link to files of this repository.
FILES = f"{PROMPTS['_repository']}/blob/main/"
FOLDERS = f"{PROMPTS['_repository']}/tree/main/"

every_combination = pytest.mark.parametrize("answers", COMBINATIONS, ids=name)

# Not those in an example of a template, which begin with a tag of Django.
LINK = re.compile(
    r"\]\((?!\w+:)([^)#\s]*)(?:#([^)\s]+))?\)"
    r"|\bsrc(?:set)?=\"(?!\w+:|\{)([^\"]+)\""
)
LINKED_FILE = re.compile(re.escape(FILES) + r"([^)#\s]+)(?:#([\w-]+))?")
LINKED_FOLDER = re.compile(re.escape(FOLDERS) + r"([^)#\s]+)")
# In any text, also a comment or a command.
NAMED = re.compile(r"(?<![\w./-])(?:docs|deploy|config)/[\w./-]+\.[a-z]+\b")
# A figure in the documents of the package or a project, and the line of code that it
# repeats.
FIGURES = [
    (
        r"SMTP and HTTP timeout is (\d+) seconds",
        "secure_django/conf/environment.py",
        r"^MAIL_SECONDS = (\d+)",
    ),
    (
        r"takes longer than (\d+) minutes counts as hung",
        "secure_django/jobs/__init__.py",
        r"^LIMIT = (\d+) \* 60",
    ),
    (
        r"has not been active for (\d+) minutes",
        "secure_django/status.py",
        r"SILENCE = .*minutes=(\d+)",
    ),
    (
        r"it ends within (\d+) days",
        "secure_django/status.py",
        r"CERTIFICATE_LEFT = .*days=(\d+)",
    ),
    (
        r"succeeded is older than (\d+) hours",
        "secure_django/status.py",
        r"BACKUP_AGE = .*hours=(\d+)",
    ),
    (
        r"is read-only or has less than (\d+) MB",
        "secure_django/web/health.py",
        r"(\d+) \* 1024\*\*2",
    ),
    (
        r"newest of each of (\d+) days",
        "secure_django/commands/backups.py",
        r"--keep-daily=(\d+)",
    ),
    (
        r"and of each of (\d+) weeks",
        "secure_django/commands/backups.py",
        r"--keep-weekly=(\d+)",
    ),
    (
        r"stays in backups for (\d+) weeks",
        "secure_django/commands/backups.py",
        r"--keep-weekly=(\d+)",
    ),
    (
        r"when `rotate_encryption` says \(after (\d+) weeks\)",
        "secure_django/management/commands/rotate_encryption.py",
        r"Keep the old keys for (\d+) weeks",
    ),
    (
        r"reads one of (\d+) parts",
        "secure_django/commands/backups.py",
        r"^PARTS = (\d+)",
    ),
    (
        r"--keep-daily (\d+) --keep-weekly",
        "secure_django/commands/backups.py",
        r"--keep-daily=(\d+)",
    ),
    (
        r"--keep-weekly (\d+) ",
        "secure_django/commands/backups.py",
        r"--keep-weekly=(\d+)",
    ),
    (
        r"gets (\d+) seconds of CPU time",
        "secure_django/photos/images.py",
        r"^CPU_SECONDS = (\d+)",
    ),
    (
        r"wall clock \((\d+) seconds\)",
        "secure_django/photos/images.py",
        r"^WALL_SECONDS = (\d+)",
    ),
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


def broken_urls(documents: list[Path]) -> list[str]:
    """Return each URL of this repository that leads to no file, or to no heading."""
    broken = []
    for document in documents:
        text = document.read_text(encoding="utf-8")
        for path, anchor in LINKED_FILE.findall(text):
            target = ROOT / path
            if not target.is_file() or (anchor and anchor not in anchors(target)):
                broken.append(f"{document.name}: {path}#{anchor}")
        folders = LINKED_FOLDER.findall(text)
        broken += [
            f"{document.name}: {path}" for path in folders if not (ROOT / path).is_dir()
        ]
    return broken


def own_documents(project: Path) -> list[Path]:
    """Return the documents of a project, without those of the package in vendor/."""
    return [project / path for path in own_paths(project) if path.endswith(".md")]


def own_texts(project: Path) -> dict[Path, str]:
    """Return the text files of a project, without those of the package and tests."""
    paths = [project / path for path in own_paths(project)]
    return {
        path: path.read_text(encoding="utf-8")
        for path in paths
        if is_text(path) and "tests" not in path.relative_to(project).parts
    }


def package_documents() -> list[Path]:
    return sorted(PACKAGE.rglob("*.md"))


def package_code() -> str:
    """Return the code of the package, with the tests that run in projects."""
    return "\n".join(
        path.read_text(encoding="utf-8")
        for ending in ("html", "py")
        for path in PACKAGE.rglob(f"*.{ending}")
    )


def test_links_of_the_templates_documents_lead_somewhere(template: Path) -> None:
    documents = [path for path in template.rglob("*.md") if RAW not in path.parts]
    assert len(documents) > 5
    assert not broken_links(documents)


def test_every_picture_of_the_documents_is_shown() -> None:
    pictures = {path.name for path in (ROOT / "docs" / "images").iterdir()}
    documents = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]
    documents += ROOT.glob("example/*.md")
    texts = "".join(path.read_text(encoding="utf-8") for path in documents)
    shown = set(re.findall(r"images/([\w.-]+)", texts))
    assert pictures == shown


@every_combination
def test_links_of_a_projects_documents_lead_somewhere(
    answers: Answers, pristine: Project
) -> None:
    documents = own_documents(pristine(answers))
    assert len(documents) > 5
    assert not broken_links(documents)
    assert not broken_urls(documents)


def test_links_of_the_packages_documents_stay_in_it() -> None:
    """A wheel has the package alone."""
    outside = [
        f"{document.name}: {path}"
        for document in package_documents()
        for path, _, image in LINK.findall(document.read_text(encoding="utf-8"))
        if not (document.parent / (path or image)).resolve().is_relative_to(PACKAGE)
    ]
    assert not outside


def test_list_of_the_packages_documents_is_complete() -> None:
    index = PACKAGE / "docs" / "README.md"
    links = LINK.findall(index.read_text(encoding="utf-8"))
    listed = {(index.parent / path).resolve() for path, *_ in links}
    assert listed == set(package_documents()) - {index}


@pytest.mark.parametrize("answers", [ALL_ON, ALL_OFF], ids=name)
def test_files_named_in_a_project_exist(answers: Answers, pristine: Project) -> None:
    project = pristine(answers)
    named = {
        (path.name, it)
        for path, text in own_texts(project).items()
        for it in NAMED.findall(text)
    }
    assert len(named) > 20
    assert not [it for it in named if not (project / it[1]).exists()]


def test_files_that_the_package_names_exist(template: Path) -> None:
    """They are files of a project, or documents of the package."""
    texts = {
        path: path.read_text(encoding="utf-8")
        for path in PACKAGE.rglob("*")
        if path.suffix in {".md", ".py"}
    }
    named = {
        (path.name, it) for path, text in texts.items() for it in NAMED.findall(text)
    }
    assert len(named) > 10
    folders = [template / RAW, PACKAGE]
    assert not [
        it for it in named if not any((folder / it[1]).exists() for folder in folders)
    ]


def test_files_named_in_the_templates_documents_exist(template: Path) -> None:
    text = "".join(
        path.read_text(encoding="utf-8")
        for path in template.rglob("*.md")
        if RAW not in path.parts and "src" not in path.parts
    )
    emitted = [
        template / RAW / path
        for path in re.findall(r"`([a-z]+/tests/(?:test_)?\w+\.py)`", text)
        if not removed_owner(path)
    ]
    own = [
        template / path
        for path in re.findall(r"`((?:benchmarks|hooks|src|tests)/[\w./]+)`", text)
        if path != "tests/table.py"  # of each app of a project
    ]
    assert not [path for path in emitted + own if not path.exists()]


def test_figures_in_documents_are_those_of_the_code(pristine: Project) -> None:
    project = pristine(ALL_ON)
    documents = "".join(
        path.read_text(encoding="utf-8")
        for path in [*own_documents(project), *package_documents()]
    )
    for sentence, path, line in FIGURES:
        code = (ROOT / "src" / path).read_text(encoding="utf-8")
        (figure,) = set(re.findall(line, code, re.MULTILINE))
        assert set(re.findall(sentence, documents)) == {figure}, (
            f"{sentence}: {path} has {figure}"
        )
    # `NAME` (value): the default, which test_env_example.py compares with the code.
    example = (project / ".env.example").read_text(encoding="utf-8")
    # Those of a feature that a fork has removed are on the test site.
    lines = re.findall(r"^(\w+)=(.+)$", f"{EXAMPLE}\n{example}", re.MULTILINE)
    defaults = dict(lines)
    stated = re.findall(r"`([A-Z_]{4,})` \((\d+)\)", documents)
    assert len(stated) >= 4
    assert not [
        (variable, value) for variable, value in stated if defaults[variable] != value
    ]


@pytest.mark.parametrize("answers", [ALL_ON, ALL_OFF], ids=name)
def test_quoted_errors_are_those_of_the_code(
    answers: Answers, pristine: Project
) -> None:
    project = pristine(answers)
    page = (project / "docs" / "first-errors.md").read_text(encoding="utf-8")
    cells = re.findall(r"^\| (.+?) \| ", page, re.MULTILINE)
    quoted = set(re.findall(r"`(.+?)`", " ".join(cells)))
    assert len(quoted) > 10
    own = [text for path, text in own_texts(project).items() if path.suffix == ".toml"]
    code = "\n".join([package_code(), *own])
    assert not [it for it in quoted if it not in code]


def test_site_asks_no_platform_for_more_than_it_gives(pristine: Project) -> None:
    folder = pristine(ON_PLATFORM)
    page = (folder / "docs" / "platforms.md").read_text(encoding="utf-8")
    rows = re.findall(
        r"^\| (?:Cloud Run|Fly|Heroku|Render) \| (.+) \|$", page, re.MULTILINE
    )
    cells = [row.split(" | ") for row in rows]
    assert len(cells) == 4
    graces = [grace for _, grace, *_ in cells if ", or " not in grace]  # those fixed
    schedules = [schedule for _, _, schedule, *_ in cells]
    dockerfile = (folder / "Dockerfile").read_text(encoding="utf-8")
    (seconds,) = re.findall(r"^ENV GRACE_SECONDS=(\d+)$", dockerfile, re.MULTILINE)
    given = re.findall(r"(\d+) seconds", " ".join(graces))
    assert int(seconds) <= min(map(int, given))
    assert f"`GRACE_SECONDS`, which the image sets to {seconds}," in page
    (minutes,) = re.findall(r"`python manage.py status .+every (\d+) minutes", page)
    offered = re.findall(r"(\d+) minutes", " ".join(schedules))
    assert int(minutes) >= max(map(int, offered))


def test_map_of_the_tests_is_complete() -> None:
    """It has each module of tests, and each folder of them that is a room."""
    tests = ROOT / "tests"
    listed = set(
        re.findall(
            r"^\| `([\w./]+)` \|",
            (tests / "README.md").read_text(encoding="utf-8"),
            re.MULTILINE,
        )
    )
    modules = {
        path.relative_to(tests)
        for folder in (tests, tests / "template")
        for path in folder.glob("test_*.py")
    }
    rooms = {path.parent.relative_to(tests) for path in tests.rglob("test_*.py")}
    rooms -= {Path(), Path("template")}
    assert listed - {"template/", "test_*.py"} == {
        *(path.as_posix() for path in modules),
        *(f"{path.as_posix()}/" for path in rooms),
    }


@pytest.mark.parametrize("answers", [ALL_ON, ALL_OFF], ids=name)
def test_every_variable_that_a_project_reads_is_documented(
    answers: Answers, pristine: Project
) -> None:
    project = pristine(answers)
    features = {
        "accounts": answers.get("auth_app"),
        "cloudinary": answers.get("cloudinary_moderation"),
    }
    left_out = {feature for feature, is_chosen in features.items() if not is_chosen}
    paths = [*own_modules(project), *PACKAGE.rglob("*.py")]
    code = "\n".join(
        path.read_text(encoding="utf-8")
        for path in paths
        if left_out.isdisjoint(path.parts)
    )
    read = set(
        re.findall(
            r"\b(?:os\.environ(?:\.get\(|\[)|env\.\w+\(|self\.read\()\s*\"([A-Z]\w+)\"",
            code,
        )
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
        "DJANGO_SETTINGS_MODULE",
        "DJANGO_SUPERUSER_EMAIL",
        "DJANGO_SUPERUSER_PASSWORD",
        "GITHUB_ACTIONS",
        "GITHUB_STEP_SUMMARY",
        "NOTIFY_SOCKET",
        "PYTHONPATH",
        "SYSTEMROOT",
        "TZ",
    }, "these come from Django, GitHub, systemd, Python and Windows"


def test_every_security_event_is_documented() -> None:
    code = package_code()
    logged = set(re.findall(r'log_event\(\s*"(\w+)"', code))
    for events in re.findall(r"EVENTS = \{(.+?)\}", code, re.DOTALL):
        logged |= set(re.findall(r': "(\w+)"', events))
    document = (PACKAGE / "docs" / "reference.md").read_text(encoding="utf-8")
    table = document.partition("| event | when |")[2].partition("\n\n")[0]
    cells = re.findall(r"^\| (`.+?) \|", table, re.MULTILINE)
    assert set(re.findall(r"`(\w+)`", " ".join(cells))) == logged
