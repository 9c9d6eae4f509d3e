"""Updates of edited projects from one release to the next: by the command, by the workflows of CI, and by cruft."""

import json
import os
import re
import shutil
import tomllib
from pathlib import Path

import pytest

from tests.support.baking import ALL_OFF, ALL_ON, RAW, ROOT, Answers, bake, commit, paths, run
from tests.support.releases import (
    ACTION,
    IDLE_TIMEOUT,
    NEW_IN_FEATURE,
    NEW_MIGRATION,
    NEXT,
    NEXT_RELEASE,
    RELEASE,
    REPOSITORY,
    URL,
    Edit,
    change,
    publish,
    publish_next,
)
from tests.support.updating import Machine, jobs_of, run_jobs

pytestmark = pytest.mark.slow

MANAGE = ("python", "manage.py")
UPDATE = ("poe", "template-update")
CI = ".github/workflows/ci.yml"

# Edits of five teams.
OWN_SETTINGS: list[Edit] = [
    ("config/settings.py", 'environment.time_zone, "UTC"', 'environment.time_zone, "Europe/Zurich"'),
    ("config/settings.py", IDLE_TIMEOUT, "SESSION_COOKIE_AGE = 25 * 60"),
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
]
OWN_MODEL: list[Edit] = [
    (
        "uploads/models.py",
        "    status = models.CharField(",
        "    place = models.CharField(max_length=80, blank=True)\n    status = models.CharField(",
    ),
]
OWN_WORKFLOW: list[Edit] = [(CI, "  pull_request:\n", "  pull_request:\n  workflow_dispatch:\n")]


@pytest.fixture(scope="session")
def origin(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a repository of the template with two releases, and an unreleased change on its main branch."""
    folder = shutil.copytree(template, tmp_path_factory.mktemp("repositories") / REPOSITORY)
    publish(folder)
    publish_next(folder)
    (folder / RAW / "unreleased.md").write_text("# Unreleased\n", encoding="utf-8")
    commit(folder, "Prepare more")
    return folder


@pytest.fixture
def machine(origin: Path, tmp_path: Path) -> Machine:
    """Return a machine that finds the template at its published address."""
    if os.name != "posix" or not shutil.which("jq"):
        pytest.skip("the stand-ins for uv and gh are shell scripts, and need jq")
    return Machine(tmp_path, origin.parent)


def started(template: Path, machine: Machine, answers: Answers) -> Path:
    """Generate a project of the first release, and commit it."""
    project = bake(template, machine.folder, **answers)
    commit(project, "Start")
    return project


def conflicts(project: Path) -> dict[str, list[str]]:
    """Return the lines between conflict markers by file, without the markers."""
    found = {}
    for path in sorted(paths(project)):
        text = (project / path).read_text(encoding="utf-8", errors="replace")
        blocks = re.findall(r"^<<<<<<< .*?\n(.*?)^=======\n(.*?)^>>>>>>> ", text, re.MULTILINE | re.DOTALL)
        if blocks and not path.startswith(".git/"):
            found[path] = [line for block in blocks for side in block for line in side.splitlines()]
    return found


def assert_nothing_is_lost(
    project: Path, *edits: Edit, renamed: str = "templates/base.html", without: str = ""
) -> None:
    """Check that the project has the edits of the team and those of the release, and their record."""
    for path, _, new in (*edits, *NEXT_RELEASE[2:]):
        file = project / (renamed if path == "templates/base.html" else path)
        if not (without and path.startswith(without)) and file.suffix != ".yml":
            assert new.splitlines()[0] in file.read_text(encoding="utf-8"), path
    assert (project / NEW_MIGRATION).is_file()
    assert not (project / "unreleased.md").exists()
    assert json.loads((project / ".cruft.json").read_text(encoding="utf-8"))["commit"] == f"v{NEXT}"


def test_renamed_template_receives_the_release(template: Path, machine: Machine) -> None:
    project = started(template, machine, ALL_OFF | {"ci_scanning": "github"})
    run(project, "git", "mv", "templates/base.html", "templates/layout.html")
    for file in project.rglob("*.html"):
        text = file.read_text(encoding="utf-8")
        file.write_text(text.replace('extends "base.html"', 'extends "layout.html"'), encoding="utf-8")
    commit(project, "Rename the layout")
    secrets = (project / ".env").read_bytes()
    request = run_jobs(project, machine, tests="core users")
    assert request.pushed
    assert "Check and tests: success" in request.body, request.log
    pulled = machine.clone("template-update")
    assert_nothing_is_lost(pulled, renamed="templates/layout.html", without="accounts/")
    assert not (pulled / "templates" / "base.html").exists()
    assert (project / ".env").read_bytes() == secrets
    assert not (pulled / ".env").exists()


def test_conflicts_are_only_in_lines_that_both_changed(template: Path, machine: Machine) -> None:
    project = started(template, machine, ALL_OFF | {"ci_scanning": "github"})
    change(project, OWN_SETTINGS)
    (project / "templates" / "about.html").write_text('{% extends "base.html" %}\n', encoding="utf-8")
    commit(project, "Work")
    secrets = (project / ".env").read_bytes()
    request = run_jobs(project, machine)
    assert not request.pushed
    assert "Conflicts, which `git status` explains:\n- config/settings.py\n" in request.page
    assert "uv run poe template-update" in request.page

    with pytest.raises(AssertionError, match="ended with 1") as failure:
        machine.run(project, *UPDATE)
    report = str(failure.value)
    assert f"Merged v{NEXT} over v{RELEASE}. Nothing is committed yet" in report
    assert report.endswith(f"What to do, from the changelog:\n- {NEXT}: {ACTION}\n")
    assert conflicts(project) == {"config/settings.py": ["SESSION_COOKIE_AGE = 25 * 60", NEXT_RELEASE[2][2]]}
    assert run(project, "git", "diff", "--name-only", "--diff-filter=U").split() == ["config/settings.py"]
    assert_nothing_is_lost(project, *OWN_SETTINGS, without="accounts/")
    assert (project / ".env").read_bytes() == secrets


def test_pins_that_both_sides_raised_are_no_conflict(template: Path, tmp_path: Path) -> None:
    origin = shutil.copytree(template, tmp_path / "repositories" / REPOSITORY)
    publish(origin)
    machine = Machine(tmp_path, origin.parent)
    project = started(template, machine, ALL_ON)
    raised = origin / RAW / "pyproject.toml"
    raised.write_text(re.sub(r"([=~]=\d+\.)\d+", r"\g<1>500", raised.read_text(encoding="utf-8")), encoding="utf-8")
    publish_next(origin)
    metadata = project / "pyproject.toml"
    # The team raised some pins, one above the release's; it lowered one, and added a package between them.
    text = re.sub(r"(django(?:\[\w+\])?[=~]=\d+\.)\d+", r"\g<1>400", metadata.read_text(encoding="utf-8"))
    text = re.sub(r"(pillow~=\d+\.)\d+", r"\g<1>600", text)
    text = re.sub(r"(redis==)\d+\.", r"\g<1>2.", text)
    metadata.write_text(text.replace('    "whitenoise==', '    "qrcode==8.2",\n    "whitenoise=='), encoding="utf-8")
    commit(project, "Work")
    output = machine.run(project, *UPDATE)
    assert "Conflicts" not in output
    merged = metadata.read_text(encoding="utf-8")
    found = dict(re.findall(r'"([\w-]+)(?:\[\w+\])?[=~]=\d+\.(\d+)', merged))
    assert found.pop("qrcode") == "2"
    assert found.pop("pillow") == "600"
    assert found.pop("redis") != "500"
    assert set(found.values()) == {"500"}
    assert run(project, "git", "diff", "--name-only", "--diff-filter=U") == ""


def test_removed_folder_stays_removed_and_is_reported(template: Path, machine: Machine) -> None:
    project = started(template, machine, ALL_ON | {"ci_scanning": "gitlab"})
    run(project, "git", "rm", "-rq", "accounts")
    commit(project, "Remove the accounts")
    request = run_jobs(project, machine)
    left_out = "removed from this project, so left out:\n- accounts/README.md\n- accounts/next.md\n"
    assert left_out in request.body
    assert request.pushed
    for option in (
        "merge_request.create",
        f"merge_request.title=Update the template to v{NEXT}",
        "Check and tests passed",
    ):
        assert option in request.options
    pulled = machine.clone("template-update")
    assert not (pulled / "accounts").exists()
    assert_nothing_is_lost(pulled, without="accounts/")


def test_own_migration_merges_with_that_of_the_release(template: Path, machine: Machine) -> None:
    project = started(template, machine, ALL_OFF)
    change(project, OWN_MODEL)
    run(project, *MANAGE, "makemigrations", "--name", "photo_place")
    run(project, *MANAGE, "migrate", "--verbosity", "0")
    commit(project, "Add the place")
    output = run(project, *UPDATE, f"v{NEXT}", **machine.environment | {"PYTHONIOENCODING": "ascii"})
    assert f"- {NEXT}: {ACTION}".encode("ascii", "backslashreplace").decode() in output
    assert_nothing_is_lost(project, *OWN_MODEL, without="accounts/")
    with pytest.raises(AssertionError, match="REPORT_EMAIL: Is not set"):
        run(project, *MANAGE, "migrate")
    with (project / ".env").open("a", encoding="utf-8") as env:
        env.write("REPORT_EMAIL=reports@example.com\n")
    with pytest.raises(AssertionError, match="makemigrations --merge"):
        run(project, *MANAGE, "migrate")
    guide = (project / "docs" / "updating.md").read_text(encoding="utf-8")
    assert guide.index("makemigrations --merge") < guide.index("poe start"), "the start migrates"
    run(project, *MANAGE, "makemigrations", "--merge", "--no-input")
    assert "Applying uploads.0002_photo_views... OK" in run(project, *MANAGE, "migrate")
    run(project, *MANAGE, "makemigrations", "--check", "--dry-run")
    assert " passed" in run(project, "pytest", "-q", "-p", "no:cacheprovider", "uploads")


@pytest.mark.parametrize("own_token", [False, True], ids=["token of the job", "own token"])
def test_changes_of_workflows_need_a_token_of_the_team(*, own_token: bool, template: Path, machine: Machine) -> None:
    project = started(template, machine, ALL_ON)
    change(project, OWN_WORKFLOW)
    commit(project, "Run CI by hand too")
    request = run_jobs(project, machine, own_token=own_token)
    pulled = machine.clone("template-update")
    assert_nothing_is_lost(pulled)
    assert (pulled / NEW_IN_FEATURE).is_file()
    assert ("    name: All style" in (pulled / CI).read_text(encoding="utf-8")) == own_token
    assert ("git apply --3way workflows.patch" in request.body) != own_token
    run(
        pulled,
        "git",
        "apply",
        "--3way",
        *(["--reverse"] if own_token else []),
        str(request.artifact / "workflows.patch"),
    )
    assert "  workflow_dispatch:\n" in (pulled / CI).read_text(encoding="utf-8")
    # Again: nothing is new. Then with commits of the team: they stay.
    assert not run_jobs(project, machine, own_token=own_token).pushed
    run(pulled, "git", "reset", "--quiet", "--hard")
    (pulled / "fix.md").write_text("# Fix\n", encoding="utf-8")
    commit(pulled, "Fix")
    run(pulled, "git", "push", "--quiet", "origin", "template-update")
    refused = run_jobs(project, machine, own_token=own_token)
    assert "has commits of yours" in refused.log
    assert (machine.clone("template-update") / "fix.md").is_file()


@pytest.mark.parametrize("ci_scanning", ["github", "gitlab"])
def test_release_that_a_team_refused_is_not_offered_again(ci_scanning: str, template: Path, machine: Machine) -> None:
    project = started(template, machine, ALL_OFF | {"ci_scanning": ci_scanning})
    assert run_jobs(project, machine).pushed
    machine.close_request()
    clone = machine.clone("main")
    (clone / "note.md").write_text("# Note\n", encoding="utf-8")
    commit(clone, "Go on")
    run(clone, "git", "push", "--quiet", "origin", "main")
    again = run_jobs(project, machine)
    assert not again.pushed
    assert not again.failed
    # On GitHub the next release is offered in any case, on GitLab any release once the branch is gone.
    if ci_scanning == "github":
        machine.close_request("Update the template to v0.9.0")
    else:
        run(machine.remote, "git", "branch", "--quiet", "-D", "template-update")
    assert run_jobs(project, machine).pushed
    assert (machine.clone("template-update") / "note.md").is_file()


@pytest.mark.parametrize("ci_scanning", ["github", "gitlab"])
def test_ci_says_how_to_allow_requests(ci_scanning: str, template: Path, machine: Machine) -> None:
    project = started(template, machine, ALL_OFF | {"ci_scanning": ci_scanning})
    request = run_jobs(project, machine, allowed=False)
    assert request.failed
    assert {"github": "Settings > Actions > General", "gitlab": "TEMPLATE_UPDATE_TOKEN"}[ci_scanning] in request.log
    assert "uv run poe template-update" in request.log
    allowed = run_jobs(project, machine)
    assert not allowed.failed
    opened = {"github": "gh pr create", "gitlab": "merge_request.create"}[ci_scanning]
    assert opened in allowed.log + allowed.options


@pytest.mark.parametrize("ci_scanning", ["github", "gitlab"])
def test_job_with_the_templates_code_may_not_write(ci_scanning: str, template: Path, machine: Machine) -> None:
    update, request = jobs_of(started(template, machine, ALL_OFF | {"ci_scanning": ci_scanning}))
    assert "TOKEN" not in json.dumps(update)
    assert "uv " not in json.dumps(request).replace("uv run poe template-update", "")
    if ci_scanning == "github":
        assert update["permissions"] == {"contents": "read"}
        uses = [step["uses"] for job in (update, request) for step in job["steps"] if "uses" in step]
        assert all(action.startswith("actions/") for action in uses)


def refuse(project: Path, machine: Machine, *arguments: str) -> str:
    """Return why the command refuses: one line, and nothing changes."""
    before = run(project, "git", "status", "--porcelain") if (project / ".git").is_dir() else ""
    with pytest.raises(AssertionError, match="ended with 1") as failure:
        machine.run(project, "poe", "--quiet", "template-update", *arguments)
    (reason,) = str(failure.value).splitlines()[1:]
    assert before == (run(project, "git", "status", "--porcelain") if (project / ".git").is_dir() else "")
    return reason


def test_command_refuses_with_one_sentence(template: Path, machine: Machine) -> None:
    project = bake(template, machine.folder, **ALL_OFF)
    assert "commit this project to a repository first" in refuse(project, machine)
    (machine.folder / ".gitignore").write_text("*", encoding="utf-8")
    commit(machine.folder, "Start another project")
    assert "commit this project to a repository first" in refuse(project, machine)
    commit(project, "Start")
    assert f"no release v7.0.0. Its releases: v{RELEASE}, v{NEXT}." in refuse(project, machine, "7.0.0")
    (project / "my nöte.txt").touch()
    assert refuse(project, machine) == "Commit or stash your changes first: my nöte.txt."
    (project / "my nöte.txt").unlink()
    change(project, [(".gitignore", "# Data\n", f"# Data\n{NEW_MIGRATION}\n")])
    commit(project, "Ignore a file")
    (project / NEW_MIGRATION).write_text("mine", encoding="utf-8")
    assert f"Move yours away first: {NEW_MIGRATION}." in refuse(project, machine)
    assert (project / NEW_MIGRATION).read_text(encoding="utf-8") == "mine"
    change(project, [(".cruft.json", f'"commit": "v{RELEASE}"', '"commit": "v0.1.0"')])
    commit(project, "Record another release")
    assert "has no v0.1.0" in refuse(project, machine)
    (project / ".cruft.json").write_text("<<<<<<< HEAD\n", encoding="utf-8")
    commit(project, "Break the record")
    assert ".cruft.json is missing or damaged" in refuse(project, machine)
    (project / ".cruft.json").unlink()
    commit(project, "Remove the record")
    assert ".cruft.json is missing or damaged" in refuse(project, machine)


def test_refused_answer_is_to_be_corrected_in_the_record(template: Path, machine: Machine) -> None:
    project = started(template, machine, ALL_OFF)
    change(project, [(".cruft.json", '"domain_name": "example.com"', '"domain_name": "localhost"')])
    commit(project, "Record another domain")
    with pytest.raises(AssertionError, match="correct the answer in") as failure:
        machine.run(project, *UPDATE)
    assert "domain_name: is not a valid domain name" in str(failure.value)
    assert not run(project, "git", "status", "--porcelain")


def test_new_file_in_a_renamed_folder_is_to_be_confirmed(template: Path, machine: Machine) -> None:
    project = started(template, machine, ALL_ON)
    run(project, "git", "mv", "accounts", "members")
    commit(project, "Rename the accounts")
    moved = NEW_IN_FEATURE.replace("accounts", "members")
    with pytest.raises(AssertionError, match=f"which `git status` explains:\n- {re.escape(moved)}\n\n"):
        machine.run(project, *UPDATE)
    assert (project / moved).is_file()
    assert not (project / "accounts").exists()


def test_project_in_a_folder_of_its_repository_updates(template: Path, machine: Machine) -> None:
    company, temporary = machine.folder / "company", machine.folder / "tmp"
    project = bake(template, company / "sites", **ALL_ON)
    commit(company, "Start")
    run(project, "git", "mv", "config/urls.py", "config/routes.py")
    run(project, "git", "rm", "-rq", "accounts")
    commit(company, "Rename and remove")
    run(company, "git", "sparse-checkout", "set", project.relative_to(company).as_posix())
    temporary.mkdir()
    output = run(project, *UPDATE, **machine.environment | {"TMPDIR": str(temporary)})
    assert "left out:\n- accounts/README.md\n- accounts/next.md\n" in output
    assert_nothing_is_lost(project, without="accounts/")
    assert not (project / "accounts").exists()
    assert not (project.parent / "config").exists()
    assert not list(temporary.iterdir())
    commit(company, "Update")
    assert "Nothing to do" in machine.run(project, *UPDATE)


def test_cruft_updates_from_the_record_too(template: Path, machine: Machine) -> None:
    project = started(template, machine, ALL_ON)
    change(project, OWN_SETTINGS[:1])
    commit(project, "Work")
    secrets = (project / ".env").read_bytes()
    machine.run(project, "cruft", "update", "--skip-apply-ask", "--checkout", f"v{NEXT}")
    assert not conflicts(project)
    for path, _, new in OWN_SETTINGS[:1] + NEXT_RELEASE[2:]:
        assert new.splitlines()[0] in (project / path).read_text(encoding="utf-8")
    assert (project / ".env").read_bytes() == secrets
    record = json.loads((project / ".cruft.json").read_text(encoding="utf-8"))
    assert re.fullmatch(r"[0-9a-f]{40}", record["commit"])
    commit(project, "Update by cruft")
    assert "Nothing to do" in machine.run(project, *UPDATE)


# The record


@pytest.mark.parametrize(
    ("cloned_from", "recorded"),
    [
        ("https://github.com/org/secure-django.git", "https://github.com/org/secure-django.git"),
        ("https://ci:made-up@git.example.com/it/secure-django", "https://git.example.com/it/secure-django"),
        ("git@git.example.com:it/secure-django.git", "git@git.example.com:it/secure-django.git"),
        ("ssh://git@git.example.com/it/secure-django", "ssh://git@git.example.com/it/secure-django"),
        ("ssh://git:made-up@git.example.com:22/it/site", "ssh://git@git.example.com:22/it/site"),
        ("https://git.example.com/it/site?private_token=made-up", "https://git.example.com/it/site"),
        ("/srv/secure-django", URL),
        ("file:///srv/secure-django", URL),
        ("C:/Users/ann/secure-django", URL),
        ("", URL),
    ],
)
def test_record_has_an_address_that_works_everywhere(
    cloned_from: str, recorded: str, template: Path, tmp_path: Path
) -> None:
    clone = shutil.copytree(template, tmp_path / "clone")
    run(clone, "git", "init", "--quiet")
    if cloned_from:
        run(clone, "git", "remote", "add", "fork", "https://example.org/fork")
        run(clone, "git", "remote", "add", "origin", cloned_from)
    project = bake(clone, tmp_path, **ALL_OFF, project_name="Ann’s Photos")
    record = json.loads((project / ".cruft.json").read_text(encoding="utf-8"))
    assert record["template"] == recorded
    assert record["commit"] == record["checkout"] == f"v{RELEASE}"
    assert record["context"]["cookiecutter"].items() >= (ALL_OFF | {"project_name": "Ann’s Photos"}).items()
    assert str(tmp_path) not in json.dumps(record)


def test_guide_to_updates_names_every_step(template: Path, tmp_path: Path) -> None:
    guide = (bake(template, tmp_path, **ALL_OFF) / "docs" / "updating.md").read_text(encoding="utf-8")
    for word in ("/CHANGELOG.md", ".env.example", "git reset --hard", "makemigrations --merge", "uv run poe start"):
        assert word in guide


def test_release_number_is_the_same_everywhere() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    releases = re.findall(
        r"^## (\d+\.\d+\.\d+), (\d{4}-\d\d-\d\d|unreleased)\n\n\*\*What to do:\*\* ", changelog, re.MULTILINE
    )
    assert len(releases) == changelog.count("\n## "), "a release lacks its date or its What to do"
    assert releases == sorted(releases, key=lambda it: [int(part) for part in it[0].split(".")], reverse=True)
    metadata = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    newest = next((number for number, date in releases if date != "unreleased"), releases[0][0])
    assert newest == RELEASE == metadata["project"]["version"], (
        "projects record this number as the tag of their release"
    )


@pytest.mark.skipif(os.name != "posix", reason="the runners use Linux")
def test_new_release_is_a_dated_version_without_a_tag(template: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(template, tmp_path / "template")
    commit(folder)
    log = folder / "CHANGELOG.md"
    start = log.read_text(encoding="utf-8")
    log.write_text(start.replace("\n## ", "\n## 99.0.0, unreleased\n\n- More.\n\n## ", 1), encoding="utf-8")
    assert run(folder, ".ci/new-release") == "tag=\n"
    log.write_text(start.replace("\n## ", "\n## 99.0.0, 2099-01-01\n\n- More.\n\n## ", 1), encoding="utf-8")
    with pytest.raises(AssertionError, match=r"_version in cookiecutter\.json is another"):
        run(folder, ".ci/new-release")
    change(folder, [("cookiecutter.json", f'"_version": "{RELEASE}"', '"_version": "99.0.0"')])
    assert run(folder, ".ci/new-release") == "tag=v99.0.0\n"
    assert run(folder, ".ci/new-release", "--notes") == "- More.\n"
    run(folder, "git", "tag", "v99.0.0")
    assert run(folder, ".ci/new-release") == "tag=\n"


def test_command_uses_the_pinned_cookiecutter() -> None:
    pins = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["dependency-groups"]["dev"]
    (pin,) = [it for it in pins if it.startswith("cookiecutter==")]
    command = (ROOT / "update.py").read_text(encoding="utf-8")
    assert f'"--exclude-newer", "7 days", "--from", "{pin}"' in command
