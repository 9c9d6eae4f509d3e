"""Projects made from a clean copy of the template, one for every combination of its features."""

import json
import os
import secrets
import shutil
import subprocess
import sys
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

from cookiecutter.main import cookiecutter
from cryptography.fernet import Fernet

ROOT = Path(__file__).parents[1]
RAW = "{{cookiecutter.project_slug}}"
PROMPTS: dict[str, Any] = json.loads((ROOT / "cookiecutter.json").read_text(encoding="utf-8"))

type Answers = dict[str, Any]
type Project = Callable[[Answers], Path]

# Every prompt with a fixed set of answers is a feature; the order is that of cookiecutter.json.
FEATURES: dict[str, list[Any]] = {
    prompt: default if isinstance(default, list) else [True, False]
    for prompt, default in PROMPTS.items()
    if not prompt.startswith("_") and isinstance(default, bool | list)
}
COMBINATIONS: list[Answers] = [dict(zip(FEATURES, values, strict=True)) for values in product(*FEATURES.values())]
ALL_ON, ALL_OFF = COMBINATIONS[0], COMBINATIONS[-1]

# Where CI runs changes scans alone, which a test shows; so what is slow looks at one of each.
PYTHON_COMBINATIONS = [answers for answers in COMBINATIONS if answers["ci_scanning"] == ALL_ON["ci_scanning"]]


def name(answers: Answers) -> str:
    """Return a combination as people read it in the list of tests."""
    return "+".join(key if value is True else value for key, value in answers.items() if value) or "nothing"


def copy_template(target: Path) -> Path:
    """Copy the files that git tracks, or would, so that caches and secrets of this checkout stay out."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
        encoding="utf-8",
    ).stdout
    for path in filter(None, listed.split("\0")):
        if (ROOT / path).is_file():
            (target / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / path, target / path)
    return target


def bake(template: Path, output: Path, **answers: object) -> Path:
    """Generate a project, with the engine's own files kept beside it, and return its folder."""
    home = output / ".cookiecutter"
    home.mkdir(parents=True, exist_ok=True)
    config = home / "config.yaml"
    config.write_text(
        json.dumps({"replay_dir": str(home / "replay"), "cookiecutters_dir": str(home)}), encoding="utf-8"
    )
    return Path(
        cookiecutter(
            str(template), no_input=True, extra_context=answers, output_dir=str(output), config_file=str(config)
        )
    )


def paths(project: Path) -> set[str]:
    """Return every file of a project, relative and with slashes."""
    return {path.relative_to(project).as_posix() for path in project.rglob("*") if path.is_file()}


def production(project: Path) -> dict[str, str]:
    """Return the least that a project needs to start in production."""
    environment = {
        "ENV_FILE": "none",
        "SECRET_KEY": secrets.token_urlsafe(64),
        "FIELD_ENCRYPTION_KEYS": Fernet.generate_key().decode(),
        "ALLOWED_HOSTS": "example.com",
        "DATABASE_URL": f"sqlite:///{(project / 'production.sqlite3').as_posix()}",
        "EMAIL_URL": "submission://user:password@mail.example.com",
        "DEFAULT_FROM_EMAIL": "site@example.com",
    }
    if (project / "uploads" / "moderation" / "cloudinary").is_dir():
        environment["CLOUDINARY_URL"] = "cloudinary://123456789012345:abcdefghijklmnopqrstuvwxyz0@example"
    return environment


def clean_environment() -> dict[str, str]:
    """Return the environment without what this suite's own tools have put there, its tools first on the path."""
    # Nor what CI sets: most commands here are a person's.
    ours = ("PYTEST_", "DJANGO_", "VIRTUAL_")
    kept = {key: value for key, value in os.environ.items() if not key.startswith(ours) and key != "CI"}
    path = os.pathsep.join([str(Path(sys.executable).parent), kept["PATH"]])
    return kept | {"PATH": path, "PYTHONIOENCODING": "utf-8"}


def run(folder: Path, *command: str, typed: str = "", **environment: str) -> str:
    """Run a command of this environment in the folder and return its output; a failure shows it whole.

    `typed` is what a person answers to its questions.
    """
    done = subprocess.run(
        command,
        cwd=folder,
        env=clean_environment() | environment,
        input=typed,
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
    )
    assert done.returncode == 0, f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}"
    return done.stdout


def commit(folder: Path, message: str = "Change") -> None:
    """Record everything that Git sees, in a repository that is made when there is none."""
    run(folder, "git", "init", "--quiet", "--initial-branch", "main")
    run(folder, "git", "add", "--all")
    identity = ("-c", "user.name=Ann", "-c", "user.email=ann@example.com")
    run(folder, "git", *identity, "commit", "--quiet", "--allow-empty", "--message", message)
