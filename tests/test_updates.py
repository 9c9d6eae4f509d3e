"""Updates of a project by cruft, which generates both releases and merges the difference with Git."""

import json
import re
import shutil
import tomllib
from collections.abc import Callable
from itertools import cycle
from pathlib import Path

import pytest

from tests.support.baking import ALL_OFF, COMBINATIONS, RAW, ROOT, Answers, bake, commit, name, paths, run
from tests.support.releases import (
    NEW_MIGRATION,
    NEXT,
    NEXT_RELEASE,
    RELEASE,
    RESET_TIMEOUT,
    Edit,
    change,
    publish,
    publish_next,
)

MANAGE = ("python", "manage.py")
UPDATING = "docs/updating.md"

TEAM: list[Edit] = [
    ("config/settings.py", 'TIME_ZONE = "UTC"', 'TIME_ZONE = "Europe/Zurich"'),
    (
        "config/urls.py",
        "from django.views.generic import RedirectView\n",
        "from django.views.generic import RedirectView, TemplateView\n",
    ),
    (
        "config/urls.py",
        '    path("admin/", admin.site.urls),\n',
        '    path("about/", TemplateView.as_view(template_name="about.html")),\n    path("admin/", admin.site.urls),\n',
    ),
    (
        "core/tests/access.py",
        "/health/live/   ",
        "/about/  log-in 200 200 200 200\n/health/live/   ",
    ),
    ("templates/base.html", "<p>{{ project_name }}</p>", "<p>{{ project_name }}, <a href='/about/'>about us</a></p>"),
    (
        "uploads/models.py",
        "    status = models.CharField(",
        "    place = models.CharField(max_length=80, blank=True)\n    status = models.CharField(",
    ),
]
TEAMS_CHOICE: Edit = ("config/settings.py", RESET_TIMEOUT, "PASSWORD_RESET_TIMEOUT = 1800")


@pytest.fixture(scope="session")
def origin(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a repository of the template with two releases; the newer one is checked out."""
    folder = shutil.copytree(template, tmp_path_factory.mktemp("origin") / "secure-django")
    publish(folder)
    publish_next(folder)
    return folder


def created(origin: Path, folder: Path, answers: Answers, home: dict[str, str]) -> Path:
    """Generate a project by cruft, and commit it."""
    release = ("--checkout", f"v{RELEASE}")
    run(folder, "cruft", "create", str(origin), *release, "-y", "--extra-context", json.dumps(answers), **home)
    commit(folder / "my-secure-site", "Start")
    return folder / "my-secure-site"


def linked(origin: Path, folder: Path, answers: Answers, home: dict[str, str]) -> Path:
    """Generate a project by cookiecutter and link it as its documents say, without a commit before the edits."""
    run(origin, "git", "worktree", "add", "--quiet", str(folder / "released"), f"v{RELEASE}")
    project = bake(folder / "released", folder, **answers)
    guide = (project / UPDATING).read_text(encoding="utf-8")
    found = re.search(r"^uvx (cruft link) https://github.com/org/secure-django (--checkout \S+)$", guide, re.MULTILINE)
    assert found
    command, release = found[1].split(), found[2].split()
    run(project, *command, str(origin), *release, "-y", "--extra-context", json.dumps(answers), **home)
    return project


def conflicts(project: Path) -> dict[str, list[str]]:
    """Return the conflicts of each file: the lines between markers, or the changed lines of a .rej file."""
    found = {}
    for path in sorted(paths(project)):
        if path.startswith(".git/"):
            continue
        text = (project / path).read_text(encoding="utf-8", errors="replace")
        if path.endswith((".rej", ".orig")):
            found[path] = re.findall(r"^[+-](?![+-]).*", text, re.MULTILINE)
        elif block := re.findall(r"^<<<<<<< .*?^>>>>>>> \w+$", text, re.MULTILINE | re.DOTALL):
            found[path] = "\n".join(block).splitlines()
    return found


def keep_ours(project: Path) -> None:
    """Resolve all conflicts in favour of the team's version."""
    for path in conflicts(project):
        file = project / path
        if file.suffix == ".rej":
            file.unlink()
        else:
            text = file.read_text(encoding="utf-8")
            resolved = re.sub(
                r"^<<<<<<< .*?\n(.*?)^=======\n.*?^>>>>>>> .*?\n", r"\1", text, flags=re.MULTILINE | re.DOTALL
            )
            file.write_text(resolved, encoding="utf-8")


# How the project was made, and the conflicts that its update leaves.
type Case = tuple[Callable[..., Path], dict[str, list[str]]]

MARKED = {
    "config/settings.py": [
        "<<<<<<< ours",
        "PASSWORD_RESET_TIMEOUT = 1800",
        "=======",
        "PASSWORD_RESET_TIMEOUT = 2400",
        ">>>>>>> theirs",
    ]
}
REJECTED = {"config/settings.py.rej": ["-PASSWORD_RESET_TIMEOUT = 3600", "+PASSWORD_RESET_TIMEOUT = 2400"]}
CASES: list[Case] = [(created, {}), (linked, REJECTED), (linked, {}), (created, MARKED)]


@pytest.mark.parametrize(("answers", "case"), [*zip(COMBINATIONS, cycle(CASES))], ids=map(name, COMBINATIONS))
def test_edited_project_updates_to_the_next_release(
    answers: Answers, case: Case, origin: Path, tmp_path: Path, home: dict[str, str]
) -> None:
    start, expected = case
    edits = TEAM + [TEAMS_CHOICE] * bool(expected)
    project = start(origin, tmp_path, answers, home)
    secrets = (project / ".env").read_bytes()
    change(project, edits)
    (project / "templates" / "about.html").write_text('{% extends "base.html" %}\n', encoding="utf-8")
    run(project, *MANAGE, "makemigrations", "--name", "photo_place")
    run(project, *MANAGE, "migrate", "--verbosity", "0")
    run(project, "ruff", "format", "--no-cache")
    commit(project, "Work")

    run(project, "cruft", "update", "--skip-apply-ask", **home)
    assert conflicts(project) == expected
    keep_ours(project)
    assert (project / ".env").read_bytes() == secrets
    for path, _, new in edits + NEXT_RELEASE[2:]:
        assert new.splitlines()[0] in (project / path).read_text(encoding="utf-8")
    changed = {line[3:] for line in run(project, "git", "status", "--porcelain").splitlines()}
    recorded = {".cruft.json", UPDATING, "pyproject.toml", NEW_MIGRATION}
    assert changed == recorded | {path for path, _, _ in NEXT_RELEASE[1:]}
    assert f"--checkout v{NEXT}" in (project / UPDATING).read_text(encoding="utf-8")
    run(project, "ruff", "check", "--no-cache")

    if answers["ci_scanning"] == "gitlab":  # the slow checks do not depend on the CI choice
        start_after_update(project)
        run(project, *MANAGE, "makemigrations", "--check", "--dry-run")
        if answers["auth_app"] and answers["cloudinary_moderation"]:  # slow; test_end_to_end.py covers the rest
            assert " passed" in run(project, "pytest", "-q", "-p", "no:cacheprovider")


def start_after_update(project: Path) -> None:
    """Start the project after its update, and do what each error message says."""
    metadata = tomllib.loads((project / "pyproject.toml").read_text(encoding="utf-8"))
    assert metadata["tool"]["secure-django"] == {"version": NEXT}
    first = metadata["tool"]["poe"]["tasks"]["start"]["sequence"][0]["cmd"].split()
    with pytest.raises(AssertionError, match="REPORT_EMAIL: Environment variable not set"):
        run(project, *first)
    with (project / ".env").open("a", encoding="utf-8") as env:
        env.write("REPORT_EMAIL=reports@example.com\n")
    with pytest.raises(AssertionError, match="makemigrations --merge"):
        run(project, *first)
    run(project, *MANAGE, "makemigrations", "--merge", "--no-input")
    with pytest.raises(AssertionError, match="--check ended with 1"):
        run(project, *MANAGE, "migrate", "--check")
    assert "Applying uploads.0002_photo_views... OK" in run(project, *first)
    run(project, *MANAGE, "migrate", "--check")


def test_guide_to_updates_names_every_step(template: Path, tmp_path: Path) -> None:
    guide = (bake(template, tmp_path, **ALL_OFF) / UPDATING).read_text(encoding="utf-8")
    for word in ("/CHANGELOG.md", ".env.example", ".rej", "makemigrations --merge", "uv run poe start", f"v{RELEASE}"):
        assert word in guide


def test_release_number_is_the_same_everywhere() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    releases = re.findall(
        r"^## (\d+\.\d+\.\d+), (\d{4}-\d\d-\d\d|unreleased)\n\n\*\*What to do:\*\* ", changelog, re.MULTILINE
    )
    assert len(releases) == changelog.count("\n## "), "a release lacks its date or its What to do"
    assert releases == sorted(releases, key=lambda it: [int(part) for part in it[0].split(".")], reverse=True)
    metadata = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert releases[0][0] == RELEASE == metadata["project"]["version"]


@pytest.mark.parametrize("document", ["README.md", f"{RAW}/{UPDATING}"])
def test_cruft_commands_use_urls_that_git_understands(document: str) -> None:
    """Git takes `gh:`, which cruft passes on, for a host name."""
    text = (ROOT / document).read_text(encoding="utf-8")
    commands = re.findall(r"^uvx cruft (?:create|link) (\S+)", text, re.MULTILINE)
    assert commands
    assert {*commands} == {"https://github.com/org/secure-django"}
