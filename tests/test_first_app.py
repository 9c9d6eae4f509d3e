"""The emitted README's "Your first app", followed to the letter."""

import re
import sys
from pathlib import Path

import pytest

from tests.baking import ALL_OFF, Project, run

ACCESS = "config/tests/test_access.py"
# A fenced block, and the paragraph before it, which ends with the file that the block belongs to.
BLOCK = re.compile(r"^([^\n]*)\n\n```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)

# What the owner of the project would try, as a test of the project itself.
ATTACK = """
import pytest
from conftest import HTTPSClient
from notes.models import Note

@pytest.fixture
def address(user):
    return f"/notes/{Note.objects.create(owner=user, text='<script>').pk}/"

def test_anonymous(client, address):
    assert client.get(address)["Location"] == f"/accounts/login/?next={address}"

def test_stranger(login, stranger, address):
    assert login(stranger).get(address).status_code == 404

def test_owner(login, user, address):
    page = login(user).get(address)
    assert "<p>&lt;script&gt;</p>" in page.content.decode()
    assert "default-src 'none'" in page["Content-Security-Policy"]
    assert page["X-Frame-Options"] == "DENY"
    assert "no-store" in page["Cache-Control"]
"""


def write(project: Path, paragraph: str, text: str) -> None:
    """Write the block where its paragraph says: to the end of a list with a name, or into a new file."""
    name, path = re.findall(r"(?:[Tt]o `(\w+)` in )?`([\w/]+\.\w+)`", paragraph)[-1]
    file = project / path
    if name:
        before = file.read_text(encoding="utf-8")
        found = re.search(rf'^{name} = (?:\[|""")\n.*?(?=^(?:\]|""")$)', before, re.MULTILINE | re.DOTALL)
        assert found, f"{path} has no {name}"
        text = before[: found.end()] + text + before[found.end() :]
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")


def test_first_app_is_private_at_once_and_red_until_its_address_is_declared(project: Project) -> None:
    folder = project(ALL_OFF)
    _, _, section = (folder / "README.md").read_text(encoding="utf-8").partition("\n## Your first app\n")
    section, _, _ = section.partition("\n## ")

    for paragraph, language, text in BLOCK.findall(section):
        if language != "sh":
            write(folder, paragraph, text)
            continue
        for command in text.splitlines():
            words = command.removeprefix("uv run ").split()
            if words[-1] == ACCESS:
                with pytest.raises(AssertionError, match=r"/notes/<note_id>/.*missing in the table"):
                    run(folder, *words)
            else:
                run(folder, *words)
        for path in re.findall(r"`(notes/\w+\.py)`", paragraph if "delete" in paragraph else ""):
            (folder / path).unlink()

    (folder / "notes" / "tests").mkdir()
    (folder / "notes" / "tests" / "test_note.py").write_text(ATTACK, encoding="utf-8")
    assert "failed" not in run(folder, "pytest", "-q", ACCESS, "notes")
    run(folder, "ruff", "check", "--no-cache", "--exclude", "notes/tests")
    run(folder, "ruff", "format", "--check", "--no-cache", "--exclude", "notes/tests")
    run(folder, sys.executable, "-m", "mypy", "notes", "config/urls.py", "--exclude", "notes/tests")
    run(folder, "python", "manage.py", "makemigrations", "--check", "--dry-run")
