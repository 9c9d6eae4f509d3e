"""Generate projects from a clean copy of the template, and run commands in them."""

import json
import os
import re
import secrets
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from itertools import combinations, product
from pathlib import Path
from typing import Any

import pytest
from cookiecutter.main import cookiecutter
from cryptography.fernet import Fernet
from jinja2 import Environment

ROOT = Path(__file__).parents[2]
RAW = "{{cookiecutter.project_slug}}"
# In a project: the package's source, which the team does not edit.
VENDOR = "vendor"
FORK_TABLE = 'CONTRIBUTING.md, "Keep a fork", has the row: '
# Begins the reason why a test of the other bot is skipped in a fork.
OTHER_BOT = "another bot raises the pins of this fork than "
PROMPTS: dict[str, Any] = json.loads(
    (ROOT / "cookiecutter.json").read_text(encoding="utf-8")
)

# A project's variables: the settings of the test site put them into this process.
EXAMPLE = (ROOT / "tests" / "site" / ".env.example").read_text(encoding="utf-8")
VARIABLES = re.findall(r"^(\w+)=", EXAMPLE, re.MULTILINE)
VARIABLES += [f"{variable}_FILE" for variable in VARIABLES]
VARIABLES += ["ENV_FILE"]

# Where pytest makes its temporary folders.
TEMPORARY_FOLDERS = "PYTEST_DEBUG_TEMPROOT"

# Longer than a command takes on a busy machine, and shorter than pytest's own limit.
RUN_SECONDS = 1700
# For all tests of a project, which take minutes. The mark `timeout` needs more.
SUITE_SECONDS = 3400

type Answers = dict[str, Any]
type Project = Callable[[Answers], Path]
type Once = Callable[[str, Callable[[Path], object]], Path]

# What tests answer, whatever a fork has as defaults. Those of this repository are the
# same: see test_upstream.py.
DEFAULTS: Answers = {
    "project_name": "My Secure Site",
    "project_slug": (
        "{{ cookiecutter.project_name | slugify(max_length=64) or 'my-secure-site' }}"
    ),
    "description": "A website made with Django.",
    "domain_name": "example.com",
    "author_name": "The {{ cookiecutter.project_name }} team",
    "author_email": "security@{{ cookiecutter.domain_name }}",
    "gallery": True,
    "cloudinary_moderation": True,
    "auth_app": True,
    "ci_scanning": ["github", "gitlab", "none"],
    "deployment": ["server", "platform"],
}

# The prompts that a fork has removed. Their tests are skipped: see features.py.
REMOVED = DEFAULTS.keys() - PROMPTS.keys()
NOT_OFFERED = "this fork has no prompt "  # begins the reason

# Every prompt with a fixed set of answers is a feature; a fork may reorder choices.
FEATURES: dict[str, list[Any]] = {
    prompt: sorted(default) if isinstance(default, list) else [True, False]
    for prompt, default in PROMPTS.items()
    if not prompt.startswith("_") and isinstance(default, bool | list)
}


def every(features: dict[str, list[Any]]) -> list[Answers]:
    """Return every combination of answers."""
    choices = product(*features.values())
    return [dict(zip(features, choice, strict=True)) for choice in choices]


def pairwise(features: dict[str, list[Any]]) -> list[Answers]:
    """Return few combinations that have every pair of answers to two prompts.

    The first and the last are among them.
    """
    choices = every(features)
    pairs = [set(combinations(answers.items(), 2)) for answers in choices]
    chosen = [0, len(choices) - 1]
    missing = set().union(*pairs) - pairs[0] - pairs[-1]
    while missing:
        counts = [len(own_pairs & missing) for own_pairs in pairs]
        best = counts.index(max(counts))
        chosen.append(best)
        missing -= pairs[best]
    return [choices[number] for number in sorted(set(chosen))]


# Where the site runs changes no feature, so the combinations have one choice. A few
# more have the other one: the most and the least, and each CI.
ON_SERVER = FEATURES | {"deployment": ["server"]}
ALL_ON, *_, ALL_OFF = every(ON_SERVER)
ON_PLATFORM = ALL_ON | {"deployment": "platform"}
PLATFORMS = [
    *(ON_PLATFORM | {"ci_scanning": ci} for ci in FEATURES["ci_scanning"]),
    ALL_OFF | {"deployment": "platform"},
]

# Generation is tested with all combinations. What takes longer is tested with pairs: a
# fault that needs three answers at once is rare, since a feature is a folder, and lists
# mention one feature at a time.
COMBINATIONS = [*every(ON_SERVER), *PLATFORMS]
PAIRS = [*pairwise(ON_SERVER), ON_PLATFORM]
# The least that has pages with photos.
WITH_GALLERY = ALL_OFF | {"gallery": True}

# The CI choice changes only scans and documents (test_generation.py shows it), so tests
# of the code use one choice.
ONE_CI = {"ci_scanning": FEATURES["ci_scanning"][:1]}
PYTHON_COMBINATIONS = [*pairwise(ON_SERVER | ONE_CI), ON_PLATFORM]


def name(answers: Answers) -> str:
    """Return a readable name of a combination, used as a test id."""
    parts = [key if value is True else value for key, value in answers.items() if value]
    return "+".join(parts) or "nothing"


# All others, which are for platforms, are tested each week.
EACH_WEEK = pytest.mark.tier("scheduled", f"{RAW}/*", "hooks/*")
every_combination = pytest.mark.parametrize(
    "answers",
    [
        *COMBINATIONS,
        *(
            pytest.param(answers, marks=EACH_WEEK)
            for answers in every(FEATURES)
            if answers not in COMBINATIONS
        ),
    ],
    ids=name,
)


def copy_template(target: Path) -> Path:
    """Copy the files that git tracks or would track: no caches and no secrets.

    The README's first command generates a project in a clone: it is left out.
    """
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
        encoding="utf-8",
    ).stdout
    projects = {record.parent.name for record in ROOT.glob("*/.cruft.json")}
    for path in filter(None, listed.split("\0")):
        if path.partition("/")[0] in projects:
            continue
        source = ROOT / path
        copy = target / path
        if source.is_file():
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, copy)
    return target


def need(prompt: str) -> None:
    """Skip the test if the fork has removed the prompt."""
    if prompt in REMOVED:
        pytest.skip(f"{NOT_OFFERED}{prompt}")


def complete(**answers: object) -> Answers:
    """Add the tests' own answers to the other prompts, so no default of a fork.

    Leave out prompts that a fork has removed. A test that chooses one is skipped.
    """
    for prompt, answer in answers.items():
        if answer not in (False, "no"):
            need(prompt)
    defaults = {
        prompt: default[0] if isinstance(default, list) else default
        for prompt, default in DEFAULTS.items()
    }
    # Where most tests look for the package, whatever the default is.
    completed = {"_package": "vendor"} | defaults | answers
    return {
        prompt: answer for prompt, answer in completed.items() if prompt not in REMOVED
    }


def typed(**answers: object) -> list[str]:
    """Return the same as arguments of the cookiecutter command."""
    return [f"{prompt}={answer}" for prompt, answer in complete(**answers).items()]


compile_text: Callable[..., Any] = Environment.compile
compiled: dict[tuple[object, ...], object] = {}


def compile_once(environment: Environment, *text: object, **options: object) -> object:
    """Return Jinja's code of a text of the template, or that of an earlier project."""
    key = (environment.lexer, text, tuple(options.items()))
    if key not in compiled:
        compiled[key] = compile_text(environment, *text, **options)
    return compiled[key]


# It takes half of the time of a generation.
Environment.compile = compile_once  # type: ignore[assignment]


def bake(template: Path, output: Path, **answers: object) -> Path:
    """Generate a project and return its folder, with cookiecutter's files beside it."""
    home = output / ".cookiecutter"
    home.mkdir(parents=True, exist_ok=True)
    config = home / "config.yaml"
    folders = {"replay_dir": str(home / "replay"), "cookiecutters_dir": str(home)}
    config.write_text(json.dumps(folders), encoding="utf-8")
    # Each copy of the template has its own.
    sys.modules.pop("secure_django_answers", None)
    sys.modules.pop("secure_django_refusals", None)
    project = cookiecutter(
        str(template),
        no_input=True,
        extra_context=complete(**answers),
        output_dir=str(output),
        config_file=str(config),
    )
    return Path(project)


def paths(project: Path) -> set[str]:
    """Return the relative POSIX paths of all files of a project.

    What Python compiled is left out: tests that share a project also run it.
    """
    files = [path for path in project.rglob("*") if path.is_file()]
    own = [file for file in files if file.parent.name != "__pycache__"]
    return {file.relative_to(project).as_posix() for file in own}


def own_paths(project: Path) -> set[str]:
    """Return the paths of a project without the package: what its team owns."""
    return {path for path in paths(project) if not path.startswith(f"{VENDOR}/")}


def own_modules(project: Path) -> list[Path]:
    """Return the Python modules that a project's team owns."""
    return sorted(project / path for path in own_paths(project) if path.endswith(".py"))


def is_text(path: Path) -> bool:
    """Return whether a file is text. A file with a NUL is binary, as for Git."""
    return path.is_file() and b"\0" not in path.read_bytes()


def production(project: Path) -> dict[str, str]:
    """Return the smallest environment that starts a project in production."""
    environment = {
        "ENV_FILE": "none",
        "SECRET_KEY": secrets.token_urlsafe(64),
        "FIELD_ENCRYPTION_KEYS": Fernet.generate_key().decode(),
        "ALLOWED_HOSTS": "example.com",
        "DATABASE_URL": f"sqlite:///{(project / 'production.sqlite3').as_posix()}",
        "EMAIL_URL": "submission://user:password@mail.example.com",
        "DEFAULT_FROM_EMAIL": "site@example.com",
    }
    settings = (project / "config" / "settings.py").read_text(encoding="utf-8")
    if "MEDIA_ROOT_IS_PERSISTENT" in settings:
        environment["MEDIA_ROOT_IS_PERSISTENT"] = "on"
    if "secure_django.photos.cloudinary" in settings:
        environment["CLOUDINARY_URL"] = (
            "cloudinary://123456789012345:abcdefghijklmnopqrstuvwxyz0@example"
        )
    return environment


def clean_environment() -> dict[str, str]:
    """Return the environment without the variables of pytest, Django, uv and CI.

    One of pytest stays: where its temporary folders are. Nor has it those of a project.
    This suite's tools are on its PATH.
    """
    prefixes = ("PYTEST_", "DJANGO_", "VIRTUAL_")
    kept = {
        key: value
        for key, value in os.environ.items()
        if key == TEMPORARY_FOLDERS
        or (not key.startswith(prefixes) and key not in {"CI", *VARIABLES})
    }
    tools = Path(sys.executable).parent
    path = f"{tools}{os.pathsep}{kept['PATH']}"
    return kept | {"PATH": path, "PYTHONIOENCODING": "utf-8"}


def run(folder: Path, *command: str, typed: str = "", **environment: str) -> str:
    """Run a command in a folder and return its output.

    A failure raises AssertionError with the whole output. `typed` is the standard
    input, for commands that ask questions. A command that hangs is killed.
    """
    return run_within(RUN_SECONDS, folder, command, environment, typed)


def run_within(
    seconds: int,
    folder: Path,
    command: Sequence[str],
    environment: dict[str, str],
    typed: str = "",
) -> str:
    """Run a command as `run` does, with a time limit of its own."""
    try:
        process = subprocess.run(
            command,
            cwd=folder,
            env=clean_environment() | environment,
            input=typed,
            check=False,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            timeout=seconds,
        )
    except subprocess.TimeoutExpired as error:
        stdout = error.stdout
        output = (
            stdout.decode(errors="replace") if isinstance(stdout, bytes) else stdout
        )
        how = f"did not end within {seconds} seconds"
        raise AssertionError(describe_failure(command, how, output or "")) from None
    how = f"ended with {process.returncode}"
    assert process.returncode == 0, describe_failure(command, how, process.stdout)
    return process.stdout


def describe_failure(command: Sequence[str], how: str, output: str) -> str:
    """Return what a failed command printed last, the command, and all its output.

    The first line begins with what is wrong: pytest's summary shows no other.
    """
    lines = [line for line in output.splitlines() if line.strip()]
    reason = lines[-1].strip() if lines else "it printed nothing"
    program = Path(command[0]).name
    return f"{program} {how}: {reason} ({' '.join(command)})\n{output}"


def commit(folder: Path, message: str = "Change") -> None:
    """Commit all files of a folder, and create its Git repository if there is none."""
    run(folder, "git", "init", "--quiet", "--initial-branch", "main")
    run(folder, "git", "add", "--all")
    identity = ("-c", "user.name=Ann", "-c", "user.email=ann@example.com")
    command = ("commit", "--quiet", "--allow-empty", "--message", message)
    run(folder, "git", *identity, *command)
