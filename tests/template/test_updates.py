"""Updates of edited projects: by the command, by the workflows of CI, and by cruft."""

import json
import os
import re
import shutil
import tomllib
from itertools import permutations
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.support.baking import (
    ALL_OFF,
    ALL_ON,
    EACH_WEEK,
    RAW,
    ROOT,
    Answers,
    Once,
    Project,
    bake,
    commit,
    name,
    paths,
    run,
)
from tests.support.releases import (
    ACTION,
    GONE_FROM_PACKAGE,
    IDLE_TIMEOUT,
    IN_PROJECT,
    NEW_IN_FEATURE,
    NEW_IN_PACKAGE,
    NEW_MIGRATION,
    NEXT,
    OF_EACH_KIND,
    PAGE,
    RAISED_ACTION,
    RELEASE,
    REPOSITORY,
    URL,
    VENDOR,
    Edit,
    change,
    publish,
    publish_everything,
    publish_next,
    set_version,
)
from tests.support.teamwork import INSERTIONS, POE, work_for_months
from tests.support.updating import Machine, jobs_of, package_of, run_jobs
from update import HUNK, merge_hunk

pytestmark = pytest.mark.tier("whole")

MANAGE = ("python", "manage.py")
FORK = "https://github.com/org/museum-django"
UPDATE = ("poe", "template-update")
CI = ".github/workflows/ci.yml"

# Edits of five teams.
OWN_SETTINGS: list[Edit] = [
    (
        "config/settings.py",
        'conf.time_zone, "UTC"',
        'conf.time_zone, "Europe/Zurich"',
    ),
    ("config/settings.py", IDLE_TIMEOUT, "SESSION_COOKIE_AGE = 25 * 60"),
    (
        "config/urls.py",
        "from django.urls import include, path\n",
        (
            "from django.urls import include, path\n"
            "from django.views.generic import TemplateView\n"
        ),
    ),
    (
        "config/urls.py",
        "urlpatterns = [\n",
        (
            "urlpatterns = [\n"
            '    path("about/", TemplateView.as_view(template_name="about.html")),\n'
        ),
    ),
]
OWN_ACCESS: Edit = (
    "events/tests/table.py",
    'ROWS = """\n',
    (
        'ROWS = """\n'
        "/about/                                      "
        "log-in 200    200      200    200\n"
    ),
)
OWN_MODEL: list[Edit] = [
    (
        "users/models.py",
        "from django.utils",
        "from django.db import models\nfrom django.utils",
    ),
    (
        "users/models.py",
        'Add your fields here."""\n',
        (
            'Add your fields here."""\n\n'
            "    place = models.CharField(max_length=80, blank=True)\n"
        ),
    ),
]
OWN_WORKFLOW: list[Edit] = [
    (CI, "  pull_request:\n", "  pull_request:\n  workflow_dispatch:\n")
]


@pytest.fixture(scope="session")
def published(template: Path, once: Once) -> Path:
    """Return a repository of the template with its release, which updates clone."""
    without = shutil.ignore_patterns("benchmarks")

    def release(folder: Path) -> None:
        publish(shutil.copytree(template, folder, ignore=without))

    return once("published", release)


@pytest.fixture(scope="session")
def origin(published: Path, once: Once) -> Path:
    """Return a repository of the template: two releases, and a change after them."""

    def release(repositories: Path) -> None:
        folder = shutil.copytree(published, repositories / REPOSITORY)
        publish_next(folder)
        (folder / RAW / "unreleased.md").write_text("# Unreleased\n", encoding="utf-8")
        commit(folder, "Prepare more")

    return once("repositories", release) / REPOSITORY


@pytest.fixture
def machine(origin: Path, originals: Path, tmp_path: Path) -> Machine:
    """Return a machine that finds the template at its published address."""
    if os.name != "posix" or not shutil.which("jq"):
        pytest.skip("the stand-ins for uv and gh are shell scripts, and need jq")
    return Machine(tmp_path, origin.parent, originals / "generated")


@pytest.fixture
def started(template: Path, once: Once, tmp_path: Path) -> Project:
    """Return a function that copies a committed project of the first release."""

    def make(answers: Answers) -> Path:
        original = once(
            f"started-{name(answers)}",
            lambda folder: commit(bake(template, folder, **answers), "Start"),
        )
        return shutil.copytree(
            original / "my-secure-site", tmp_path / "my-secure-site", symlinks=True
        )

    return make


@pytest.fixture
def worked(template: Path, once: Once) -> Project:
    """Return a function that makes a project with work. Tests do not change it."""

    def work_in(answers: Answers, folder: Path) -> None:
        project = bake(template, folder, **answers)
        commit(project, "Start")
        work(project)
        commit(project, "Work")

    def make(answers: Answers) -> Path:
        key = f"worked-{name(answers)}"
        original = once(key, lambda folder: work_in(answers, folder))
        return original / "my-secure-site"

    return make


def conflicts(project: Path) -> dict[str, list[str]]:
    """Return the lines between conflict markers by file, without the markers."""
    found = {}
    for path in sorted(paths(project)):
        text = (project / path).read_text(encoding="utf-8", errors="replace")
        blocks = re.findall(
            r"^<<<<<<< .*?\n(.*?)^=======\n(.*?)^>>>>>>> ",
            text,
            re.MULTILINE | re.DOTALL,
        )
        if blocks and not path.startswith(".git/"):
            found[path] = [
                line for block in blocks for side in block for line in side.splitlines()
            ]
    return found


def assert_nothing_is_lost(
    project: Path, *edits: Edit, renamed: str = "templates/base.html", without: str = ""
) -> None:
    """Check that the project has the edits of the team and of the release."""
    for path, _, new in (*edits, *IN_PROJECT, PAGE):
        file = project / (renamed if path == "templates/base.html" else path)
        if not (without and path.startswith(without)) and file.suffix != ".yml":
            assert new.splitlines()[0] in file.read_text(encoding="utf-8"), path
    assert (project / NEW_MIGRATION).is_file()
    assert (project / NEW_IN_PACKAGE).is_file()
    assert not (project / GONE_FROM_PACKAGE).exists()
    assert not (project / "unreleased.md").exists()
    assert record_of(project)["commit"] == f"v{NEXT}"


def test_check_and_tests_run_on_the_update(started: Project, machine: Machine) -> None:
    project = started(ALL_OFF | {"ci_scanning": "github"})
    secrets = (project / ".env").read_bytes()
    request = run_jobs(project, machine, tests="whole")
    assert request.pushed, request.log
    assert "Check and tests passed: https://run" in request.body, request.log
    assert "secure_django.commands.engines -k test_headers" in request.log
    assert "committed" not in request.body, "a request is"
    assert "--draft" not in request.log
    pulled = machine.clone("template-update")
    assert_nothing_is_lost(pulled, without="gallery/")
    lock = (pulled / "settings.lock").read_text(encoding="utf-8")
    assert "REPORT_EMAIL = (REPORT_EMAIL)\n" in lock, "the job writes it anew"
    assert (project / ".env").read_bytes() == secrets
    assert not (pulled / ".env").exists()


def test_renamed_template_receives_the_release(
    started: Project, machine: Machine
) -> None:
    project = started(ALL_OFF | {"ci_scanning": "github"})
    run(project, "git", "mv", "templates/base.html", "templates/layout.html")
    # The package's pages keep the package's layout.
    for file in (project / "templates").rglob("*.html"):
        text = file.read_text(encoding="utf-8")
        file.write_text(
            text.replace('extends "base.html"', 'extends "layout.html"'),
            encoding="utf-8",
        )
    commit(project, "Rename the layout")
    machine.run(project, *UPDATE)
    assert_nothing_is_lost(project, renamed="templates/layout.html", without="gallery/")
    assert not (project / "templates" / "base.html").exists()


def test_conflicts_are_only_in_lines_that_both_changed(
    started: Project, machine: Machine
) -> None:
    project = started(ALL_OFF | {"ci_scanning": "github"})
    change(project, OWN_SETTINGS)
    (project / "templates" / "about.html").write_text(
        '{% extends "base.html" %}\n', encoding="utf-8"
    )
    commit(project, "Work")
    secrets = (project / ".env").read_bytes()
    with pytest.raises(AssertionError, match="ended with 3") as failure:
        machine.run(project, *UPDATE)
    report = str(failure.value)
    assert f"Merged v{NEXT} over v{RELEASE}." in report
    assert "Conflicts:\n- config/settings.py: both sides changed it" in report
    assert (
        f"What to do, from the changelog:\n- {NEXT}: {ACTION}\n\n"
        "Nothing is committed yet" in report
    )
    assert conflicts(project) == {
        "config/settings.py": ["SESSION_COOKIE_AGE = 25 * 60", IN_PROJECT[0][2]]
    }
    assert run(project, "git", "diff", "--name-only", "--diff-filter=U").split() == [
        "config/settings.py"
    ]
    assert_nothing_is_lost(project, *OWN_SETTINGS, without="gallery/")
    assert (project / ".env").read_bytes() == secrets


@pytest.mark.parametrize("ci_scanning", ["github", "gitlab"])
def test_ci_opens_a_draft_with_the_conflicts(
    ci_scanning: str, started: Project, machine: Machine
) -> None:
    project = started(ALL_OFF | {"ci_scanning": ci_scanning})
    change(project, OWN_SETTINGS[1:2])
    commit(project, "Work")
    request = run_jobs(project, machine)
    assert request.pushed, request.log
    assert not request.failed
    shown = request.body + request.options
    assert "config/settings.py: both sides changed it" in shown
    assert "has the conflicts as they are, so check and tests did not run" in shown
    assert "docs/updating.md says how to go on" in shown
    assert "passed" not in shown
    assert "committed" not in shown
    assert {
        "github": "gh pr create --head template-update --title Update",
        "gitlab": "title=Draft: Update",
    }[ci_scanning] in request.log + request.options
    assert ci_scanning == "gitlab" or "--draft" in request.log
    pulled = machine.clone("template-update")
    assert conflicts(pulled) == {
        "config/settings.py": ["SESSION_COOKIE_AGE = 25 * 60", IN_PROJECT[0][2]]
    }
    guide = (pulled / "docs" / "updating.md").read_text(encoding="utf-8")
    assert "git switch template-update" in guide
    # Once the team works on it, the job leaves it alone.
    change(pulled, [("config/settings.py", ">>>>>>> ", "")])
    commit(pulled, "Resolve")
    run(pulled, "git", "push", "--quiet", "origin", "template-update")
    again = run_jobs(project, machine)
    assert not again.pushed
    assert not again.failed


@pytest.mark.parametrize("ci_scanning", ["github", "gitlab"])
def test_ci_opens_a_draft_when_tests_fail(
    ci_scanning: str,
    started: Project,
    machine: Machine,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    project = started(ALL_OFF | {"ci_scanning": ci_scanning})
    request = run_jobs(project, machine, tests="red")
    assert request.pushed
    assert "Check or tests failed" in request.body + request.options
    assert "passed" not in request.body + request.options
    assert ("--draft" in request.log) == (ci_scanning == "github")
    assert ("title=Draft: " in request.options) == (ci_scanning == "gitlab")
    if (
        ci_scanning == "github"
    ):  # a private repository without a paid plan has no drafts
        run(machine.remote, "git", "branch", "--quiet", "-D", "template-update")
        (machine.folder / "home" / "request.json").unlink()
        monkeypatch.setenv("NO_DRAFTS", "yes")
        plain = run_jobs(project, machine, tests="red")
        assert plain.pushed
        assert not plain.failed


def test_pins_that_both_sides_raised_are_no_conflict(
    alone: tuple[Machine, Path], started: Project
) -> None:
    machine, origin = alone
    project = started(ALL_ON)
    raised = origin / RAW / "pyproject.toml"
    raised.write_text(
        re.sub(r"([=~]=\d+\.)\d+", r"\g<1>500", raised.read_text(encoding="utf-8")),
        encoding="utf-8",
    )
    publish_next(origin)
    metadata = project / "pyproject.toml"
    # The team raised some pins, one above the release's; it lowered one, and added a
    # package between them.
    text = re.sub(
        r'("django(?:-allauth)?[=~]=\d+\.)\d+',
        r"\g<1>400",
        metadata.read_text(encoding="utf-8"),
    )
    text = re.sub(r"(pillow~=\d+\.)\d+", r"\g<1>600", text)
    text = re.sub(r"(redis==)\d+\.", r"\g<1>2.", text)
    metadata.write_text(
        text.replace('    "whitenoise==', '    "qrcode==8.2",\n    "whitenoise=='),
        encoding="utf-8",
    )
    commit(project, "Work")
    output = machine.run(project, *UPDATE)
    assert "Conflicts" not in output
    merged = metadata.read_text(encoding="utf-8")
    found = dict(re.findall(r'"([\w-]+)(?:\[\w+\])?[=~]=\d+\.(\d+)', merged))
    assert f'"secure-django[site]=={NEXT}+vendored"' in merged
    assert found.pop("secure-django") == "0"
    assert found.pop("qrcode") == "2"
    assert found.pop("pillow") == "600"
    assert found.pop("redis") != "500"
    assert set(found.values()) == {"500"}
    assert run(project, "git", "diff", "--name-only", "--diff-filter=U") == ""


def test_removed_folder_stays_removed_and_is_reported(
    started: Project, machine: Machine
) -> None:
    project = started(ALL_ON | {"ci_scanning": "gitlab"})
    run(project, "git", "rm", "-rq", "gallery")
    commit(project, "Remove the gallery")
    request = run_jobs(project, machine)
    left_out = (
        "removed from this project, so left out:\n"
        "- gallery/SECURITY.md\n- gallery/next.md\n"
    )
    assert left_out in request.body
    assert request.pushed
    for option in (
        "merge_request.create",
        f"merge_request.title=Update the template to v{NEXT}",
        "Check and tests passed",
    ):
        assert option in request.options
    pulled = machine.clone("template-update")
    assert not (pulled / "gallery").exists()
    assert_nothing_is_lost(pulled, without="gallery/")


def test_own_migration_merges_with_that_of_the_release(
    started: Project, machine: Machine
) -> None:
    project = started(ALL_OFF)
    package = package_of(project)
    change(project, OWN_MODEL)
    run(project, *MANAGE, "makemigrations", "--name", "user_place", **package)
    run(project, *MANAGE, "migrate", "--verbosity", "0", **package)
    commit(project, "Add the place")
    output = run(
        project,
        *UPDATE,
        f"v{NEXT}",
        **machine.environment | {"PYTHONIOENCODING": "ascii"},
    )
    assert f"- {NEXT}: {ACTION}".encode("ascii", "backslashreplace").decode() in output
    assert_nothing_is_lost(project, *OWN_MODEL, without="gallery/")
    with pytest.raises(AssertionError, match="REPORT_EMAIL: Is not set"):
        run(project, *MANAGE, "migrate", **package)
    with (project / ".env").open("a", encoding="utf-8") as env:
        env.write("REPORT_EMAIL=reports@example.com\n")
    with pytest.raises(AssertionError, match="makemigrations --merge"):
        run(project, *MANAGE, "migrate", **package)
    guide = (project / "docs" / "updating.md").read_text(encoding="utf-8")
    assert guide.index("makemigrations --merge") < guide.index("poe start"), (
        "the start migrates"
    )
    run(project, *MANAGE, "makemigrations", "--merge", "--no-input", **package)
    output = run(project, *MANAGE, "migrate", **package)
    assert "Applying users.0003_user_wants_news... OK" in output
    run(project, *MANAGE, "makemigrations", "--check", "--dry-run", **package)
    assert " passed" in run(project, *PYTEST, "tests", **package)


@pytest.mark.parametrize(
    "own_token", [False, True], ids=["token of the job", "own token"]
)
def test_changes_of_workflows_need_a_token_of_the_team(
    *, own_token: bool, started: Project, machine: Machine
) -> None:
    project = started(ALL_ON)
    change(project, OWN_WORKFLOW)
    commit(project, "Run CI by hand too")
    request = run_jobs(project, machine, own_token=own_token)
    pulled = machine.clone("template-update")
    assert_nothing_is_lost(pulled)
    assert (pulled / NEW_IN_FEATURE).is_file()
    assert (
        "    name: All style" in (pulled / CI).read_text(encoding="utf-8")
    ) == own_token
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
def test_release_that_a_team_refused_is_not_offered_again(
    ci_scanning: str, started: Project, machine: Machine
) -> None:
    project = started(ALL_OFF | {"ci_scanning": ci_scanning})
    assert run_jobs(project, machine).pushed
    machine.close_request()
    clone = machine.clone("main")
    (clone / "note.md").write_text("# Note\n", encoding="utf-8")
    commit(clone, "Go on")
    run(clone, "git", "push", "--quiet", "origin", "main")
    again = run_jobs(project, machine)
    assert not again.pushed
    assert not again.failed
    # On GitHub the next release is offered in any case, on GitLab any release once the
    # branch is gone.
    if ci_scanning == "github":
        machine.close_request("Update the template to v0.9.0")
    else:
        run(machine.remote, "git", "branch", "--quiet", "-D", "template-update")
    assert run_jobs(project, machine).pushed
    assert (machine.clone("template-update") / "note.md").is_file()


@pytest.mark.parametrize("ci_scanning", ["github", "gitlab"])
def test_ci_says_how_to_allow_requests(
    ci_scanning: str, started: Project, machine: Machine
) -> None:
    project = started(ALL_OFF | {"ci_scanning": ci_scanning})
    request = run_jobs(project, machine, allowed=False)
    assert request.failed
    assert {
        "github": "Settings > Actions > General",
        "gitlab": "TEMPLATE_UPDATE_TOKEN",
    }[ci_scanning] in request.log
    assert "uv run poe template-update" in request.log
    allowed = run_jobs(project, machine)
    assert not allowed.failed
    opened = {"github": "gh pr create", "gitlab": "merge_request.create"}[ci_scanning]
    assert opened in allowed.log + allowed.options


@pytest.mark.parametrize("ci_scanning", ["github", "gitlab"])
def test_job_with_the_templates_code_may_not_write(
    ci_scanning: str, started: Project
) -> None:
    update, request = jobs_of(started(ALL_OFF | {"ci_scanning": ci_scanning}))
    assert "TOKEN" not in json.dumps(update)
    assert "uv " not in json.dumps(request).replace("uv run poe template-update", "")
    if ci_scanning == "github":
        assert update["permissions"] == {"contents": "read"}
        uses = [
            step["uses"]
            for job in (update, request)
            for step in job["steps"]
            if "uses" in step
        ]
        assert all(action.startswith("actions/") for action in uses)


def refuse(project: Path, machine: Machine, *arguments: str) -> str:
    """Return why the command refuses: one line, and nothing changes."""
    before = (
        run(project, "git", "status", "--porcelain")
        if (project / ".git").is_dir()
        else ""
    )
    with pytest.raises(AssertionError, match="ended with 1") as failure:
        machine.run(project, "poe", "--quiet", "template-update", *arguments)
    (reason,) = str(failure.value).splitlines()[1:]
    assert before == (
        run(project, "git", "status", "--porcelain")
        if (project / ".git").is_dir()
        else ""
    )
    return reason


def test_command_refuses_with_one_sentence(template: Path, machine: Machine) -> None:
    project = bake(template, machine.folder, **ALL_OFF)
    assert "commit this project to a repository first" in refuse(project, machine)
    (machine.folder / ".gitignore").write_text("*", encoding="utf-8")
    commit(machine.folder, "Start another project")
    assert "commit this project to a repository first" in refuse(project, machine)
    commit(project, "Start")
    assert f"no release v7.0.0. Its releases: v{RELEASE}, v{NEXT}." in refuse(
        project, machine, "7.0.0"
    )
    (project / "my nöte.txt").touch()
    assert (
        refuse(project, machine) == "Commit or stash your changes first: my nöte.txt."
    )
    (project / "my nöte.txt").unlink()
    change(project, [(".gitignore", "# Data\n", f"# Data\n{NEW_MIGRATION}\n")])
    commit(project, "Ignore a file")
    (project / NEW_MIGRATION).write_text("mine", encoding="utf-8")
    assert f"Move yours away first: {NEW_MIGRATION}." in refuse(project, machine)
    assert (project / NEW_MIGRATION).read_text(encoding="utf-8") == "mine"
    change(
        project,
        [
            (
                ".cruft.json",
                f'"commit": "v{RELEASE}",\n  "checkout"',
                '"commit": "v0.1.0",\n  "checkout"',
            )
        ],
    )
    commit(project, "Record another release")
    assert "has no v0.1.0" in refuse(project, machine)
    (project / ".cruft.json").write_text("<<<<<<< HEAD\n", encoding="utf-8")
    commit(project, "Break the record")
    assert ".cruft.json is missing or damaged" in refuse(project, machine)
    (project / ".cruft.json").unlink()
    commit(project, "Remove the record")
    assert ".cruft.json is missing or damaged" in refuse(project, machine)


def test_refused_answer_is_to_be_corrected_in_the_record(
    started: Project, machine: Machine
) -> None:
    project = started(ALL_OFF)
    change(
        project,
        [(".cruft.json", '"domain_name": "example.com"', '"domain_name": "localhost"')],
    )
    commit(project, "Record another domain")
    with pytest.raises(AssertionError, match="Correct the answer in") as failure:
        machine.run(project, *UPDATE)
    assert "domain_name: is not a valid domain name" in str(failure.value)
    assert not run(project, "git", "status", "--porcelain")


def test_new_file_in_a_renamed_folder_is_to_be_confirmed(
    started: Project, machine: Machine
) -> None:
    project = started(ALL_ON)
    run(project, "git", "mv", "gallery", "museum")
    commit(project, "Rename the gallery")
    moved = NEW_IN_FEATURE.replace("gallery", "museum")
    with pytest.raises(
        AssertionError,
        match=f"Conflicts:\n- {re.escape(moved)}: one side moved it or removed it",
    ):
        machine.run(project, *UPDATE)
    assert (project / moved).is_file()
    assert not (project / "gallery").exists()


def test_project_in_a_folder_of_its_repository_updates(
    template: Path, machine: Machine
) -> None:
    company, temporary = machine.folder / "company", machine.folder / "tmp"
    project = bake(template, company / "sites", **ALL_ON)
    commit(company, "Start")
    run(project, "git", "mv", "config/urls.py", "config/routes.py")
    run(project, "git", "rm", "-rq", "gallery")
    commit(company, "Rename and remove")
    run(
        company,
        "git",
        "sparse-checkout",
        "set",
        project.relative_to(company).as_posix(),
    )
    temporary.mkdir()
    # The hooks run, whatever other tests have generated.
    environment = machine.environment | {"GENERATED": "", "TMPDIR": str(temporary)}
    output = run(project, *UPDATE, **environment)
    assert "left out:\n- gallery/SECURITY.md\n- gallery/next.md\n" in output
    assert_nothing_is_lost(project, without="gallery/")
    assert not (project / "gallery").exists()
    assert not (project.parent / "config").exists()
    assert not (company / "vendor").exists()
    assert not list(temporary.iterdir())
    commit(company, "Update")
    assert "Nothing to do" in machine.run(project, *UPDATE)


def test_cruft_updates_from_the_record_too(started: Project, machine: Machine) -> None:
    project = started(ALL_ON)
    change(project, OWN_SETTINGS[:1])
    commit(project, "Work")
    secrets = (project / ".env").read_bytes()
    machine.run(
        project, "cruft", "update", "--skip-apply-ask", "--checkout", f"v{NEXT}"
    )
    assert not conflicts(project)
    for path, _, new in [*OWN_SETTINGS[:1], *IN_PROJECT, PAGE]:
        assert new.splitlines()[0] in (project / path).read_text(encoding="utf-8")
    assert (project / ".env").read_bytes() == secrets
    record = json.loads((project / ".cruft.json").read_text(encoding="utf-8"))
    assert re.fullmatch(r"[0-9a-f]{40}", record["commit"])
    commit(project, "Update by cruft")
    assert "Nothing to do" in machine.run(project, *UPDATE)


# The package


EDITED = f"{VENDOR}/src/secure_django/csv.py"
HASHES = f"{VENDOR}.sha256"


def edit_package(project: Path) -> None:
    """Edit a file of the package and add one, as a team should not."""
    with (project / EDITED).open("a", encoding="utf-8") as file:
        file.write("# ours\n")
    (project / VENDOR / "src" / "secure_django" / "own.py").touch()
    commit(project, "Edit the package")


def package_files(project: Path) -> dict[str, bytes]:
    """Return the files in vendor/."""
    folder = project / "vendor"
    return {path: (folder / path).read_bytes() for path in paths(folder)}


def test_package_is_replaced_as_a_whole(
    origin: Path, started: Project, machine: Machine
) -> None:
    project = started(ALL_ON)
    (project / "vendor" / "ours.txt").touch()
    commit(project, "Add a file of the team")
    machine.run(project, *UPDATE)
    released = machine.folder / "released"
    run(machine.folder, "git", "clone", "--quiet", str(origin), str(released))
    run(released, "git", "checkout", "--quiet", f"v{NEXT}")
    expected = bake(released, machine.folder / "expected", **ALL_ON)
    assert package_files(project) == {"ours.txt": b""} | package_files(expected)
    assert (project / "pyproject.toml").read_text(encoding="utf-8") == (
        expected / "pyproject.toml"
    ).read_text(encoding="utf-8")
    generated = [record_of(folder)["generated"] for folder in (project, expected)]
    assert generated[0]["package"] == generated[1]["package"]
    commit(project, "Update")
    check = ("sha256sum", "--check", "--quiet", f"../{Path(HASHES).name}")
    assert run(project / VENDOR, *check) == ""


def test_edit_of_the_package_is_refused_by_name(
    started: Project, machine: Machine
) -> None:
    project = started(ALL_OFF)
    edit_package(project)
    with pytest.raises(AssertionError, match="ended with 1") as failure:
        machine.run(project, *UPDATE)
    report = str(failure.value)
    assert (
        "Nothing was merged:\n"
        f"M {EDITED}\nA {VENDOR}/src/secure_django/own.py\n" in report
    )
    assert "docs/updating.md" in report
    assert run(project, "git", "status", "--porcelain") == ""
    # Other answers do not replace the package.
    machine.run(project, *UPDATE, "--answer", "gallery=yes")


def test_edit_of_the_package_is_kept_as_a_patch(
    template: Path, machine: Machine
) -> None:
    company = machine.folder / "company"
    project = bake(template, company / "sites", **ALL_OFF)
    commit(company, "Start")
    edit_package(project)
    output = machine.run(project, *UPDATE, "--patch")
    assert "secure-django.patch keeps them" in output
    assert "# ours" not in (project / EDITED).read_text(encoding="utf-8")
    assert_nothing_is_lost(project, without="gallery/")
    commit(company, "Update")
    run(project, "git", "apply", "--3way", "secure-django.patch")
    assert (project / EDITED).read_text(encoding="utf-8").endswith("# ours\n")
    assert (project / VENDOR / "src" / "secure_django" / "own.py").is_file()


def test_package_from_an_index_has_its_pin_raised(
    started: Project, machine: Machine
) -> None:
    project = started(ALL_OFF)
    run(project, "git", "rm", "-rq", "vendor")
    metadata = project / "pyproject.toml"
    text = metadata.read_text(encoding="utf-8").replace("+vendored", "")
    metadata.write_text(text, encoding="utf-8")
    commit(project, "Take the package from an index")
    machine.run(project, *UPDATE)
    assert not (project / "vendor").exists()
    merged = metadata.read_text(encoding="utf-8")
    assert f'"secure-django[site]=={NEXT}"' in merged
    assert "+vendored" not in merged
    assert RELEASE not in re.findall(r"secure-django\[\w+\]==(.+?)\"", merged)


# What a project came from


@pytest.fixture
def alone(published: Path, originals: Path, tmp_path: Path) -> tuple[Machine, Path]:
    """Return a machine with a template of its own, and the template's repository."""
    if os.name != "posix" or not shutil.which("jq"):
        pytest.skip("the stand-ins for uv and gh are shell scripts, and need jq")
    origin = shutil.copytree(published, tmp_path / "repositories" / REPOSITORY)
    return Machine(tmp_path, origin.parent, originals / "generated"), origin


def record_of(project: Path) -> dict[str, Any]:
    """Return the record of a project."""
    record: dict[str, Any] = json.loads(
        (project / ".cruft.json").read_text(encoding="utf-8")
    )
    return record


def test_project_moves_to_a_fork_of_the_same_number(
    alone: tuple[Machine, Path], started: Project
) -> None:
    machine, origin = alone
    project = started(ALL_OFF)
    change(project, OWN_SETTINGS[:1])
    fork = shutil.copytree(origin, origin.with_name("museum-django"))
    (fork / RAW / "museum.md").write_text("# Museum\n", encoding="utf-8")
    commit(fork, "Add the museum")
    run(fork, "git", "tag", "--force", f"v{RELEASE}")
    change(
        project,
        [(".cruft.json", f'{{\n  "template": "{URL}"', f'{{\n  "template": "{FORK}"')],
    )
    commit(project, "Move to the fork")
    output = machine.run(project, *UPDATE)
    assert "not what this project was generated from" not in output
    assert (project / "museum.md").is_file()
    assert record_of(project)["generated"]["template"] == FORK
    commit(project, "Take the fork")
    assert "Nothing to do" in machine.run(project, *UPDATE)
    # Back, without a repository to generate the fork's files from.
    shutil.move(fork, fork.with_name("gone"))
    publish_next(origin)
    change(
        project,
        [(".cruft.json", f'{{\n  "template": "{FORK}"', f'{{\n  "template": "{URL}"')],
    )
    commit(project, "Move back")
    with pytest.raises(
        AssertionError, match=f"{FORK}, where the files came from, cannot be read"
    ) as failure:
        machine.run(project, *UPDATE)
    assert "Traceback" not in str(failure.value)


def test_moved_tag_is_noticed(alone: tuple[Machine, Path], started: Project) -> None:
    machine, origin = alone
    project = started(ALL_OFF)
    (origin / RAW / "users" / "moved.md").write_text("# Moved\n", encoding="utf-8")
    commit(origin, "Move the tag")
    run(origin, "git", "tag", "--force", f"v{RELEASE}")
    publish_next(origin)
    output = machine.run(project, *UPDATE)
    assert f"v{RELEASE} of {URL} is not what this project was generated from" in output
    commit(project, "Update")
    assert record_of(project)["generated"]["digest"]
    assert "Nothing to do" in machine.run(project, *UPDATE)


@pytest.mark.parametrize(
    "tag",
    [["tag"], ["tag", "--annotate", "--message", "Release"]],
    ids=["light", "annotated"],
)
def test_project_between_releases_is_told_and_updated(
    tag: list[str],
    alone: tuple[Machine, Path],
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    machine, origin = alone
    run(origin, "git", "tag", "--delete", f"v{RELEASE}")
    identity = ("-c", "user.name=Ann", "-c", "user.email=ann@example.com")
    run(origin, "git", *identity, *tag, f"v{RELEASE}")
    clone = tmp_path / "released"
    run(tmp_path, "git", "clone", "--quiet", str(origin), str(clone))
    assert record_of(bake(clone, tmp_path / "a", **ALL_OFF))["commit"] == f"v{RELEASE}"
    assert "not at a release" not in capfd.readouterr().out
    if tag != ["tag"]:
        return
    (origin / RAW / "between.md").write_text("# Between\n", encoding="utf-8")
    commit(origin, "Prepare more")
    run(clone, "git", "pull", "--quiet")
    project = bake(clone, tmp_path / "b", **ALL_OFF)
    head = run(clone, "git", "rev-parse", "HEAD").strip()
    output = capfd.readouterr().out
    assert f"The template is at commit {head[:10]}, not at a release." in output
    assert f"--checkout v{RELEASE}." in output
    assert record_of(project)["commit"] == head
    commit(project, "Start")
    assert f"Nothing to do: this project has {head}" in machine.run(project, *UPDATE)
    publish_next(origin)
    output = machine.run(project, *UPDATE)
    assert f"Merged v{NEXT} over {head}." in output
    assert "not what this project was generated from" not in output
    assert (project / "between.md").is_file()
    assert_nothing_is_lost(project, without="gallery/")


def test_project_updates_from_commit_to_commit_before_the_first_release(
    alone: tuple[Machine, Path], tmp_path: Path
) -> None:
    machine, origin = alone
    run(origin, "git", "tag", "--delete", f"v{RELEASE}")
    clone = tmp_path / "cloned"
    run(tmp_path, "git", "clone", "--quiet", str(origin), str(clone))
    project = bake(clone, tmp_path / "generated", **ALL_OFF)
    commit(project, "Start")
    start = record_of(project)["commit"]
    assert f"Nothing to do: this project has {start}" in machine.run(project, *UPDATE)

    output = machine.run(project, *UPDATE, "--answer", "gallery=yes")
    assert f"Merged other answers into {start}." in output
    assert (project / "gallery" / "models.py").is_file()
    commit(project, "Take the gallery")

    (origin / RAW / "between.md").write_text("# Between\n", encoding="utf-8")
    commit(origin, "Prepare more")
    output = machine.run(project, *UPDATE)
    head = run(origin, "git", "rev-parse", "HEAD").strip()
    assert f"Merged {head} over {start}." in output
    assert (project / "between.md").is_file()
    assert record_of(project)["commit"] == head
    commit(project, "Take the commit")

    assert "It has none yet" in refuse(project, machine, RELEASE)
    publish_next(origin)
    assert f"Merged v{NEXT} over {head}." in machine.run(project, *UPDATE)


def test_prompts_of_the_release_keep_the_answers(
    alone: tuple[Machine, Path], started: Project
) -> None:
    """One prompt is renamed, one is new, one is gone, and one has a choice less."""
    machine, origin = alone
    project = started(
        ALL_OFF
        | {
            "ci_scanning": "gitlab",
            "author_email": "ann@museum.example",
            "gallery": True,
        },
    )
    for path in [
        origin / "secure_django_refusals.py",
        *(origin / RAW).rglob("*.*"),
        origin / "cookiecutter.json",
    ]:
        if path.is_file() and b"author_email" in path.read_bytes():
            text = path.read_text(encoding="utf-8")
            path.write_text(
                text.replace("author_email", "security_email"), encoding="utf-8"
            )
    change(
        origin,
        [
            (
                "cookiecutter.json",
                '"_renamed": {}',
                '"_renamed": {"author_email": "contact", "contact": "security_email"}',
            ),
            (
                "cookiecutter.json",
                '["github", "gitlab", "none"],',
                '["github", "none"],\n  "theme": ["light", "dark"],',
            ),
            ("cookiecutter.json", '      "gitlab": "GitLab CI",\n', ""),
            ("cookiecutter.json", '  "gallery": true,\n', '  "__gallery": true,\n'),
            ("hooks/post_gen_project.py", '    ("gallery", True): ["gallery"],\n', ""),
        ],
    )
    for path in (origin / RAW).rglob("*.*"):
        if path.is_file() and b"cookiecutter.gallery" in path.read_bytes():
            text = path.read_text(encoding="utf-8")
            path.write_text(
                text.replace("cookiecutter.gallery", "cookiecutter.__gallery"),
                encoding="utf-8",
            )
    publish_next(origin)
    request = run_jobs(project, machine)
    sentence = (
        f"v{NEXT} offers no ci_scanning gitlab. Choose one of github, none:"
        " uv run poe template-update"
    )
    assert sentence in request.options
    assert "This branch is empty" in request.options
    assert f"Draft: Update the template to v{NEXT}" in request.options
    with pytest.raises(AssertionError, match="ended with 3") as failure:
        machine.run(project, *UPDATE)
    assert sentence in str(failure.value)
    assert "Traceback" not in str(failure.value)
    output = machine.run(project, *UPDATE, NEXT, "--answer", "ci_scanning=none")
    assert "- author_email: now called security_email; it keeps the answer\n" in output
    assert "- gallery: gone; it was answered yes\n" in output
    assert (
        "- theme: new, answered light; another answer:"
        " uv run poe template-update --answer theme=ANSWER\n" in output
    )
    assert 'email = "ann@museum.example"' in (project / "pyproject.toml").read_text(
        encoding="utf-8"
    )
    assert not (project / ".gitlab-ci.yml").exists()


# The merge of lines beside each other


@pytest.mark.parametrize(
    ("ours", "base", "theirs", "merged"),
    [
        ("own\n", "", "new\n", "own\nnew\n"),
        ("own\nold\n", "old\n", "", "own\n"),
        ("old\nown\n", "old\n", "new\n", "new\nown\n"),
        ("own\n", "old\n", "old\nnew\n", "own\nnew\n"),
        ("own\n", "old\n", "new\n", None),
        ("", "old\n", "new\n", None),
        ("both\nown\n", "", "both\nnew\n", None),
    ],
)
def test_lines_beside_each_other_are_no_conflict(
    ours: str, base: str, theirs: str, merged: str | None
) -> None:
    text = f"<<<<<<< HEAD\n{ours}||||||| \n{base}=======\n{theirs}>>>>>>> template\n"
    hunk = HUNK.search(text)
    assert hunk
    assert merge_hunk(hunk) == merged


# Features later


class Feature(NamedTuple):
    """The answers without and with a feature."""

    without: str
    chosen: str


FEATURES = {
    "gallery": Feature("no", "yes"),
    "cloudinary_moderation": Feature("no", "yes"),
    "auth_app": Feature("no", "yes"),
    "ci_scanning": Feature("none", "github"),
    "deployment": Feature("platform", "server"),
}
# An app of the team, with a field of each kind.
OWN_APP = "events"
OWN_FIELDS = (
    "start:date",
    "price:number",
    "open_to_all:yesno",
    "cover:photo",
    "remarks:text",
)
# Lines of a release above and below those of the team's app: an app that every project
# has.
MARK = "    # `poe app` names new apps above this line.\n"
RELEASED_APP: list[Edit] = [
    (
        "config/settings.py",
        f"INSTALLED_APPS = [\n{MARK}",
        f'# The first app wins.\nINSTALLED_APPS = [\n{MARK}    "search",\n',
    ),
    ("config/urls.py", MARK, f'{MARK}    path("search/", include("search.urls")),\n'),
    (
        "pyproject.toml",
        f"root_packages = [\n{MARK}",
        f'root_packages = [\n{MARK}    "search",\n',
    ),
    (
        "pyproject.toml",
        f'    "config",\n{MARK}',
        f'    "config",\n{MARK}    "search",\n',
    ),
]
# Files of a team with months of work, and those of them that a release may touch.
MUCH_WORK = 57
FEW = 10
# The access of every page, and the tests of the site and of the team's app.
SHARED_TESTS = ("-k", f"access_table or start_page or {OWN_APP}")
PYTEST = ("pytest", "-q", "-p", "no:cacheprovider")


@pytest.mark.parametrize("start", [ALL_OFF, ALL_ON], ids=["added", "taken out"])
@pytest.mark.parametrize("prompt", FEATURES)
def test_feature_is_added_and_taken_out_later(
    prompt: str, start: Answers, worked: Project, machine: Machine
) -> None:
    feature = FEATURES[prompt]
    is_added = start is ALL_OFF
    before, after = feature.without, feature.chosen
    if not is_added:
        before, after = after, before
    original = worked(start | {prompt: {"yes": True, "no": False}.get(before, before)})
    project = shutil.copytree(original, machine.folder / original.name)
    run(project, *MANAGE, "migrate", "--verbosity", "0")
    output = machine.run(project, *UPDATE, "--answer", f"{prompt}={after}")
    assert (
        f"Merged other answers into v{RELEASE}.\n\nAnswers:\n- {prompt}: {after}\n"
        in output
    )
    assert not conflicts(project)
    expected = worked(start | {prompt: {"yes": True, "no": False}.get(after, after)})
    compared = {path for path in paths(expected) if tracked(path)}
    assert compared == {path for path in paths(project) if tracked(path)}
    for path in compared - {".cruft.json", ".env"}:
        assert content(project / path) == content(expected / path), path
    run(project, *MANAGE, "migrate", "--verbosity", "0")
    run(project, *MANAGE, "makemigrations", "--check", "--dry-run")
    commit(project, "Change the answer")
    outputs = {
        after: output,
        before: machine.run(project, *UPDATE, "--answer", f"{prompt}={before}"),
    }
    for answer, shown in outputs.items():
        # The first time before anything is merged.
        told = [it.start() for it in re.finditer("Second factors and passkeys", shown)]
        is_loss = (prompt, answer) == ("auth_app", "no")
        assert len(told) == (2 if is_loss else 0)
        assert not is_loss or told[0] < shown.index("Merged other answers") < told[1]
    assert run(project, "git", "diff", "--stat", "HEAD~1") == ""


# Every change of one answer, from a project with everything and from one with nothing.
CHOICES: dict[str, list[object]] = {
    "gallery": [True, False],
    "cloudinary_moderation": [True, False],
    "auth_app": [True, False],
    "ci_scanning": ["github", "gitlab", "none"],
    "deployment": ["server", "platform"],
}
SWITCHES = [
    (base | {prompt: before}, prompt, after)
    for base in (ALL_ON, ALL_OFF)
    for prompt, choices in CHOICES.items()
    for before, after in permutations(choices, 2)
]
# Those that had conflicts, and one that removes files which the team edited.
EACH_TIME = [
    (ALL_ON, "cloudinary_moderation", False),
    (ALL_ON, "auth_app", False),
    (ALL_ON, "deployment", "platform"),
    (ALL_OFF, "gallery", True),
    (ALL_OFF, "ci_scanning", "github"),
]


@pytest.fixture
def long_worked(template: Path, once: Once) -> Project:
    """Return a function that makes a project with much work. Tests do not change it."""

    def work_in(answers: Answers, folder: Path) -> None:
        project = bake(template, folder, **answers)
        commit(project, "Start")
        work_for_months(project)
        commit(project, "Work")

    def make(answers: Answers) -> Path:
        key = f"long-worked-{name(answers)}"
        original = once(key, lambda folder: work_in(answers, folder))
        return original / "my-secure-site"

    return make


def lost_lines(project: Path) -> list[str]:
    """Return the lines of the team's last commit that are no longer in their file."""
    own = ("git", "diff", "-U0", "--no-renames", "HEAD~1", "HEAD", "--")
    lost = []
    lines: list[str] = []
    for line in run(project, *own, ":!settings.lock").splitlines():
        if line.startswith("+++ "):
            text = (project / line[6:]).read_text(encoding="utf-8")
            lines = text.splitlines()
        elif line.startswith("+") and line[1:] not in lines:
            lost.append(line)
    return lost


@pytest.mark.parametrize(
    ("start", "prompt", "after"),
    [
        pytest.param(
            *switch,
            marks=() if switch in EACH_TIME else EACH_WEEK,
            id=f"{name(switch[0])} to {switch[1]} {switch[2]}",
        )
        for switch in SWITCHES
    ],
)
def test_switch_of_a_feature_keeps_the_work_of_months(
    start: Answers,
    prompt: str,
    after: object,
    long_worked: Project,
    machine: Machine,
) -> None:
    original = long_worked(start)
    project = shutil.copytree(original, machine.folder / original.name)
    answer = {True: "yes", False: "no"}.get(after, after)  # type: ignore[call-overload]
    try:
        output = machine.run(project, *UPDATE, "--answer", f"{prompt}={answer}")
    except AssertionError as failure:
        output = str(failure)
        if "ended with 3" not in output:
            raise
    assert not conflicts(project)
    states = run(project, "git", "status", "--porcelain", "-z").split("\0")
    unmerged = {state[3:] for state in states if "U" in state[:2]}
    # A file that the team edited, and that the answer removes, is for the team.
    edited = {insertion.path for insertion in INSERTIONS}
    assert unmerged == {state[3:] for state in states if state[:2] == "UD"} & edited
    assert lost_lines(project) == []
    check(project, output)


def check(project: Path, report: str) -> None:
    """Write settings.lock anew where the report says so, and run `poe check`."""
    package = package_of(project)
    if "- settings.lock: uv run poe settings-lock\n" in report:
        run(project, *POE, "settings-lock", **package)
    run(project, *POE, "check", **package)


def changed_files(project: Path, *commits: str) -> set[str]:
    """Return the files outside vendor/ that differ between commits, or from one."""
    diff = ("git", "diff", "--no-renames", "--name-only", "-z", *commits)
    names = run(project, *diff, "--", ".", ":!vendor").split("\0")
    return set(names) - {""}


def test_release_of_everything_touches_few_files_of_the_team(
    alone: tuple[Machine, Path], long_worked: Project
) -> None:
    """Count those that the update writes and that the team has written or edited.

    The package is replaced, so vendor/ is not counted: no team reads it line by line.
    """
    machine, origin = alone
    original = long_worked(ALL_ON)
    project = shutil.copytree(original, machine.folder / original.name)
    publish_everything(origin)
    output = machine.run(project, *UPDATE)
    assert "Conflicts" not in output
    assert not conflicts(project)
    assert lost_lines(project) == []
    written = changed_files(project, "HEAD")
    changed = {path for path, _, _ in [*OF_EACH_KIND, *IN_PROJECT, PAGE]}
    assert written | {"settings.lock"} >= changed
    assert RAISED_ACTION in (project / CI).read_text(encoding="utf-8")
    of_the_team = changed_files(project, "HEAD~1", "HEAD")
    assert len(of_the_team) >= MUCH_WORK
    touched = sorted(written & of_the_team)
    assert len(touched) <= FEW, f"of {len(written)} files: {touched}"
    check(project, output)


def test_release_adds_an_app_beside_that_of_the_team(
    alone: tuple[Machine, Path], started: Project
) -> None:
    machine, origin = alone
    project = started(ALL_ON)
    make_own_app(project)
    commit(project, "Add events")
    run(project, *MANAGE, "migrate", "--verbosity", "0")
    change(origin / RAW, RELEASED_APP)
    folder = origin / RAW / "search"
    folder.mkdir()
    (folder / "__init__.py").touch()
    (folder / "urls.py").write_text("urlpatterns: list = []\n", encoding="utf-8")
    publish_next(origin)
    assert "Conflicts" not in machine.run(project, *UPDATE)
    assert not conflicts(project)
    apps = f'    "{OWN_APP}",\n{MARK}    "search",\n'
    for path, number in {"config/settings.py": 1, "pyproject.toml": 2}.items():
        assert (project / path).read_text(encoding="utf-8").count(apps) == number
    with (project / ".env").open("a", encoding="utf-8") as env:
        env.write("REPORT_EMAIL=reports@example.com\n")
    package = package_of(project)
    run(project, *MANAGE, "migrate", "--verbosity", "0", **package)
    run(project, *MANAGE, "makemigrations", "--check", "--dry-run", **package)
    run(project, "lint-imports", "--no-logo", "--no-cache")
    assert " passed" in run(project, *PYTEST, *SHARED_TESTS, **package)


def work(project: Path) -> None:
    """Make an app, and edit settings, URLs, a page and a document, as a team does."""
    make_own_app(project)
    change(project, [*OWN_SETTINGS, OWN_ACCESS])
    (project / "templates" / "about.html").write_text(
        '{% extends "base.html" %}\n', encoding="utf-8"
    )
    with (project / "README.md").open("a", encoding="utf-8") as readme:
        readme.write("\n## Ours\n\nOur own words.\n")


def make_own_app(project: Path) -> None:
    run(project, *POE, "app", OWN_APP, *OWN_FIELDS, "--admin")


def tracked(path: str) -> bool:
    """Tell whether a path is no trace of work in the project."""
    return not path.startswith((".git/", "reports/", "media/")) and not re.search(
        r"sqlite3|__pycache__|_cache/|^uv\.lock$", path
    )


def content(file: Path) -> bytes:
    """Return what a file contains, without the time at which Django generated it."""
    return re.sub(rb"\A# Generated by .+\n", b"", file.read_bytes())


def test_answer_that_cannot_be_is_refused(started: Project, machine: Machine) -> None:
    project = started(ALL_OFF)
    for answer, sentence in {
        "auth_ap=yes": f"v{RELEASE} has no prompt auth_ap. Its prompts: project_name, ",
        "auth_app=maybe": (
            f"v{RELEASE} offers no auth_app maybe. Choose one of yes, no: "
        ),
        "auth_app": "auth_app is no answer; type one like --answer auth_app=yes",
        "auth_app=no": f"Nothing to do: this project has v{RELEASE}.",
    }.items():
        try:
            output = machine.run(
                project, "poe", "--quiet", "template-update", "--answer", answer
            )
        except AssertionError as failure:
            output = str(failure).partition("\n")[2]
        assert output.startswith(sentence)
        assert output.count("\n") == 1
    with pytest.raises(AssertionError, match="domain_name: is not a valid domain name"):
        machine.run(project, *UPDATE, "--answer", "domain_name=localhost")
    assert not run(project, "git", "status", "--porcelain")


# The record


@pytest.mark.parametrize(
    ("cloned_from", "recorded"),
    [
        (
            "https://github.com/org/secure-django.git",
            "https://github.com/org/secure-django.git",
        ),
        (
            "https://ci:made-up@git.example.com/it/secure-django",
            "https://git.example.com/it/secure-django",
        ),
        (
            "git@git.example.com:it/secure-django.git",
            "git@git.example.com:it/secure-django.git",
        ),
        (
            "ssh://git@git.example.com/it/secure-django",
            "ssh://git@git.example.com/it/secure-django",
        ),
        (
            "ssh://git:made-up@git.example.com:22/it/site",
            "ssh://git@git.example.com:22/it/site",
        ),
        (
            "https://git.example.com/it/site?private_token=made-up",
            "https://git.example.com/it/site",
        ),
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
    assert (
        record["generated"].items()
        >= {"template": recorded, "commit": f"v{RELEASE}"}.items()
    )
    assert (
        record["context"]["cookiecutter"].items()
        >= (ALL_OFF | {"project_name": "Ann’s Photos"}).items()
    )
    assert str(tmp_path) not in json.dumps(record)


def test_digest_is_that_of_the_templates_text(
    template: Path, tmp_path: Path, home: dict[str, str]
) -> None:
    """Neither line ends of Windows nor files that were there before change it."""
    digest = record_of(bake(template, tmp_path / "first", **ALL_OFF))["generated"][
        "digest"
    ]
    windows = shutil.copytree(template, tmp_path / "windows")
    for page in (windows / RAW).rglob("*.html"):
        page.write_bytes(page.read_bytes().replace(b"\n", b"\r\n"))
    existing = tmp_path / "existing" / "my-secure-site"
    existing.mkdir(parents=True)
    (existing / "notes.txt").touch()
    options = (
        "--no-input",
        "--overwrite-if-exists",
        "--default-config",
        "--output-dir",
        str(existing.parent),
    )
    answers = [f"{prompt}={answer}" for prompt, answer in ALL_OFF.items()]
    run(tmp_path, "cookiecutter", *options, str(windows), *answers, **home)
    assert b"\r\n" in (existing / "templates" / "_app_menu.html").read_bytes()
    assert record_of(existing)["generated"]["digest"] == digest
    with (windows / RAW / "manage.py").open("a", encoding="utf-8") as file:
        file.write("# more\n")
    assert (
        record_of(bake(windows, tmp_path / "other", **ALL_OFF))["generated"]["digest"]
        != digest
    )


def test_guide_to_updates_names_every_step(template: Path, tmp_path: Path) -> None:
    guide = (bake(template, tmp_path, **ALL_OFF) / "docs" / "updating.md").read_text(
        encoding="utf-8"
    )
    for word in (
        "/CHANGELOG.md",
        ".env.example",
        "git reset --hard",
        "makemigrations --merge",
        "uv run poe start",
    ):
        assert word in guide


def test_release_number_is_the_same_everywhere() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    releases = re.findall(
        r"^## (\d+\.\d+\.\d+), (\d{4}-\d\d-\d\d|unreleased)\n\n\*\*What to do:\*\* ",
        changelog,
        re.MULTILINE,
    )
    assert len(releases) == changelog.count("\n## "), (
        "a release lacks its date or its What to do"
    )
    assert releases == sorted(
        releases, key=lambda it: [int(part) for part in it[0].split(".")], reverse=True
    )
    metadata = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    newest = next(
        (number for number, date in releases if date != "unreleased"), releases[0][0]
    )
    assert newest == RELEASE == metadata["project"]["version"], (
        "projects record this number as the tag of their release"
    )
    raw = (ROOT / RAW / "pyproject.toml").read_text(encoding="utf-8")
    pins = re.findall(r'"secure-django\[\w+\](.*?)"', raw)
    assert set(pins) == {f"=={RELEASE}+vendored"}, "projects pin their own copy"


@pytest.mark.skipif(os.name != "posix", reason="the runners use Linux")
def test_new_release_is_a_dated_version_without_a_tag(
    template: Path, tmp_path: Path
) -> None:
    folder = shutil.copytree(template, tmp_path / "template")
    commit(folder)
    log = folder / "CHANGELOG.md"
    start = log.read_text(encoding="utf-8")
    log.write_text(
        start.replace("\n## ", "\n## 99.0.0, unreleased\n\n- More.\n\n## ", 1),
        encoding="utf-8",
    )
    assert run(folder, ".ci/new-release") == "tag=\n"
    log.write_text(
        start.replace("\n## ", "\n## 99.0.0, 2099-01-01\n\n- More.\n\n## ", 1),
        encoding="utf-8",
    )
    with pytest.raises(
        AssertionError, match=r"_version in cookiecutter\.json is another"
    ):
        run(folder, ".ci/new-release")
    change(
        folder,
        [("cookiecutter.json", f'"_version": "{RELEASE}"', '"_version": "99.0.0"')],
    )
    with pytest.raises(AssertionError, match=r"version in pyproject\.toml is another"):
        run(folder, ".ci/new-release")
    set_version(folder, "99.0.0")
    assert run(folder, ".ci/new-release") == "tag=v99.0.0\n"
    assert run(folder, ".ci/new-release", "--notes") == "- More.\n"
    run(folder, "git", "tag", "v99.0.0")
    assert run(folder, ".ci/new-release") == "tag=\n"


def test_command_uses_the_pinned_cookiecutter() -> None:
    pins = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))[
        "dependency-groups"
    ]["dev"]
    (pin,) = [it for it in pins if it.startswith("cookiecutter==")]
    words = "".join((ROOT / "update.py").read_text(encoding="utf-8").split())
    assert f'"--exclude-newer","7days","--from","{pin}"' in words
