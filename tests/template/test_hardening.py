"""The emitted scripts and ignored files, beside what a project tests itself.

tests/production/ runs all of it. This notices a lost line within a second.
"""

import re
import shutil
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

from tests.support.baking import (
    ALL_OFF,
    ALL_ON,
    PROMPTS,
    ROOT,
    VENDOR,
    Answers,
    Project,
    name,
    run,
)

both = pytest.mark.parametrize("answers", [ALL_ON, ALL_OFF], ids=name)


# Scripts and scans


@both
def test_shell_scripts_say_what_they_change_and_have_no_findings(
    answers: Answers, pristine: Project
) -> None:
    folder = pristine(answers) / "deploy"
    texts = {
        path: path.read_text(encoding="utf-8")
        for path in folder.iterdir()
        if path.is_file()
    }
    scripts = [path for path, text in texts.items() if text.startswith("#!/bin/sh\n")]
    assert len(scripts) >= 4
    for script in scripts:
        header = re.findall(r"\A(?:#.*\n)+", texts[script])[0]
        assert "\n# It changes: " in header, script.name
    if not shutil.which("shellcheck"):
        pytest.skip("shellcheck is not installed")
    run(folder, "shellcheck", str(ROOT / ".ci" / "run"), *(it.name for it in scripts))


def test_image_and_release_refuse_compiled_code_before_they_run_any(
    pristine: Project,
) -> None:
    folder = pristine(ALL_ON)
    image = (folder / "Dockerfile").read_text(encoding="utf-8")
    copied = image.index("COPY . .")
    checked = image.index("RUN python3 -I scans/bytecode.py --all")
    assert copied < checked < image.index("uv sync --locked")
    assert checked < image.index("python -m compileall -qf")

    release = (folder / "deploy" / "release").read_text(encoding="utf-8")
    unpacked = release.index("git archive")
    checked = release.index('scans/bytecode.py" --all')
    assert unpacked < checked < release.index("uv sync --locked")
    assert release.index("uv sync --locked") < release.index("compileall -qf")
    assert release.index("compileall -qf") < release.index("manage.py collectstatic")


# Ignored files


def samples(pattern: str) -> str:
    """Return a path that a pattern of an ignore file means."""
    path = pattern.strip("/").replace("**/", "folder/").replace("*", "x")
    return f"{path}/file" if pattern.endswith("/") else path


def in_image(path: str, rules: list[str]) -> bool:
    """Tell whether Docker copies a path: a rule is for a path and what is below it.

    The last rule counts that fits; an exclamation mark begins an exception.
    """
    parts = path.split("/")
    heads = ["/".join(parts[: number + 1]) for number in range(len(parts))]
    is_copied = True
    for rule in rules:
        plain = rule.removeprefix("!").removeprefix("/")
        tails = (
            heads
            if not plain.startswith("**/")
            else [part for head in heads for part in (head, head.rpartition("/")[2])]
        )
        if any(fnmatchcase(it, plain.removeprefix("**/")) for it in tails):
            is_copied = rule.startswith("!")
    return is_copied


def rules(path: Path) -> list[str]:
    """Return the lines of an ignore file."""
    return [
        line
        for line in path.read_text(encoding="utf-8").splitlines()
        if line and not line.startswith("#")
    ]


@both
def test_secrets_and_data_are_neither_committed_nor_in_the_image(
    answers: Answers, project: Project
) -> None:
    """cookiecutter.json also names what work leaves behind, and does not copy it."""
    folder = project(answers)
    ignored = {
        samples(rule)
        for rule in rules(folder / ".gitignore")
        if not rule.startswith("!")
    }
    left = {
        f"{it}/file"
        for it in PROMPTS["_copy_without_render"]
        if re.fullmatch(r"\.venv|[a-z]+", it)
    }
    state = (
        ignored
        | left
        | {
            ".env",
            ".env.production",
            "certificates/site.key",
            "site.pem",
            "backups/2026/database",
        }
    )
    run(folder, "git", "init", "--quiet")
    assert state == set(
        run(folder, "git", "check-ignore", "--no-index", *state).splitlines()
    )
    docker = rules(folder / ".dockerignore")
    assert not [it for it in sorted(state) if in_image(it, docker)]
    assert in_image("manage.py", docker)
    assert in_image("scans/bytecode.py", docker), "the image's build runs it"
    assert not in_image("scans/suppressions.xml", docker)
    assert in_image("gallery/views.py", docker)
    package = f"{VENDOR}/secure-django"
    assert in_image(f"{package}/src/secure_django/web/middleware.py", docker)
    assert in_image(f"{package}/src/README.md", docker), "its metadata names this file"
