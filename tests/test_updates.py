"""Projects take the newest template by cruft, which generates twice, hooks included."""

import json
import shutil
from pathlib import Path

import pytest

from tests.baking import ALL_OFF, ALL_ON, RAW, Answers, name, run

IDENTITY = ("-c", "user.name=Ann", "-c", "user.email=ann@example.com")


def commit(folder: Path, message: str) -> None:
    """Record everything that git sees."""
    run(folder, "git", "add", "--all")
    run(folder, "git", *IDENTITY, "commit", "--quiet", "--message", message)


@pytest.mark.parametrize("answers", [ALL_ON, ALL_OFF], ids=name)
def test_update_brings_the_change_and_touches_no_secret(
    answers: Answers, template: Path, tmp_path: Path, home: dict[str, str]
) -> None:
    origin = shutil.copytree(template, tmp_path / "secure-django")
    run(origin, "git", "init", "--quiet", "--initial-branch", "main")
    commit(origin, "Release")
    context = json.dumps({"project_name": "O'Brien's Site"} | answers)
    run(tmp_path, "cruft", "create", str(origin), "--no-input", "--extra-context", context, **home)
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
