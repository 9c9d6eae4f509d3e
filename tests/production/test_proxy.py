"""nginx with deploy/site.conf: what its logs hold, and how much of its disk one client can fill."""

import re
import shutil
import socket
import ssl
import subprocess
import sys
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

import pytest

from tests.support.baking import ALL_OFF, RAW, Project
from tests.support.live import issue_certificate
from tests.support.proxying import nginx

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform == "win32" or not shutil.which("nginx"), reason="nginx is not installed"),
]
POST = "POST {} HTTP/1.1\r\nHost: example.com\r\nContent-Length: {}\r\n\r\nx"
GET = "GET {} HTTP/1.1\r\nHost: example.com\r\nConnection: close\r\n\r\n"
CHUNKED = "{} {} HTTP/1.1\r\nHost: example.com\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n"


@dataclass
class Proxy:
    """A running nginx whose site is down."""

    http: int
    https: int
    folder: Path
    connections: list[ssl.SSLSocket] = field(default_factory=list)

    def close(self) -> None:
        """Close all connections."""
        while self.connections:
            self.connections.pop().close()

    def send(self, request: str, family: str = "127.0.0.1") -> ssl.SSLSocket:
        """Send the begin of a request by HTTPS."""
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        connection = context.wrap_socket(socket.create_connection((family, self.https), timeout=10))
        connection.sendall(request.encode())
        self.connections.append(connection)
        return connection

    @property
    def logs(self) -> str:
        """Return all that nginx has logged."""
        return "".join(path.read_text(encoding="utf-8") for path in self.folder.glob("*.log"))


def status(connection: ssl.SSLSocket) -> str:
    """Return the status of the answer, or nothing while nginx waits for the rest of the request."""
    connection.settimeout(0.3)
    try:
        return connection.recv(100).decode().partition(" ")[2][:3]
    except TimeoutError:
        return ""


def receive_page(connection: ssl.SSLSocket) -> bytes:
    """Return an answer up to the end of its page; nginx may keep the connection open."""
    answer = b""
    while b"</html>" not in answer:
        part = connection.recv(65536)
        assert part, answer
        answer += part
    return answer


@pytest.fixture
def proxy(project: Project, tmp_path: Path) -> Iterator[Proxy]:
    """Run nginx with the emitted files: only ports and paths are changed."""
    deploy = project(ALL_OFF) / "deploy"
    certificate, _ = issue_certificate(tmp_path)
    with nginx(deploy, tmp_path, certificate) as (http, https):
        running = Proxy(http, https, tmp_path)
        yield running
        running.close()


def test_logs_hold_no_reset_links_and_no_visitors(proxy: Proxy) -> None:
    assert status(proxy.send(GET.format("/?page=1"))) == "502"
    assert status(proxy.send(GET.format("/accounts/password/reset/key/1-secret/"))) == "502"
    with socket.create_connection(("127.0.0.1", proxy.http)) as plain:
        plain.sendall(GET.format("/accounts/password/reset/key/1-secret/").encode())
        assert b"301" in plain.recv(100)
    large = proxy.send(POST.format("/accounts/login/?next=query", 1000_000) + "x" * 100_000)
    assert status(large) == ""
    assert "connect() to unix:" in proxy.logs, "an operator learns that the site is down"
    assert "secret" not in proxy.logs
    assert "next=query" not in proxy.logs


def test_one_network_can_fill_little_of_the_disk(proxy: Proxy) -> None:
    for family, other in (("127.0.0.1", "::1"), ("::1", "127.0.0.1")):
        large = [POST.format("/a/", 15 * 1024**2), CHUNKED.format("POST", "/"), CHUNKED.format("GET", "/")]
        answers = [status(proxy.send(large[number % 3], family)) for number in range(25)]
        assert sorted(answers) == [""] * 20 + ["429"] * 5
        assert status(proxy.send(CHUNKED.format("PUT", "/"), family)) == "429"
        assert status(proxy.send(large[0], other)) == ""
        # Pages and small forms are not held up.
        assert {status(proxy.send(GET.format("/"), family)) for _ in range(30)} == {"502"}
        assert status(proxy.send(POST.format("/a/", 999_999), family)) == ""
        proxy.close()
    assert "limiting" not in proxy.logs, "the log would name the IP address"


def test_requests_that_are_too_large_get_a_page(proxy: Proxy) -> None:
    for path in ("/photos/upload/", "/accounts/login/"):
        assert status(proxy.send(POST.format(path, 26 * 1024**2))) == ""
        answer = receive_page(proxy.send(POST.format(path, 26 * 1024**2 + 1)))
        assert answer.startswith(b"HTTP/1.1 413 ")
        assert b"<h1>Too large</h1>" in answer
        assert answer.count(b"Content-Security-Policy: default-src 'none'") == 1


@pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed")
def test_page_of_http_2_has_no_large_body(proxy: Proxy, tmp_path: Path) -> None:
    """In HTTP/2, nginx does not know whether a request without a length has a body."""
    (tmp_path / "body").write_bytes(bytes(1_100_000))
    command = ["curl", "-k", "-s", "-o", str(tmp_path / "answer"), "-w", "%{http_version} %{http_code}", "--http2"]
    command += ["-T", str(tmp_path / "body"), "-H", "Content-Length:", f"https://127.0.0.1:{proxy.https}/", "-X"]
    for method, answer in (("GET", "2 413"), ("POST", "2 502")):
        done = subprocess.run([*command, method], check=False, capture_output=True, text=True)
        assert done.stdout == answer


def test_large_upload_gets_the_page_of_a_site_that_is_down(proxy: Proxy) -> None:
    size = 5 * 1024**2
    connection = proxy.send(POST.format("/photos/upload/", size) + "x" * (size - 1))
    answer = receive_page(connection)
    assert answer.startswith(b"HTTP/1.1 502 ")
    assert b"<h1>The site is not available</h1>" in answer
    assert receive_page(proxy.send(GET.format("/"))).endswith(answer.partition(b"\r\n\r\n")[2])


def test_style_of_the_error_pages_is_allowed(template: Path) -> None:
    deploy = template / RAW / "deploy"
    pages = [path.read_text("utf-8") for path in (deploy / "error-pages").iterdir()]
    styles = {page.split("style>")[1].removesuffix("</") for page in pages}
    digests = {b64encode(sha256(style.encode()).digest()).decode() for style in styles}
    assert digests == set(re.findall("style-src 'sha256-(.+?)'", (deploy / "site.conf").read_text("utf-8")))
