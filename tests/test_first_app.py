"""The emitted guide to a first app, followed step by step."""

import re
import sys
from pathlib import Path

import pytest

from tests.support.baking import ALL_OFF, Project, run

ACCESS = "core/tests/test_access.py"
# A fenced block and the paragraph before it, which names the block's file last.
BLOCK = re.compile(r"^([^\n]*)\n\n```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)

RULE = ["/notes/<note_id>/", "log-in", "404", "404", "404", "404"]

# Tests of the new app, run inside the project.
APP_TESTS = """
import pytest
from core.testing import HTTPSClient
from notes.models import Note

@pytest.fixture
def url(user):
    return f"/notes/{Note.objects.create(owner=user, text='<script>').pk}/"

def test_anonymous(client, url):
    assert client.get(url)["Location"] == f"/accounts/login/?next={url}"

def test_other_user(login, other_user, url):
    assert login(other_user).get(url).status_code == 404

def test_owner(login, user, url):
    page = login(user).get(url)
    assert "<p>&lt;script&gt;</p>" in page.content.decode()
    assert "default-src 'none'" in page["Content-Security-Policy"]
    assert page["X-Frame-Options"] == "DENY"
    assert "no-store" in page["Cache-Control"]
"""


def write(project: Path, paragraph: str, text: str) -> None:
    """Append a block to the list that its paragraph names, or write it to a new file."""
    name, path = re.findall(r"(?:[Tt]o `(\w+)` in )?`([\w/]+\.\w+)`", paragraph)[-1]
    file = project / path
    if name:
        before = file.read_text(encoding="utf-8")
        found = re.search(rf'^{name} = (?:\[|""")\n.*?(?=^(?:\]|""")$)', before, re.MULTILINE | re.DOTALL)
        assert found, f"{path} has no {name}"
        text = before[: found.end()] + text + before[found.end() :]
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")


def test_first_app_is_private_and_needs_access_rules(project: Project) -> None:
    folder = project(ALL_OFF)
    guide = (folder / "docs" / "your-first-app.md").read_text(encoding="utf-8")
    for paragraph, language, text in BLOCK.findall(guide):
        if language != "sh":
            write(folder, paragraph, text)
            continue
        for command in text.splitlines():
            words = command.removeprefix("uv run ").split()
            if words[-1] == ACCESS:
                with pytest.raises(AssertionError) as failure:
                    run(folder, *words)
                *_, output = str(failure.value).partition(" FAILURES ")
                assert "no access rule for /notes/<note_id>/\n" in output
                assert RULE in [line.split() for line in output.splitlines()]
                assert len(output.splitlines()) < 20, "the advice is in the last lines"
            else:
                run(folder, *words)
        for path in re.findall(r"`(notes/\w+\.py)`", paragraph if "delete" in paragraph else ""):
            (folder / path).unlink()

    (folder / "notes" / "tests").mkdir()
    (folder / "notes" / "tests" / "test_note.py").write_text(APP_TESTS, encoding="utf-8")
    assert "failed" not in run(folder, "pytest", "-q", ACCESS, "notes")
    run(folder, "ruff", "check", "--no-cache", "--exclude", "notes/tests")
    run(folder, "ruff", "format", "--check", "--no-cache", "--exclude", "notes/tests")
    run(folder, sys.executable, "-m", "mypy", "notes", "config/urls.py", "--exclude", "notes/tests")
    run(folder, "python", "manage.py", "makemigrations", "--check", "--dry-run")
