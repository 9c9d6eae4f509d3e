"""Thousands of odd requests to generated projects, by tests/web/test_fuzz.py.

None of them fails, lacks a header or writes a malformed log line.
"""

import json
import re
import shutil
import socket

import pytest

from tests.support.baking import ALL_OFF, ALL_ON, RAW, ROOT, Answers, Project, name
from tests.support.live import HANG_SECONDS, Site
from tests.support.suite import run_tests

pytestmark = pytest.mark.tier("scheduled", "src/secure_django/*", f"{RAW}/*.py")

FUZZ = ROOT / "tests" / "web" / "test_fuzz.py"


@pytest.mark.parametrize("answers", [ALL_ON, ALL_OFF], ids=name)
def test_odd_requests_neither_fail_nor_lack_headers(
    answers: Answers, project: Project
) -> None:
    folder = project(answers)
    shutil.copy(FUZZ, folder / "tests")
    options = ("-s", "--show-capture=no", "tests/test_fuzz.py")
    report = run_tests(folder, "-o", "markers=tier(name): when it runs", *options)
    assert int(report.partition(" requests in ")[0].split()[-1]) > 1500


HEAD = b"Host: localhost\r\nConnection: close\r\nContent-Length: 7\r\n"
CONTENT_TYPES = [
    b"a/b; charset=" + charset
    for charset in (b"utf-16", b"rot13", b"zlib_codec", b"undefined", b"\xe9")
]
CONTENT_TYPES += [
    b"a/b; charset*=unknown''x",
    b"a/b; charset*=utf-8''%00",
    b"a/b; charset*=utf-16''%00%d8",
]
PATHS = [
    b"/",
    b"/accounts/login/",
    b"/admin/",
    b"/missing/",
    b"/static/site.css",
    b"/?page=%ff",
    b"/%00/",
    b"/%e9/",
]
MALFORMED = [
    b"nonsense\r\n\r\n",
    b"GET\r\n\r\n",
    b"GET / HTTP/9.9\r\n\r\n",
    b"\x16\x03\x01" * 200 + b"\r\n\r\n",
]
MALFORMED += [
    b"GET /" + b"a" * 5000 + b" HTTP/1.1\r\n\r\n",
    b"GET / HTTP/1.1\r\nX: " + b"\r\n" * 9 + b"a" * 9000 + b"\r\n\r\n",
]


def exchange(site: Site, request: bytes) -> bytes:
    """Send raw bytes to the server over TLS, and return its whole answer."""
    address = ("localhost", site.port)
    connection = socket.create_connection(address, timeout=HANG_SECONDS)
    with site.tls.wrap_socket(connection, server_hostname="localhost") as stream:
        stream.sendall(request)
        received = b""
        while chunk := stream.recv(65536):
            received += chunk
    return received


def test_raw_requests_get_a_designed_page_and_json_log_lines(site: Site) -> None:
    start = site.log.stat().st_size
    for method in (b"GET", b"POST"):
        for path in PATHS:
            for content_type in CONTENT_TYPES:
                head = (
                    method
                    + b" "
                    + path
                    + b" HTTP/1.1\r\nContent-Type: "
                    + content_type
                    + b"\r\n"
                    + HEAD
                )
                answer = exchange(site, head + b"\r\na=%ff&b")
                assert answer.startswith(b"HTTP/1.1 400 "), (path, content_type)
                assert b"<h1>Bad request</h1>" in answer
                for header in (
                    b"Content-Security-Policy",
                    b"Strict-Transport-Security",
                    b"X-Content-Type-Options",
                ):
                    assert b"\r\n" + header + b": " in answer
    for request in MALFORMED:
        assert re.match(rb"HTTP/1\.1 4\d\d ", exchange(site, request)), request
    written = site.log.read_text(encoding="utf-8")[start:].splitlines()
    assert len(written) >= len(PATHS) * len(CONTENT_TYPES)
    for line in written:
        assert isinstance(json.loads(line), dict)
        assert len(line) < 5000
