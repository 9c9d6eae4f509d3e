"""Generated projects: the right files, no trace of other features, fresh secrets."""

import ast
import json
import os
import re
import shlex
import shutil
import signal
import stat
import subprocess
import sys
import tomllib
from hashlib import sha256
from pathlib import Path

import pytest
from cookiecutter.exceptions import FailedHookException
from cryptography.fernet import Fernet
from dotenv import dotenv_values

from tests.support.baking import (
    ALL_OFF,
    ALL_ON,
    COMBINATIONS,
    FEATURES,
    FORK_TABLE,
    PROMPTS,
    RAW,
    ROOT,
    VENDOR,
    Answers,
    Project,
    bake,
    clean_environment,
    every_combination,
    is_text,
    name,
    own_paths,
    paths,
    run,
    typed,
)
from tests.support.renewal import RENOVATE, has_bot
from tests.support.services import wait_until

SLEEP = """
import time
Path(".cruft.json").unlink()
Path("asleep").touch()
time.sleep(600)
"""
# Pages that the hook copies, so that the team has them at hand.
COPIED = {
    "templates/account/login.html",
    "templates/base.html",
    "templates/error.html",
    "templates/home.html",
}
COPIED_WITH_ACCOUNTS = {"templates/account/signup.html"}
WRITTEN = {".cruft.json", ".env"}
# Words that only appear with a feature.
TRACES = {
    "gallery": r"galler(?:y|ies)",
    "cloudinary_moderation": r"cloudinary",
    "auth_app": (
        r"passkey|totp|mfa|usersessions|(?<!is_open_for_)sign-?up(?!_fields)"
        r"|[\"']accounts[\"'.]|accounts\.\w"
    ),
    "github": r"\.github/|github_|github actions",
    "dependabot": r"dependabot",
    "gitlab": r"gitlab",
    "renovate": r"renovate",
    "server": (
        r"systemd|systemctl|journalctl|certbot|docker.compose|compose\.yaml|(?<!\w)deploy/"
        r"|poe backup|poe restore|KillMode|nginx (?:takes|read)"
        r"|start nginx|X-Release|/var/lib/site"
        r"|(?:containers|deployment|operations|several-machines)\.md"
    ),
    "platform": r"platforms\.md|nginx/nginx\.conf|heroku|cloud run",
}


def chosen(answers: Answers, project: Path) -> set[str]:
    """Return the features of a combination, with the bot that the project has."""
    found = {key for key, value in answers.items() if value is True} | {
        answers["ci_scanning"],
        answers["deployment"],
    }
    return found | {"renovate" if has_bot(project, RENOVATE) else "dependabot"}


def text_files(project: Path) -> dict[str, str]:
    """Return the text of what a team owns, without secrets and record of answers."""
    return {
        path: (project / path).read_text(encoding="utf-8")
        for path in own_paths(project) - WRITTEN
        if is_text(project / path)
    }


def test_every_prompt_and_choice_has_a_label() -> None:
    labels = PROMPTS["__prompts__"]
    prompts = {key for key in PROMPTS if not key.startswith("_")}
    unlabelled = prompts ^ set(labels)
    assert not unlabelled, (
        f"In cookiecutter.json, __prompts__ needs one label for each of {unlabelled}"
    )
    for prompt in ("ci_scanning", "deployment"):
        assert set(labels[prompt]) == {"__prompt__", *FEATURES[prompt]}


def tracked_files() -> list[str]:
    """Return the files of the raw folder that Git tracks."""
    listed = run(ROOT / RAW, "git", "ls-files", "-z").split("\0")
    return [path for path in listed if path]


def read_feature_paths() -> dict[tuple[str, ...], list[str]]:
    """Return the table of the post hook, which is a template with Python's syntax."""
    hook = (ROOT / "hooks" / "post_gen_project.py").read_text(encoding="utf-8")
    _, _, rest = hook.partition("\nFEATURE_PATHS = ")
    rows, end, _ = rest.partition("\n}\n")
    table: dict[tuple[str, ...], list[str]] = ast.literal_eval(rows + end)
    return table


@every_combination
def test_only_the_files_of_chosen_features_are_generated(
    answers: Answers, pristine: Project
) -> None:
    """They are those that Git tracks: none that work left is generated."""
    unwanted = [
        path
        for (prompt, *kept_with), files in read_feature_paths().items()
        if answers[prompt] not in kept_with
        for path in files
    ]
    expected = {
        path
        for path in tracked_files()
        if not any(path == gone or path.startswith(f"{gone}/") for gone in unwanted)
    }
    expected |= COPIED | WRITTEN
    if answers.get("auth_app"):
        expected |= COPIED_WITH_ACCOUNTS
    assert own_paths(pristine(answers)) == expected


@pytest.mark.parametrize("answers", [ALL_ON, ALL_OFF], ids=name)
def test_vendored_package_is_that_of_the_template(
    answers: Answers, template: Path, pristine: Project
) -> None:
    vendored = pristine(answers) / VENDOR / "secure-django"
    # src/.ruff.toml is for the development of the package.
    sources = {f"src/{path}" for path in paths(template / "src") if path[0] != "."}
    unchanged = sources | {"LICENSE"}
    assert paths(vendored) == unchanged | {"pyproject.toml"}
    differing = [
        path
        for path in unchanged
        if (vendored / path).read_bytes() != (template / path).read_bytes()
    ]
    assert not differing
    release = PROMPTS["_version"]
    metadata = (template / "pyproject.toml").read_text(encoding="utf-8")
    version = f'\nversion = "{release}"\n'
    assert metadata.count(version) == 1
    expected = metadata.replace(version, f'\nversion = "{release}+vendored"\n')
    assert (vendored / "pyproject.toml").read_text(encoding="utf-8") == expected


def test_hashes_of_the_package_are_those_of_its_files(pristine: Project) -> None:
    project = pristine(ALL_ON)
    listing = project / VENDOR / "secure-django.sha256"
    package = listing.with_suffix("")
    lines = listing.read_text(encoding="utf-8").splitlines()
    listed = {path: digest for digest, path in (line.split("  ") for line in lines)}
    assert listed == {
        path: sha256((package / path).read_bytes()).hexdigest()
        for path in paths(package)
    }
    record = json.loads((project / ".cruft.json").read_text(encoding="utf-8"))
    expected = sha256(listing.read_bytes()).hexdigest()
    assert record["generated"]["package"] == expected


@pytest.mark.parametrize("answers", [ALL_ON, ALL_OFF], ids=name)
def test_copied_page_names_its_original(answers: Answers, pristine: Project) -> None:
    """So an update can tell whether the original has changed."""
    project = pristine(answers)
    room = "accounts" if answers.get("auth_app") else "login"
    pages = {
        "base.html": "templates/base.html",
        "account/login.html": f"{room}/templates/account/login.html",
    }
    package = project / VENDOR / "secure-django" / "src" / "secure_django"
    for page, source in pages.items():
        original = (package / source).read_bytes()
        comment = f"{{# original: {sha256(original).hexdigest()[:12]} #}}"
        copy = (project / "templates" / page).read_bytes()
        assert copy == comment.encode() + original


@every_combination
def test_features_that_were_not_chosen_are_not_mentioned(
    answers: Answers, pristine: Project
) -> None:
    others = TRACES.keys() - chosen(answers, pristine(answers))
    words = "|".join(f"(?:{TRACES[feature]})" for feature in others)
    found = [
        f"{path}:{number}: {line}"
        for path, text in text_files(pristine(answers)).items()
        for number, line in enumerate([path, *text.splitlines()])
        if words and re.search(words, line, re.IGNORECASE)
    ]
    assert not found, (
        "TRACES of this module has words of features that were not chosen."
        " Put these lines under the condition of the feature, or narrow the word:\n"
        + "\n".join(found)
        + f"\n{FORK_TABLE}a prompt more"
    )


@every_combination
def test_no_template_syntax_is_left(answers: Answers, pristine: Project) -> None:
    leftover = re.compile(
        r"\{\{-? *cookiecutter|cookiecutter\.\w+ *[|}]|^\s*# %", re.MULTILINE
    )
    assert not [
        path
        for path, text in text_files(pristine(answers)).items()
        if leftover.search(text)
    ]


@every_combination
def test_files_have_clean_whitespace(answers: Answers, pristine: Project) -> None:
    files = {path: text for path, text in text_files(pristine(answers)).items() if text}
    assert not [
        path
        for path, text in files.items()
        if not text.endswith("\n") or text.endswith("\n\n")
    ]
    assert not [
        path
        for path, text in files.items()
        if "\n\n\n\n" in text or re.search(r"[ \t]$", text, re.MULTILINE)
    ]


@pytest.mark.parametrize(
    "answers", [it for it in COMBINATIONS if it["ci_scanning"] == "none"], ids=name
)
@pytest.mark.parametrize("ci_scanning", ["github", "gitlab"])
def test_ci_choice_changes_only_scans_and_documents(
    ci_scanning: str, answers: Answers, pristine: Project
) -> None:
    """So slow tests use one CI choice; style, types and Bandit are checked for all."""
    plain, scanned = (
        text_files(pristine(it))
        for it in (answers, answers | {"ci_scanning": ci_scanning})
    )
    differing = {
        path
        for path in plain.keys() | scanned.keys()
        if plain.get(path) != scanned.get(path)
    }
    unexpected = {path for path in differing if not path.startswith(".git")}
    assert unexpected <= {
        "README.md",
        "SECURITY.md",
        "docs/updating.md",
        "pyproject.toml",
        "renovate.json",
    }
    assert (
        tomllib.loads(plain["pyproject.toml"])["project"]
        == tomllib.loads(scanned["pyproject.toml"])["project"]
    )


@pytest.mark.parametrize("answers", [ALL_ON, ALL_OFF], ids=name)
def test_every_setting_is_assigned_once(answers: Answers, pristine: Project) -> None:
    tree = ast.parse(
        (pristine(answers) / "config" / "settings.py").read_text(encoding="utf-8")
    )
    names = [
        ast.unparse(target)
        for node in tree.body
        if isinstance(node, ast.Assign)
        for target in node.targets
    ]
    assert not [it for it in names if names.count(it) > 1]


def test_env_file_is_complete_and_private(pristine: Project) -> None:
    env = pristine(ALL_ON) / ".env"
    values = dotenv_values(env, interpolate=False)
    assert values["DEBUG"] == "on"
    assert len(values["SECRET_KEY"] or "") > 50
    assert Fernet(values["FIELD_ENCRYPTION_KEYS"] or "")
    if os.name == "posix":
        assert stat.S_IMODE(env.stat().st_mode) == 0o600


def test_secrets_are_fresh_and_only_in_the_env_file(
    template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    projects = [bake(template, tmp_path / run) for run in ("one", "two")]
    secrets = [
        value
        for project in projects
        for key, value in dotenv_values(project / ".env").items()
        if value and key in ("SECRET_KEY", "FIELD_ENCRYPTION_KEYS")
    ]
    assert len(set(secrets)) == 4
    assert sorted(path.suffix for path in temporary.iterdir()) == [".py"] * 2, (
        "only the rendered hook is left"
    )
    assert (tmp_path / "one" / ".cookiecutter" / "replay").is_dir()
    for path in tmp_path.rglob("*"):
        if is_text(path) and path.name != ".env":
            text = path.read_text(encoding="utf-8")
            assert not [secret for secret in secrets if secret in text], path


@pytest.mark.parametrize("answers", [ALL_ON, ALL_OFF], ids=name)
def test_git_add_tracks_everything_but_secrets_and_data(
    answers: Answers, project: Project
) -> None:
    folder = project(answers)
    (folder / "media").mkdir()
    for state in (".env.local", "db.sqlite3", "media/photo.jpg"):
        (folder / state).touch()
    run(folder, "git", "init", "--quiet")
    run(folder, "git", "add", "--all")
    tracked = set(run(folder, "git", "ls-files").splitlines())
    assert tracked == paths(folder) - {
        path for path in paths(folder) if path.startswith(".git/")
    } - {
        ".env",
        ".env.local",
        "db.sqlite3",
        "media/photo.jpg",
    }


def test_summary_names_every_choice(
    template: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    project = bake(
        template,
        tmp_path,
        **ALL_OFF,
        project_name="Museum",
        domain_name="museum.example",
    )
    summary = capfd.readouterr().out
    listed = re.findall(
        r"^  (\w+)  +(.+)$", summary.partition("Next:")[0], re.MULTILINE
    )
    recorded = json.loads((project / ".cruft.json").read_text(encoding="utf-8"))[
        "context"
    ]["cookiecutter"]
    assert [prompt for prompt, _ in listed] == [
        prompt for prompt in PROMPTS if not prompt.startswith("_")
    ]
    assert dict(listed) == recorded | dict.fromkeys(
        [prompt for prompt in recorded if recorded[prompt] is False], "no"
    )


def test_next_step_enters_the_folder_from_the_shells_folder(
    template: Path,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PWD", str(tmp_path))
    bake(template, tmp_path, **ALL_OFF)
    assert "\n  cd my-secure-site\n" in capfd.readouterr().out
    project = bake(template, tmp_path / "elsewhere", **ALL_OFF)
    place = shlex.quote(str(project.resolve()))
    assert f"\n  cd {place}\n" in capfd.readouterr().out


def test_console_encoding_does_not_stop_generation(
    template: Path, tmp_path: Path, home: dict[str, str]
) -> None:
    summary = run(
        tmp_path,
        *(
            sys.executable,
            "-m",
            "cookiecutter",
            "--no-input",
            "--default-config",
            str(template),
            *typed(project_name="安全网站"),
        ),
        PYTHONIOENCODING="cp1252",
        **home,
    )
    assert "an-quan-wang-zhan" in summary
    assert (tmp_path / "an-quan-wang-zhan" / ".env").is_file()


@pytest.mark.feature("gallery")
def test_missing_feature_path_stops_generation(template: Path, tmp_path: Path) -> None:
    stale = shutil.copytree(template, tmp_path / "stale")
    hook = stale / "hooks" / "post_gen_project.py"
    hook.write_text(
        re.sub(
            r'\("gallery", True\): \[',
            r'\g<0>"renamed", ',
            hook.read_text(encoding="utf-8"),
        ),
        encoding="utf-8",
    )
    with pytest.raises(FailedHookException):
        bake(stale, tmp_path / "output", gallery=False)
    assert [path.name for path in (tmp_path / "output").iterdir()] == [".cookiecutter"]


@pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX's")
def test_interrupted_generation_leaves_nothing(
    template: Path, tmp_path: Path, home: dict[str, str]
) -> None:
    slow = shutil.copytree(template, tmp_path / "slow")
    with (slow / "hooks" / "post_gen_project.py").open("a", encoding="utf-8") as hook:
        hook.write(SLEEP)
    output = tmp_path / "output"
    output.mkdir()
    with subprocess.Popen(
        ["cookiecutter", "--no-input", "--default-config", str(slow), *typed()],
        cwd=output,
        env=clean_environment() | home,
        start_new_session=True,
    ) as generation:
        sleeps = (output / "my-secure-site" / "asleep").exists
        wait_until(sleeps, "the hook does not run")
        os.killpg(generation.pid, signal.SIGINT)
    assert generation.returncode == 1
    assert list(output.iterdir()) == []


def test_existing_project_is_not_overwritten(
    template: Path, tmp_path: Path, home: dict[str, str]
) -> None:
    project = bake(template, tmp_path)
    before = (project / ".env").read_bytes()
    command = [
        "cookiecutter",
        "--no-input",
        "--overwrite-if-exists",
        "--default-config",
        str(template),
        *typed(),
    ]
    with pytest.raises(
        AssertionError, match=r"my-secure-site: holds a project already"
    ):
        run(tmp_path, *command, **home)
    assert (project / ".env").read_bytes() == before


def test_caches_and_data_in_the_template_are_not_copied(
    template: Path, tmp_path: Path, pristine: Project
) -> None:
    checkout = shutil.copytree(template, tmp_path / "checkout")
    raw = checkout / RAW
    binary = bytes(range(256)) * 4
    for state in (
        ".env",
        ".DS_Store",
        ".mypy_cache/3.13/cache.0.db",
        ".pytest_cache/v/cache/nodeids",
        ".ruff_cache/0.17.6/1234567890",
        ".venv/bin/python",
        "config/.DS_Store",
        "config/__pycache__/settings.cpython-313.pyc",
        "db.sqlite3",
        "db.sqlite3-wal",
        "media/photo/display.jpg",
        "reports/bandit.html",
        "staticfiles/site.css",
        "users/migrations/__pycache__/__init__.cpython-313.pyc",
        "uv.lock",
    ):
        (raw / state).parent.mkdir(parents=True, exist_ok=True)
        (raw / state).write_bytes(b"{{ undefined }} {% nonsense \xff" + binary)
    compiled = checkout / "src" / "secure_django" / "__pycache__"
    compiled.mkdir()
    (compiled / "urls.cpython-313.pyc").write_bytes(binary)
    project = bake(checkout, tmp_path / "output", **ALL_ON)
    assert paths(project) == paths(pristine(ALL_ON))
    assert not list(project.rglob("__pycache__"))
    assert not [
        path for path in project.rglob("*") if path.is_dir() and not any(path.iterdir())
    ]
    assert dotenv_values(project / ".env")["DEBUG"] == "on"


@pytest.mark.parametrize(
    "script", ["secure_django_refusals.py", "hooks/post_gen_project.py"]
)
def test_generation_needs_no_packages_and_no_network(script: str) -> None:
    tree = ast.parse((ROOT / script).read_text(encoding="utf-8"))
    imports = {
        alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.Import)
        for alias in node.names
    }
    imports |= {
        node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)
    }
    imports = {module.partition(".")[0] for module in imports}
    assert imports <= sys.stdlib_module_names
    assert not imports & {
        "asyncio",
        "ftplib",
        "http",
        "smtplib",
        "socket",
        "ssl",
        "subprocess",
        "urllib",
    }
