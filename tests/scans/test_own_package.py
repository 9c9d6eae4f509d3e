"""The audit asks the repository that secure-django came from for its advisories.

It asks the one that forks come from, too: here both are the same, unless a test says
otherwise.
"""

import json
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread

import pytest
import trustme

from secure_django import scans
from secure_django.advisories import Contents
from secure_django.commands.programs import NotRun, PartlyRun
from secure_django.scans import own_package
from secure_django.scans.own_package import find_sources, is_same_repository

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
OLD = Contents("1.0.0", set())
FIXED = Contents("1.0.0", {"GHSA-2222-3333-4444"})
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
    monkeypatch.setattr(own_package, "UPSTREAM", repository.as_uri())
    monkeypatch.setattr(own_package, "read_contents", lambda: OLD)
    lock("1.0.0+vendored")
    record_template(repository.as_uri())
    return repository


def record_template(url: str) -> None:
    """Record where the project in the present folder came from."""
    record = json.dumps({"template": url, "commit": "v1.0.0"})
    Path(".cruft.json").write_text(record, encoding="utf-8")


def audit() -> dict[str, str]:
    """Return what the audit finds in each source."""
    findings: dict[str, str] = {}
    for source in find_sources():
        findings |= own_package.audit_own_package(source, findings.keys())
    return findings


def test_version_with_an_advisory_is_named_with_its_command(repository: Path) -> None:
    publish(repository, LIST)
    assert audit() == {ID: FOUND}


def test_version_with_the_fix_is_not_named(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(repository, LIST)
    monkeypatch.setattr(own_package, "read_contents", lambda: FIXED)
    assert audit() == {}


@pytest.fixture
def fork(repository: Path, tmp_path: Path) -> Path:
    """Let the project come from a fork, which numbers its releases as it likes."""
    fork = tmp_path / "fork"
    record_template(fork.as_uri())
    lock("3.0.0+vendored")
    publish(repository, "[]\n")
    publish(fork, "[]\n")
    return fork


@pytest.mark.parametrize("where", ["repository", "fork", "both"])
def test_number_of_a_fork_hides_no_advisory(
    where: str, repository: Path, fork: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if where != "fork":
        publish(repository, LIST)
    if where != "repository":
        publish(fork, LIST)
    found = FOUND.partition(" run ")[0].replace("1.0.0+", "3.0.0+")
    advice = f"take a release of {fork.as_uri()} that has the fix"
    assert audit() == {ID: f"{found} {advice}"}
    monkeypatch.setattr(own_package, "read_contents", lambda: FIXED)
    assert audit() == {}


def test_advisory_is_named_though_the_fork_cannot_be_read(
    repository: Path, fork: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(repository, LIST)
    publish(fork, "{}")
    monkeypatch.setattr(scans, "audit_by_osv", lambda folder: {})
    with pytest.raises(PartlyRun, match="it is no list of advisories") as reason:
        scans.audit_packages(Path())
    [finding] = reason.value.findings
    assert finding.startswith("uv.lock: secure-django 3.0.0+vendored: GHSA-2222")


@pytest.mark.parametrize(
    "url",
    [
        "https://github.com/Org/Secure-Django.git",
        "https://ann@github.com/org/secure-django/",
        "git@github.com:org/secure-django.git",
        "ssh://git@github.com/org/secure-django",
    ],
)
def test_repository_is_known_by_each_of_its_urls(url: str) -> None:
    assert is_same_repository(url, "https://github.com/org/secure-django")
    assert not is_same_repository(url, "https://github.com/museum/secure-django")


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
    with pytest.raises(PartlyRun, match=SILENCE) as reason:
        scans.audit_packages(Path())
    assert reason.value.findings == [FOUND]
    publish(repository, "[]\n")
    with pytest.raises(PartlyRun, match=SILENCE) as reason:
        scans.audit_packages(Path())
    assert reason.value.findings == []


def test_silence_of_osv_is_no_finding(
    repository: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fail(folder: Path) -> dict[str, str]:
        raise NotRun(SILENCE)

    monkeypatch.setattr(scans, "audit_by_osv", fail)
    publish(repository, LIST)
    assert scans.run_scan("audit") == ("found 1", SILENCE)
    assert capsys.readouterr().out == f"== audit\n{FOUND}\n"
    publish(repository, "[]\n")
    outcome = scans.run_scan("audit")
    assert outcome == ("not run", SILENCE)
    monkeypatch.setenv("CI", "true")
    assert outcome.is_failure()


def test_osv_is_asked_by_https(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scans, "OSV", "http://osv.example/")
    with pytest.raises(NotRun, match="OSV_URL has to begin with https://"):
        scans.audit_by_osv(Path())


@pytest.mark.parametrize(
    ("reason", "sentence"),
    [
        ("error: sending request for https://osv.example/v1", "OSV cannot be reached"),
        ("error: Unable to find lockfile", "error: Unable"),
    ],
)
def test_osv_that_cannot_be_reached_is_said_as_that(
    reason: str, sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise NotRun(reason)

    monkeypatch.setattr(scans, "OSV", "https://osv.example/")
    monkeypatch.setattr(scans, "write_reports", fail)
    with pytest.raises(NotRun, match=f"^{sentence}"):
        scans.audit_by_osv(Path())


def test_finding_and_reason_change_no_terminal_and_no_page(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    def scan(folder: Path) -> list[str]:
        reason = "a | <img>\n\x1b[2J"
        raise PartlyRun(reason, ["one\r\x1b[2J\ntwo"])

    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(scans.SCANS, "audit", scan)
    assert scans.run_scan("audit") == ("found 1", "a \\| &lt;img>\\n\\x1b[2J")
    assert capsys.readouterr().out == "== audit\none\\r\\x1b[2J\\ntwo\n"


def test_empty_list_has_no_findings(repository: Path) -> None:
    publish(repository, "[]\n")
    assert audit() == {}


@pytest.mark.parametrize("text", [None, "", "{}", '[{"id": "GHSA-2222-3333-4444"}]'])
def test_missing_or_damaged_list_is_not_run(text: str | None, repository: Path) -> None:
    publish(repository, text)
    with pytest.raises(NotRun, match=r"advisories\.json of file:.+ cannot be read: "):
        audit()


def test_unreachable_repository_is_not_run(repository: Path) -> None:
    with pytest.raises(NotRun, match=rf"{repository.name} cannot be read: "):
        audit()


def test_repository_is_cloned_by_https_or_ssh(repository: Path) -> None:
    publish(repository, LIST)
    for url in ("http://127.0.0.1:9/x", "git://127.0.0.1:9/x"):
        record_template(url)
        with pytest.raises(NotRun, match="has to begin with https:// or ssh://"):
            audit()
    # Git knows more ways, and runs programs for some.
    record_template("ext::sh -c touch% ran")
    with pytest.raises(NotRun, match="transport 'ext' not allowed"):
        audit()
    assert not Path("ran").exists()


def test_clone_without_an_end_is_ended(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stand-in has a process of its own, as Git has, which ends with it."""
    publish(repository, LIST)
    program = tmp_path / "bin" / "git"
    program.parent.mkdir()
    program.write_text(
        "#!/bin/sh\n(sleep 2; touch survived) & wait\n", encoding="utf-8"
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    monkeypatch.setattr(own_package, "MOST_SECONDS", 1)
    started = time.monotonic()
    with pytest.raises(NotRun, match="git did not end within 1 seconds"):
        audit()
    assert time.monotonic() - started < 50
    time.sleep(2)
    assert not Path("survived").exists()


def test_huge_list_of_a_repository_is_not_read(repository: Path) -> None:
    publish(repository, " " * 5_000_001)
    with pytest.raises(NotRun, match="it has more than 5,000,000 bytes"):
        audit()


def test_password_of_a_url_is_not_printed(repository: Path) -> None:
    record_template("http://ann:secret@127.0.0.1/x?token=secret")
    with pytest.raises(NotRun, match=r"^advisories\.json of http://127") as reason:
        audit()
    assert "secret" not in str(reason.value)


@pytest.mark.parametrize("text", ["", "{}", "[]"])
def test_damaged_record_is_not_run(text: str, repository: Path) -> None:
    publish(repository, LIST)
    Path(".cruft.json").write_text(text, encoding="utf-8")
    with pytest.raises(NotRun, match=r"^\.cruft\.json is missing or damaged: "):
        audit()


def test_project_without_a_record_asks_where_forks_come_from(repository: Path) -> None:
    publish(repository, LIST)
    Path(".cruft.json").unlink()
    assert audit() == {ID: FOUND}


# A copy, by HTTPS

type Answer = Callable[[BaseHTTPRequestHandler], None]


@pytest.fixture
def serve(
    repository: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[Callable[[Answer], str]]:
    """Return a function that answers requests for the list, and returns its URL.

    Nothing is in the repository.
    """
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "authority.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))
    servers = []

    def serve(answer: Answer) -> str:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                answer(self)

            def log_message(self, *_: object) -> None:
                """Print nothing."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("127.0.0.1").configure_cert(context)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        url = f"https://127.0.0.1:{server.server_port}/advisories.json"
        monkeypatch.setenv("ADVISORIES_URL", url)
        return url

    yield serve
    for server in servers:
        server.shutdown()
        server.server_close()


def send(text: str) -> Answer:
    """Return an answer with a text."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.end_headers()
        handler.wfile.write(text.encode())

    return answer


type Serve = Callable[[Answer], str]


def test_copy_is_asked_in_place_of_the_repository(serve: Serve) -> None:
    serve(send(LIST))
    assert audit() == {ID: FOUND}


def test_missing_copy_is_not_run(serve: Serve) -> None:
    serve(lambda handler: handler.send_error(404))
    with pytest.raises(NotRun, match="cannot be read: HTTP Error 404"):
        audit()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("<title>Log in</title>", "it is no JSON"),
        ("[" * 200_000, "it is nested more than 50 times"),
        (" " * 5_000_001, "it has more than 5,000,000 bytes"),
        (json.dumps([ADVISORY | {"aliases": 5}]), "its aliases are no list of ids"),
        (json.dumps([ADVISORY | {"id": "\x1b[2J"}]), "an advisory has no id"),
    ],
)
def test_copy_in_another_form_is_not_run(text: str, reason: str, serve: Serve) -> None:
    serve(send(text))
    with pytest.raises(NotRun, match=f"cannot be read: .*{reason}"):
        audit()


def test_escapes_in_a_summary_are_shown(serve: Serve) -> None:
    serve(send(json.dumps([ADVISORY | {"summary": "one\n\x1b[2Jtwo"}])))
    assert "one\\n\\x1b[2Jtwo" in audit()[ID]


@pytest.mark.parametrize(
    "part", [b"HTTP/1.1 200 OK\r\nX: ", b"HTTP/1.1 200 OK\r\n\r\n"]
)
def test_copy_of_a_byte_a_second_is_given_up(
    part: bytes, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = Event()

    def drip(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(part)
        while not ended.wait(0.2):
            handler.wfile.write(b" ")

    serve(drip)
    monkeypatch.setattr(own_package, "MOST_SECONDS", 2)
    started = time.monotonic()
    with pytest.raises(NotRun, match="no whole answer within 2 seconds"):
        audit()
    assert time.monotonic() - started < 50
    ended.set()


def test_copy_is_read_by_https_after_a_redirect_too(serve: Serve) -> None:
    def redirect(to: str) -> Answer:
        def answer(handler: BaseHTTPRequestHandler) -> None:
            handler.send_response(302)
            handler.send_header("Location", to)
            handler.end_headers()

        return answer

    serve(redirect(serve(send(LIST))))
    assert audit() == {ID: FOUND}
    serve(redirect("http://127.0.0.1:9/advisories.json"))
    with pytest.raises(NotRun, match="it redirects to a URL without https://"):
        audit()


@pytest.mark.usefixtures("repository")
@pytest.mark.parametrize("url", ["file:///etc/passwd", "http://127.0.0.1:9/x"])
def test_copy_is_a_url_of_https(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ADVISORIES_URL", url)
    with pytest.raises(NotRun, match="has to begin with https://"):
        audit()
