"""Projects take the newest template by cruft, which generates twice, hooks included."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.baking import ALL_OFF, ALL_ON, RAW, Answers, bake, run

IDENTITY = ("-c", "user.name=Ann", "-c", "user.email=ann@example.com")


def commit(folder: Path, message: str) -> None:
    """Record everything that git sees."""
    run(folder, "git", "add", "--all")
    run(folder, "git", *IDENTITY, "commit", "--quiet", "--message", message)


def created(origin: Path, folder: Path, answers: Answers, **home: str) -> None:
    """Generate by cruft."""
    run(folder, "cruft", "create", str(origin), "--no-input", "--extra-context", json.dumps(answers), **home)


def linked(origin: Path, folder: Path, answers: Answers, **home: str) -> None:
    """Generate by cookiecutter, and link the project afterwards."""
    project = bake(origin, folder, **answers)
    run(project, "cruft", "link", str(origin), "--no-input", "--extra-context", json.dumps(answers), **home)


@pytest.mark.parametrize(("start", "features"), [(created, ALL_ON), (linked, ALL_OFF)], ids=["created", "linked"])
def test_update_brings_the_change_and_touches_no_secret(
    start: Callable[..., None], features: Answers, template: Path, tmp_path: Path, home: dict[str, str]
) -> None:
    origin = shutil.copytree(template, tmp_path / "secure-django")
    run(origin, "git", "init", "--quiet", "--initial-branch", "main")
    commit(origin, "Release")
    start(origin, tmp_path, {"project_name": "O'Brien's Site"} | features, **home)
    project = tmp_path / "o-brien-s-site"
    run(project, "git", "init", "--quiet")
    commit(project, "Start")
    secrets = (project / ".env").read_bytes()

    urls = project / "config" / "urls.py"
    urls.write_text(urls.read_text(encoding="utf-8") + "\n# A team's own line.\n", encoding="utf-8")
    commit(project, "Work")
    settings = origin / RAW / "config" / "settings.py"
    settings.write_text(settings.read_text(encoding="utf-8") + "\nNEW_IN_THIS_RELEASE = True\n", encoding="utf-8")
    commit(origin, "Next release")
    run(project, "cruft", "update", "--skip-apply-ask", **home)

    changed = {line[3:] for line in run(project, "git", "status", "--porcelain").splitlines()}
    assert changed == {".cruft.json", "config/settings.py"}
    assert "NEW_IN_THIS_RELEASE = True" in (project / "config" / "settings.py").read_text(encoding="utf-8")
    assert "A team's own line." in urls.read_text(encoding="utf-8")
    assert (project / ".env").read_bytes() == secrets
    assert not [*project.rglob("*.rej"), *project.rglob("*.orig")]
