"""The audit asks the repository that secure-django came from for its advisories."""

import json
import subprocess
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from secure_django import scans
from secure_django.commands.programs import NotRun
from secure_django.scans.own_package import audit_own_package

ADVISORY = {
    "id": "GHSA-2222-3333-4444",
    "aliases": ["CVE-2027-0001"],
    "summary": "A photo keeps its place",
    "affected": [
        {
            "package": {"ecosystem": "PyPI", "name": "secure-django"},
            "ranges": [
                {
                    "type": "ECOSYSTEM",
                    "events": [{"introduced": "0"}, {"fixed": "1.0.1"}],
                }
            ],
        }
    ],
}
LIST = json.dumps([ADVISORY])
LOCK = """\
[[package]]
name = "secure-django"
version = "{version}"
"""
SILENCE = "OSV does not answer"
ID = "GHSA-2222-3333-4444 secure-django"
FOUND = (
    "uv.lock: secure-django 1.0.0+vendored: GHSA-2222-3333-4444"
    " A photo keeps its place, fixed in 1.0.1:"
    " run `uv run poe package update 1.0.1`"
)


def git(folder: Path, *words: str) -> None:
    """Run Git in a folder, as somebody."""
    someone = ("-c", "user.name=Ann", "-c", "user.email=ann@example.com")
    subprocess.run(["git", *someone, *words], cwd=folder, check=True)


def publish(repository: Path, text: str | None) -> None:
    """Commit the list of a repository, or its removal."""
    if not repository.exists():
        repository.mkdir()
        git(repository, "init", "--quiet")
    file = repository / "advisories.json"
    if text is None:
        file.unlink(missing_ok=True)
    else:
        file.write_text(text, encoding="utf-8")
    git(repository, "add", "--all")
    git(repository, "commit", "--quiet", "--allow-empty", "--message", "Publish")


def lock(version: str) -> None:
    """Lock secure-django at a version, in the present folder."""
    Path("uv.lock").write_text(LOCK.format(version=version), encoding="utf-8")


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Enter a project of the repository, and return that."""
    repository = tmp_path / "repository"
    project = tmp_path / "project"
    project.mkdir()
    monkeypatch.chdir(project)
    monkeypatch.delenv("ADVISORIES_URL", raising=False)
    lock("1.0.0+vendored")
    record = json.dumps({"template": repository.as_uri()})
    Path(".cruft.json").write_text(record, encoding="utf-8")
    return repository


def test_version_with_an_advisory_is_named_with_its_command(repository: Path) -> None:
    publish(repository, LIST)
    assert audit_own_package(set()) == {ID: FOUND}
    lock("1.0.1+vendored")
    assert audit_own_package(set()) == {}


def test_advisory_that_osv_knows_is_named_once_with_its_command(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(repository, LIST)
    by_osv = {"CVE-2027-0001 secure-django": "as OSV says it", "other": "of another"}
    monkeypatch.setattr(scans, "audit_by_osv", lambda folder: by_osv)
    assert scans.audit_packages(Path()) == [FOUND, "of another"]


def test_advisory_is_named_though_osv_does_not_answer(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(folder: Path) -> dict[str, str]:
        raise NotRun(SILENCE)

    publish(repository, LIST)
    monkeypatch.setattr(scans, "audit_by_osv", fail)
    assert scans.audit_packages(Path()) == [FOUND, SILENCE]
    publish(repository, "[]\n")
    with pytest.raises(NotRun, match=SILENCE):
        scans.audit_packages(Path())


def test_empty_list_has_no_findings(repository: Path) -> None:
    publish(repository, "[]\n")
    assert audit_own_package(set()) == {}


@pytest.mark.parametrize("text", [None, "", "{}", '[{"id": "GHSA-2222-3333-4444"}]'])
def test_missing_or_damaged_list_is_not_run(text: str | None, repository: Path) -> None:
    publish(repository, text)
    with pytest.raises(NotRun, match=r"advisories\.json of file:.+ cannot be read: "):
        audit_own_package(set())


def test_unreachable_repository_is_not_run(repository: Path) -> None:
    with pytest.raises(NotRun, match=rf"{repository.name} cannot be read: "):
        audit_own_package(set())


@pytest.mark.parametrize("text", ["", "{}", "[]"])
def test_damaged_record_is_not_run(text: str, repository: Path) -> None:
    publish(repository, LIST)
    Path(".cruft.json").write_text(text, encoding="utf-8")
    with pytest.raises(NotRun, match="is damaged: restore it"):
        audit_own_package(set())


@pytest.mark.usefixtures("repository")
def test_project_without_a_record_has_its_package_from_an_index() -> None:
    Path(".cruft.json").unlink()
    assert audit_own_package(set()) == {}


# A copy, by HTTP


@pytest.fixture
def copy(repository: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    """Serve texts by their paths, and name /advisories.json as the list.

    Nothing is in the repository.
    """
    texts: dict[str, str] = {}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path not in texts:
                self.send_error(404)
                return
            self.send_response(200)
            self.end_headers()
            self.wfile.write(texts[self.path].encode())

        def log_message(self, *_: object) -> None:
            """Print nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}/advisories.json"
    monkeypatch.setenv("ADVISORIES_URL", url)
    yield texts
    server.shutdown()
    server.server_close()


def test_copy_is_asked_in_place_of_the_repository(copy: dict[str, str]) -> None:
    copy["/advisories.json"] = LIST
    assert audit_own_package(set()) == {ID: FOUND}


def test_missing_copy_is_not_run(copy: dict[str, str]) -> None:
    with pytest.raises(NotRun, match="cannot be read: HTTP Error 404"):
        audit_own_package(set())


def test_page_of_a_portal_is_no_list(copy: dict[str, str]) -> None:
    copy["/advisories.json"] = "<title>Log in</title>"
    with pytest.raises(NotRun, match="cannot be read: "):
        audit_own_package(set())


@pytest.mark.usefixtures("repository")
def test_copy_is_a_url_of_the_web(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ADVISORIES_URL", "file:///etc/passwd")
    with pytest.raises(NotRun, match="has to begin with https://"):
        audit_own_package(set())
