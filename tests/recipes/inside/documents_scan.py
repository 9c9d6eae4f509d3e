"""A virus scan by a real clamd, and sockets that answer otherwise.

Copied into a project with the recipe of the scan.
"""

# Imports are those of the generated project.
# mypy: ignore-errors
# ruff: noqa: ANN401, ARG001, I001, INP001

import socket
import subprocess
import tempfile
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from secure_django.testing import HTTPSClient, Login
from notes import scan
from notes.models import Note
from users.models import User

pytestmark = pytest.mark.django_db

MARKER = b"a-harmless-marker-of-this-test"
LIMIT = 1024**2  # of this clamd, in bytes


def pdf(content: bytes = b"") -> bytes:
    """Return a PDF with a compressed stream."""
    stream = zlib.compress(content)
    head = b"%%PDF-1.7\n1 0 obj<</Length %d/Filter/FlateDecode>>stream\n" % len(stream)
    return head + stream + b"\nendstream\nendobj\ntrailer<</Root 1 0 R>>\n%%EOF\n"


@pytest.fixture
def owner(login: Login, user: User) -> HTTPSClient:
    return login(user)


@pytest.fixture(scope="module")
def clamd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Run clamd with a signature of the marker alone."""
    # A short path, as sockets need, where AppArmor lets clamd read.
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        folder = Path(name)
        (folder / "marker.ndb").write_text(f"Marker:0:*:{MARKER.hex()}\n", "utf-8")
        path = folder / "clamd.ctl"
        lines = [
            f"LocalSocket {path}",
            f"DatabaseDirectory {folder}",
            f"TemporaryDirectory {folder}",
        ]
        options = [
            "Foreground yes",
            f"StreamMaxLength {LIMIT}",
            "AlertExceedsMax yes",
            "MaxFileSize 2M",
        ]
        (folder / "clamd.conf").write_text("\n".join([*lines, *options, ""]), "utf-8")
        command = ["/usr/sbin/clamd", "--config-file", str(folder / "clamd.conf")]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL) as daemon:
            deadline = time.monotonic() + 30
            while not path.exists() and time.monotonic() < deadline:
                time.sleep(0.1)
            yield path
            daemon.terminate()


@pytest.fixture
def real(clamd: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scan, "SOCKET", str(clamd))


type Stub = Callable[[Callable[[socket.socket], None]], None]


@pytest.fixture
def stub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stub]:
    """Return a function that serves the socket of clamd as its argument does.

    The argument serves one connection.
    """
    servers = []
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/clamd.ctl"

        def serve(answer: Callable[[socket.socket], None]) -> None:
            server = socket.socket(socket.AF_UNIX)
            server.bind(path)
            server.listen()
            servers.append(server)

            def run() -> None:
                with suppress(OSError):
                    connection = server.accept()[0]
                    with connection:
                        answer(connection)

            Thread(target=run, daemon=True).start()

        monkeypatch.setattr(scan, "SOCKET", path)
        yield serve
        for server in servers:
            server.close()


def read_all(connection: socket.socket) -> bytes:
    """Return the command and the file."""
    received = b""
    while not received.endswith(bytes(4)):
        received += connection.recv(100_000)
    return received


def send(client: HTTPSClient, content: bytes) -> Any:
    file = SimpleUploadedFile("a.pdf", content, "application/pdf")
    return client.post("/notes/create/", {"title": "Play", "file": file})


def is_unavailable(response: Any, media: Path) -> bool:
    assert response.headers["Retry-After"] == "60"
    assert "Uploads are unavailable" in response.text
    return response.status_code == 503 and is_refused(media)


def is_refused(media: Path) -> bool:
    return not Note.objects.exists() and not any(
        path.is_file() for path in media.rglob("*")
    )


@pytest.mark.usefixtures("real")
def test_clean_file_is_stored(owner: HTTPSClient, media: Path) -> None:
    content = pdf(b"a spring evening")
    assert send(owner, content).status_code == 302
    assert Note.objects.get().file.read() == content


@pytest.mark.usefixtures("real")
@pytest.mark.parametrize(
    "content", [pdf().replace(b"%%EOF", MARKER + b"\n%%EOF"), pdf(MARKER)]
)
def test_marked_file_is_refused_and_logged(
    content: bytes, owner: HTTPSClient, media: Path, caplog: pytest.LogCaptureFixture
) -> None:
    response = send(owner, content)
    assert (
        response.status_code,
        "The virus scan refuses this file." in response.text,
    ) == (200, True)
    assert is_refused(media)
    found = [
        vars(record)["fields"]
        for record in caplog.records
        if record.getMessage() == "upload_validation"
    ]
    assert found == [{"code": "infected", "signature": "Marker.UNOFFICIAL"}]


@pytest.mark.usefixtures("real")
def test_file_over_the_limits_of_clamd_is_refused(
    owner: HTTPSClient, media: Path
) -> None:
    assert is_unavailable(
        send(owner, b"%PDF-1.7\n" + bytes(2 * LIMIT) + MARKER + b"%%EOF"), media
    )
    # A small file whose content grows over a limit would pass without AlertExceedsMax.
    assert "The virus scan refuses" in send(owner, pdf(bytes(3 * LIMIT) + MARKER)).text
    assert is_refused(media)


@pytest.mark.usefixtures("real")
def test_file_that_is_no_pdf_is_not_scanned(
    owner: HTTPSClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scan, "SOCKET", "/nonexistent")
    assert "Only PDF files" in send(owner, MARKER).text


def test_file_is_refused_without_clamd(
    owner: HTTPSClient, media: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for path in ("/nonexistent/clamd.ctl", "/dev/null", "/tmp", "x" * 200):  # noqa: S108
        monkeypatch.setattr(scan, "SOCKET", path)
        assert is_unavailable(send(owner, pdf()), media)


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"stream: OK",
        b"stream: OK\n",
        b"stream: O",
        b"stream: OK\0stream: Marker FOUND\0",
        b"stream: OK\0\0",
        b"OK\0",
        b"1: stream: OK\0",
        b"stream: Marker FOUND",
        b"stream: Marker FOUND\0stream: OK\0",
        b"stream: Mar\nker FOUND\0",
        b"INSTREAM size limit exceeded. ERROR\0",
        b"UNKNOWN COMMAND\0",
        b"HTTP/1.1 200 OK\r\n\r\nstream: OK\0",
        b"\xff\xfe\0",
        b"stream: OK\0" * 10_000,
    ],
)
def test_other_answer_refuses_the_file(
    answer: bytes, stub: Stub, owner: HTTPSClient, media: Path
) -> None:
    def send_answer(connection: socket.socket) -> None:
        read_all(connection)
        connection.sendall(answer)

    stub(send_answer)
    assert is_unavailable(send(owner, pdf()), media)


def test_clamd_gets_the_whole_file_and_its_exact_answer_counts(
    stub: Stub, owner: HTTPSClient, media: Path
) -> None:
    received = []

    def send_parts(connection: socket.socket) -> None:
        received.append(read_all(connection))
        for part in (b"stream", b": OK", b"\0"):
            connection.sendall(part)
            time.sleep(0.02)

    stub(send_parts)
    content = pdf(b"a")
    assert send(owner, content).status_code == 302
    assert received == [b"zINSTREAM\0" + len(content).to_bytes(4) + content + bytes(4)]


def close_at_once(connection: socket.socket) -> None:
    connection.close()


LONG = 60  # seconds; a busy machine takes less to refuse a file


def never_read(connection: socket.socket) -> None:
    time.sleep(LONG)


def never_answer(connection: socket.socket) -> None:
    read_all(connection)
    time.sleep(LONG)


def drip(connection: socket.socket) -> None:
    """Send a byte now and then, so that no single one is late."""
    read_all(connection)
    for _ in range(20 * LONG):
        connection.sendall(b"s")
        time.sleep(0.05)


def never_end(connection: socket.socket) -> None:
    read_all(connection)
    connection.sendall(b"stream: OK\0")
    time.sleep(LONG)


@pytest.mark.parametrize(
    "answer", [close_at_once, never_read, never_answer, drip, never_end]
)
def test_slow_or_closed_connection_refuses_the_file_in_time(
    answer: Callable[[socket.socket], None],
    stub: Stub,
    owner: HTTPSClient,
    media: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(scan, "SECONDS", 0.4)
    stub(answer)
    started = time.monotonic()
    assert is_unavailable(
        send(owner, b"%PDF-1.7\n" + b"a" * 5 * LIMIT + b"%%EOF"), media
    )
    assert time.monotonic() - started < LONG / 2


def test_answer_after_the_deadline_does_not_count(
    stub: Stub, owner: HTTPSClient, media: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scan, "SECONDS", 0.0)
    stub(lambda connection: connection.sendall(b"stream: OK\0"))
    assert is_unavailable(send(owner, pdf()), media)


def test_log_has_the_error_without_the_file(
    stub: Stub, owner: HTTPSClient, caplog: Any
) -> None:
    def send_answer(connection: socket.socket) -> None:
        read_all(connection)
        connection.sendall(b"stream: \x1b[31m\nforged ERROR\0")

    stub(send_answer)
    send(owner, pdf())
    (record,) = [record for record in caplog.records if record.name == "notes.scan"]
    assert "\n" not in record.getMessage()
    assert "\x1b" not in record.getMessage()
