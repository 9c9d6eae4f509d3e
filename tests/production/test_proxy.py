"""nginx with deploy/site.conf: its logs, the pages it keeps, what fills its disk."""

import json
import re
import shutil
import socket
import ssl
import subprocess
import sys
import threading
import time
from base64 import b64encode
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import trustme

from tests.support.baking import ALL_OFF, RAW, Project, production, run
from tests.support.live import HANG_SECONDS, issue_certificate
from tests.support.proxying import nginx
from tests.support.readme import PACKAGE_DOCS
from tests.support.services import wait_until

pytestmark = [
    pytest.mark.tier("whole"),
    pytest.mark.skipif(
        sys.platform == "win32" or not shutil.which("nginx"),
        reason="nginx is not installed",
    ),
]
POST = "POST {} HTTP/1.1\r\nHost: example.com\r\nContent-Length: {}\r\n\r\nx"
# How long a test looks whether nginx answers a request that it should wait for.
BRIEF = 0.3
GET = "GET {} HTTP/1.1\r\nHost: example.com\r\nConnection: close\r\n\r\n"
CHUNKED = (
    "{} {} HTTP/1.1\r\nHost: example.com\r\n"
    "Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n"
)


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
        connection = context.wrap_socket(
            socket.create_connection((family, self.https), timeout=HANG_SECONDS)
        )
        connection.sendall(request.encode())
        self.connections.append(connection)
        return connection

    @property
    def logs(self) -> str:
        """Return all that nginx has logged."""
        return "".join(
            path.read_text(encoding="utf-8") for path in self.folder.glob("*.log")
        )


def status(connection: ssl.SSLSocket, seconds: float = HANG_SECONDS) -> str:
    """Return the status, or nothing while nginx waits for the rest of the request."""
    connection.settimeout(seconds)
    try:
        return connection.recv(100).decode().partition(" ")[2][:3]
    except TimeoutError:
        return ""


def statuses(connections: list[ssl.SSLSocket], answered: int) -> list[str]:
    """Return the status of each connection once so many are answered."""
    found = [""] * len(connections)

    def read() -> bool:
        for number, connection in enumerate(connections):
            found[number] = found[number] or status(connection, BRIEF)
        return len(found) - found.count("") >= answered

    wait_until(read, "nginx answers too few")
    read()  # no other one is answered
    return found


def receive_page(connection: ssl.SSLSocket) -> bytes:
    """Return an answer to the end of its page; nginx may keep the connection open."""
    answer = b""
    while b"</html>" not in answer:
        part = connection.recv(65536)
        assert part, answer
        answer += part
    return answer


# A file of a team's own in deploy/locations/.
LOCATION = "location = /own-program/ { return 204; }\n"


@pytest.fixture
def proxy(project: Project, tmp_path: Path) -> Iterator[Proxy]:
    """Run nginx with the emitted files: only ports and paths are changed."""
    deploy = project(ALL_OFF) / "deploy"
    (deploy / "locations" / "own.conf").write_text(LOCATION, encoding="utf-8")
    certificate, _ = issue_certificate(tmp_path)
    with nginx(deploy, tmp_path, certificate) as (http, https):
        running = Proxy(http, https, tmp_path)
        yield running
        running.close()


def test_logs_hold_no_tokens_and_no_visitors(proxy: Proxy) -> None:
    assert status(proxy.send(GET.format("/?page=1"))) == "502"
    for path in ("accounts/password/reset/key/1-secret", f"shared/{'secret' * 7}"):
        assert status(proxy.send(GET.format(f"/{path}/"))) == "502"
    with socket.create_connection(("127.0.0.1", proxy.http)) as plain:
        plain.sendall(GET.format("/accounts/password/reset/key/1-secret/").encode())
        assert b"301" in plain.recv(100)
    large = proxy.send(
        POST.format("/accounts/login/?next=query", 1000_000) + "x" * 100_000
    )
    assert status(large, BRIEF) == ""
    assert "connect() to unix:" in proxy.logs, (
        "an operator learns that the site is down"
    )
    assert "secret" not in proxy.logs
    assert "next=query" not in proxy.logs


def test_location_of_ones_own_is_included(proxy: Proxy) -> None:
    assert status(proxy.send(GET.format("/own-program/"))) == "204"
    assert status(proxy.send(GET.format("/own-program/more/"))) == "502"


def test_one_network_can_fill_little_of_the_disk(proxy: Proxy) -> None:
    for family, other in (("127.0.0.1", "::1"), ("::1", "127.0.0.1")):
        large = [
            POST.format("/a/", 15 * 1024**2),
            CHUNKED.format("POST", "/"),
            CHUNKED.format("GET", "/"),
        ]
        sent = [proxy.send(large[number % 3], family) for number in range(25)]
        answers = statuses(sent, 5)
        assert sorted(answers) == [""] * 20 + ["429"] * 5
        assert status(proxy.send(CHUNKED.format("PUT", "/"), family)) == "429"
        assert status(proxy.send(large[0], other), BRIEF) == ""
        # Pages and small forms are not held up.
        assert {status(proxy.send(GET.format("/"), family)) for _ in range(30)} == {
            "502"
        }
        assert status(proxy.send(POST.format("/a/", 999_999), family), BRIEF) == ""
        proxy.close()
    assert "limiting" not in proxy.logs, "the log would name the IP address"


@pytest.fixture
def slow(project: Project, tmp_path: Path) -> Iterator[Proxy]:
    """Run nginx with a rate of a form in a minute, and five more that wait."""
    deploy = project(ALL_OFF) / "deploy"
    text = (deploy / "site.conf").read_text(encoding="utf-8")
    for old, new in (("rate=100r/s", "rate=1r/m"), ("burst=100;", "burst=5;")):
        assert text.count(old) == 1
        text = text.replace(old, new)
    (deploy / "site.conf").write_text(text, encoding="utf-8")
    certificate, _ = issue_certificate(tmp_path)
    with nginx(deploy, tmp_path, certificate) as (http, https):
        running = Proxy(http, https, tmp_path)
        yield running
        running.close()


def test_forms_of_one_network_have_a_ceiling(slow: Proxy) -> None:
    for family in ("127.0.0.1", "::1"):
        paths = ["/accounts/login/", "/photos/upload/"] * 5
        sent = [slow.send(POST.format(path, 1), family) for path in paths]
        answers = statuses(sent, 5)
        assert sorted(answers) == [""] * 5 + ["429"] * 4 + ["502"]
        key = "/accounts/password/reset/key/1-secret/"
        page = receive_page(slow.send(POST.format(key, 1), family))
        assert page.startswith(b"HTTP/1.1 429 ")
        assert page.count(b"\r\nRetry-After: 1\r\n") == 1
        assert b"<h1>Too many requests</h1>" in page
        assert {status(slow.send(GET.format("/"), family)) for _ in range(30)} == {
            "502"
        }
    assert "limiting" not in slow.logs, "the log would name the IP address"


@pytest.mark.parametrize(
    ("ciphers", "is_offered"),
    [
        ("ECDHE-RSA-AES128-GCM-SHA256", True),
        ("ECDHE-RSA-CHACHA20-POLY1305", True),
        ("kRSA", False),
        ("ECDHE+AES+SHA1:ECDHE+AES+SHA256", False),
        ("CAMELLIA:ARIA:AESCCM", False),
    ],
)
def test_nginx_offers_recommended_ciphers_alone(
    ciphers: str,
    is_offered: bool,  # noqa: FBT001
    pristine: Project,
    tmp_path: Path,
) -> None:
    certificate = tmp_path / "rsa.pem"  # only these have ciphers without ECDHE
    issued = trustme.CA().issue_cert("localhost", key_type=trustme.KeyType.RSA)
    issued.private_key_and_cert_chain_pem.write_to_path(certificate)
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(f"{ciphers}:@SECLEVEL=0")
    with (
        nginx(pristine(ALL_OFF) / "deploy", tmp_path, certificate) as (_, https),
        socket.create_connection(("127.0.0.1", https)) as plain,
    ):
        if is_offered:
            context.wrap_socket(plain).close()
            return
        with pytest.raises(ssl.SSLError, match="HANDSHAKE_FAILURE"):
            context.wrap_socket(plain)


def test_requests_that_are_too_large_get_a_page(proxy: Proxy) -> None:
    for path in ("/photos/upload/", "/accounts/login/"):
        assert status(proxy.send(POST.format(path, 26 * 1024**2)), BRIEF) == ""
        answer = receive_page(proxy.send(POST.format(path, 26 * 1024**2 + 1)))
        assert answer.startswith(b"HTTP/1.1 413 ")
        assert b"<h1>Too large</h1>" in answer
        assert answer.count(b"Content-Security-Policy: default-src 'none'") == 1


SITES_HEADERS = """
from django.conf import settings
from django.test import Client
settings.ALLOWED_HOSTS = ["testserver"]
for name, value in Client().get("/missing/", secure=True).headers.items():
    print(name + ": " + value)
"""
OWN = {
    "Content-Type",
    "Content-Security-Policy",
    "Cache-Control",
    "Reporting-Endpoints",
    "Vary",
    "Content-Length",
    "X-Request-ID",
}


def test_pages_of_nginx_have_the_sites_headers(slow: Proxy, pristine: Project) -> None:
    folder = pristine(ALL_OFF)
    shown = run(
        folder,
        sys.executable,
        "manage.py",
        "shell",
        "-v0",
        "--command",
        SITES_HEADERS,
        **production(folder),
    ).splitlines()
    found = {
        line: match[1]
        for line in shown
        if (match := re.match(r"([A-Z][\w-]+): ", line))
    }
    expected = {line for line, header in found.items() if header not in OWN}
    assert len(expected) > 6
    assert "Strict-Transport-Security: max-age=31536000; includeSubDomains" in expected
    large = POST.format("/photos/upload/", 26 * 1024**2 + 1)
    # The seventh form is one too many.
    many = [POST.format("/", 1)] * 7
    for request, first in (
        (large, b"HTTP/1.1 413 "),
        (GET.format("/"), b"HTTP/1.1 502 "),
        (many.pop(), b"HTTP/1.1 429 "),
    ):
        if b" 429 " in first:
            assert [status(slow.send(it), BRIEF) for it in many][1:] == [""] * 5
        answer = receive_page(slow.send(request))
        assert answer.startswith(first)
        lines = answer.partition(b"\r\n\r\n")[0].decode().split("\r\n")
        assert sorted(line for line in lines if line in expected) == sorted(expected)
        assert "Cache-Control: no-store" in lines


def test_refused_request_is_logged_with_its_address_alone(proxy: Proxy) -> None:
    log = proxy.folder / "access.log"
    assert status(proxy.send(GET.format("/?page=1"))) == "502"
    assert log.read_text(encoding="utf-8") == ""
    key = "/accounts/password/reset/key/1-secret/"
    for family in ("127.0.0.1", "::1"):
        receive_page(proxy.send(POST.format(key, 99 * 1024**2), family))
    wait_until(
        lambda: log.read_text(encoding="utf-8").count("\n") == 2,
        "nothing is logged",
    )
    lines = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    assert [(line["event"], line["address"], line["status"]) for line in lines] == [
        ("refused", "127.0.0.1", 413),
        ("refused", "::1", 413),
    ]
    assert "secret" not in log.read_text(encoding="utf-8")


@pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed")
def test_page_of_http_2_has_no_large_body(proxy: Proxy, tmp_path: Path) -> None:
    """In HTTP/2, nginx does not know whether a request without a length has a body."""
    (tmp_path / "body").write_bytes(bytes(1_100_000))
    command = [
        "curl",
        "-k",
        "-s",
        "-o",
        str(tmp_path / "answer"),
        "-w",
        "%{http_version} %{http_code}",
        "--http2",
    ]
    command += [
        "-T",
        str(tmp_path / "body"),
        "-H",
        "Content-Length:",
        f"https://127.0.0.1:{proxy.https}/",
        "-X",
    ]
    for method, answer in (("GET", "2 413"), ("POST", "2 502")):
        done = subprocess.run(
            [*command, method], check=False, capture_output=True, text=True
        )
        assert done.stdout == answer


def test_large_upload_gets_the_page_of_a_site_that_is_down(proxy: Proxy) -> None:
    size = 5 * 1024**2
    connection = proxy.send(POST.format("/photos/upload/", size) + "x" * (size - 1))
    answer = receive_page(connection)
    assert answer.startswith(b"HTTP/1.1 502 ")
    assert b"<h1>The site is not available</h1>" in answer
    assert receive_page(proxy.send(GET.format("/"))).endswith(
        answer.partition(b"\r\n\r\n")[2]
    )


def test_style_of_the_error_pages_is_allowed(template: Path) -> None:
    deploy = template / RAW / "deploy"
    pages = [path.read_text("utf-8") for path in (deploy / "error-pages").iterdir()]
    assert all('<a href="/">To the start page</a>' in page for page in pages)
    styles = {page.split("style>")[1].removesuffix("</") for page in pages}
    digests = {b64encode(sha256(style.encode()).digest()).decode() for style in styles}
    assert digests == set(
        re.findall(
            "style-src 'sha256-(.+?)'", (deploy / "site.conf").read_text("utf-8")
        )
    )


FOR_EVERYONE = {"Cache-Control": "max-age=0, s-maxage=1", "Vary": "Cookie"}
# What a page's headers are, by its path: the first one may be kept.
PAGES = {
    "/page/": FOR_EVERYONE,
    "/languages/": FOR_EVERYONE | {"Vary": "Accept-Language, Cookie"},
    "/everything/": FOR_EVERYONE | {"Vary": "*"},
    "/cookie/": FOR_EVERYONE | {"Set-Cookie": "a=b"},
    "/photos/1/thumbnail/": FOR_EVERYONE,
    "/bare/": {},
    "/public/": {"Cache-Control": "public, max-age=600"},
    "/expires/": {"Expires": "Thu, 01 Jan 2099 00:00:00 GMT"},
    "/accel/": {"X-Accel-Expires": "600"},
    "/accel/private/": {"X-Accel-Expires": "600", "Cache-Control": "private"},
    "/private/": {"Cache-Control": "max-age=0, s-maxage=1, private"},
    "/no-store/": {"Cache-Control": "no-store"},
}


@dataclass
class Keeper:
    """A running nginx, and what reached the site behind it."""

    https: int
    folder: Path
    asked: list[str] = field(default_factory=list)
    gone: set[str] = field(default_factory=set)
    second: int = 0  # for `stopped`

    def get(
        self, path: str, *headers: str, method: str = "GET", host: str = "localhost"
    ) -> tuple[str, Counter[str], str]:
        """Return status, header lines and body."""
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        lines = [
            f"{method} {path} HTTP/1.1",
            f"Host: {host}",
            "Connection: close",
            f"X-Second: {self.second}",
            *headers,
            "",
            "",
        ]
        received = b""
        with (
            socket.create_connection(
                ("127.0.0.1", self.https), timeout=HANG_SECONDS
            ) as plain,
            context.wrap_socket(plain) as connection,
        ):
            connection.sendall("\r\n".join(lines).encode("latin-1"))
            while part := connection.recv(65536):
                received += part
        head, _, body = received.decode("latin-1").partition("\r\n\r\n")
        first, *rest = head.split("\r\n")
        return first[9:12], Counter(rest), body


@pytest.fixture
def keeper(project: Project, tmp_path: Path) -> Iterator[Keeper]:
    deploy = project(ALL_OFF) / "deploy"
    text = (deploy / "site.conf").read_text(encoding="utf-8")
    # On a busy machine, a page takes longer than the others wait for it.
    (deploy / "site.conf").write_text(
        text.replace("lock_timeout 50ms;", f"lock_timeout {HANG_SECONDS}s;"),
        encoding="utf-8",
    )
    with keep(deploy, tmp_path) as found:
        yield found


@pytest.fixture
def stopped(project: Project, tmp_path: Path) -> Iterator[Keeper]:
    """Run nginx with a stopped clock: `second` is the present one."""
    deploy = project(ALL_OFF) / "deploy"
    text = (deploy / "site.conf").read_text(encoding="utf-8")
    for old, new in (
        ("lock_timeout 50ms;", f"lock_timeout {HANG_SECONDS}s;"),
        ('proxy_cache_key "$time_iso8601 ', 'proxy_cache_key "$http_x_second '),
        ("inactive=2s ", "inactive=10m "),
    ):
        assert text.count(old) == 1
        text = text.replace(old, new)
    (deploy / "site.conf").write_text(text, encoding="utf-8")
    with keep(deploy, tmp_path, {"X-Accel-Expires": "600"}) as found:
        yield found


@contextmanager
def keep(
    deploy: Path, folder: Path, added: dict[str, str] | None = None
) -> Iterator[Keeper]:
    """Run nginx in front of a site whose pages repeat the request.

    Each has the `added` headers, too.
    """

    class Site(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found.asked.append(f"{self.command} {self.path}")
            time.sleep(0.01)
            body = (
                f"{len(found.asked)} {self.command} {self.path} at {time.time()}\n"
                f"{self.headers}"
            ).encode()
            self.send_response(
                404 if self.path.partition("?")[0] in found.gone else 200
            )
            headers = PAGES.get(self.path.partition("?")[0], {})
            for name, value in {
                **headers,
                **(added or {}),
                "Content-Length": len(body),
                "X-Request-ID": "the site's",
            }.items():
                self.send_header(name, str(value))
            self.end_headers()
            self.wfile.write(body if self.command != "HEAD" else b"")

        do_HEAD = do_POST = do_OPTIONS = do_PUT = do_GET  # noqa: N815

        def log_message(self, *_: object) -> None:
            pass

    certificate, _ = issue_certificate(folder)
    site = ThreadingHTTPServer(("127.0.0.1", 0), Site)
    threading.Thread(target=site.serve_forever, daemon=True).start()
    with nginx(deploy, folder, certificate, f"127.0.0.1:{site.server_port}") as (
        _,
        https,
    ):
        found = Keeper(https, folder)
        yield found
    site.shutdown()
    site.server_close()


def wait_for_a_second() -> None:
    """Return when a second has begun; one page may answer all requests within it."""
    time.sleep(1.02 - time.time() % 1)


def test_page_for_everyone_is_made_once_a_second(keeper: Keeper) -> None:
    barrier = threading.Barrier(16, wait_for_a_second)

    def ask(_: int) -> list[tuple[str, Counter[str], str]]:
        barrier.wait()
        return [keeper.get("/page/") for _ in range(3)]

    started = time.time()
    with ThreadPoolExecutor(16) as pool:
        answers = [answer for found in pool.map(ask, range(16)) for answer in found]
    # The first request of each second asks the site.
    seconds = int(time.time()) - int(started) + 1
    assert set(keeper.asked) == {"GET /page/"}
    assert len(keeper.asked) <= seconds
    ids = [
        line
        for _, headers, _ in answers
        for line in headers
        if line.startswith("X-Request-ID: ")
    ]
    assert len(set(ids)) == len(ids) == len(answers)
    assert not [it for it in ids if "the site" in it]

    def lines() -> list[dict[str, str]]:
        """Return what nginx has logged."""
        return [
            json.loads(it)
            for it in (keeper.folder / "access.log").read_text("utf-8").splitlines()
        ]

    kept = len(answers) - len(keeper.asked)
    wait_until(
        lambda: len(lines()) == kept, "nginx does not log each page from the cache"
    )
    assert set(lines()[0]) == {
        "time",
        "level",
        "logger",
        "event",
        "request_id",
        "method",
        "status",
        "path",
    }
    assert {f"X-Request-ID: {it['request_id']}" for it in lines()} < set(ids)


def test_static_file_that_the_next_release_lacks_is_still_served(
    keeper: Keeper,
) -> None:
    def get(path: str) -> tuple[str, str]:
        wait_for_a_second()
        wait_for_a_second()
        status, headers, body = keeper.get(path)
        assert "X-Request-ID: the site's" not in headers
        return status, body

    first, second = get("/static/site.css"), get("/static/site.css")
    assert first != second, "the site is asked"
    keeper.get("/page/")
    keeper.gone |= {"/static/site.css", "/static/other.css", "/page/"}
    assert get("/static/site.css") == second
    assert keeper.get("/static/site.css?another=query")[2] == second[1]
    assert get("/static/other.css")[0] == get("/page/")[0] == "404"


@pytest.mark.parametrize("path", list(PAGES)[2:])
def test_nothing_else_is_kept(path: str, keeper: Keeper) -> None:
    wait_for_a_second()
    bodies = [keeper.get(path)[2] for _ in range(3)]
    assert len(set(bodies)) == len(keeper.asked) == 3


@pytest.mark.parametrize(
    ("path", "headers", "method", "host"),
    [
        ("/page/", ["Cookie: a=b"], "GET", "localhost"),
        ("/page/", ["Cookie: ", "Cookie: a=b"], "GET", "localhost"),
        ("/page/", ["Cookie: a=b"], "HEAD", "localhost"),
        ("/page/", ["Authorization: Basic YTpi"], "GET", "localhost"),
        ("/page/?a=1", [], "GET", "localhost"),
        ("/page/?a=1", [], "HEAD", "localhost"),
        ("/page/", [], "OPTIONS", "localhost"),
        ("/page/", ["Content-Length: 0"], "POST", "localhost"),
        ("/page/", ["Content-Length: 0"], "PUT", "localhost"),
        ("/page/", ["Content-Length: 1", "", "x"], "GET", "localhost"),
        (
            "/page/",
            ["Transfer-Encoding: chunked", "", "1", "x", "0", ""],
            "GET",
            "localhost",
        ),
        ("/page/", [], "GET", "evil.example"),
        ("https://evil.example/page/", [], "GET", "localhost"),
        ("//page/", [], "GET", "localhost"),
        ("/%70age/", [], "GET", "localhost"),
        ("/%2e/page/", [], "GET", "localhost"),
        ("/a/../page/", [], "GET", "localhost"),
        ("/page/%3Fa=1", [], "GET", "localhost"),
    ],
)
def test_unusual_request_neither_leaves_nor_gets_a_page(
    path: str, headers: list[str], method: str, host: str, stopped: Keeper
) -> None:
    stopped.get(path, *headers, method=method, host=host)
    _, _, kept = stopped.get("/page/")
    assert re.match(r"2 GET /page/ at [\d.]+\nHost: localhost\n", kept)
    assert stopped.get("/page/")[2] == kept
    stopped.get(path, *headers, method=method, host=host)
    assert stopped.get("/page/")[2] == kept
    assert len(stopped.asked) == (
        3 if headers or method != "GET" or "?" in path else len(stopped.asked)
    )


def test_languages_have_pages_of_their_own(stopped: Keeper) -> None:
    for _ in range(3):
        for language in ("de", "en", "en;q=0.1, de"):
            assert (
                f"Accept-Language: {language}\n"
                in stopped.get("/languages/", f"Accept-Language: {language}")[2]
            )


def test_head_and_range_leave_a_whole_page(stopped: Keeper) -> None:
    for number, (method, header) in enumerate(
        (("HEAD", "A: b"), ("GET", "Range: bytes=0-3"), ("GET", "If-None-Match: *"))
    ):
        stopped.second = number
        stopped.get("/page/", header, method=method)
        answer, headers, body = stopped.get("/page/")
        assert answer == "200"
        assert body.startswith(f"{number + 1} GET /page/")
        assert headers[f"Content-Length: {len(body)}"] == 1
        answer, headers, nothing = stopped.get("/page/", method="HEAD")
        assert (answer, nothing, headers[f"Content-Length: {len(body)}"]) == (
            "200",
            "",
            1,
        )


@pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed")
def test_page_is_kept_for_http_2_too(stopped: Keeper) -> None:
    for option in ("--head", "--http1.1", "--head", "--http1.1"):
        command = [
            "curl",
            "--insecure",
            "--silent",
            "--http2",
            option,
            "-H",
            "Host: localhost",
        ]
        done = subprocess.run(
            [*command, f"https://127.0.0.1:{stopped.https}/page/"],
            check=True,
            capture_output=True,
            text=True,
        )
        assert ("HTTP/2 200" in done.stdout) is (option == "--head")
    assert stopped.asked == ["GET /page/"]


@pytest.mark.parametrize(
    ("balancer", "client"),
    [("127.0.0.0/8", "203.0.113.9"), ("10.0.0.0/24", "127.0.0.1")],
)
def test_load_balancer_alone_says_who_the_client_is(
    balancer: str, client: str, project: Project, tmp_path: Path
) -> None:
    root = project(ALL_OFF)
    document = (PACKAGE_DOCS / "several-machines.md").read_text(encoding="utf-8")
    found = re.search(
        "^cat > /etc/nginx/conf.d/balancer.conf <<END\n(.+?)^END$",
        document,
        re.DOTALL | re.MULTILINE,
    )
    assert found, "the document has no such block"
    with (root / "deploy" / "site.conf").open("a", encoding="utf-8") as file:
        file.write(found[1].replace("10.0.0.0/24", balancer))
    with keep(root / "deploy", tmp_path) as site:
        status, _, body = site.get(
            "/health/ready/",
            "X-Forwarded-For: 198.51.100.6, 203.0.113.9",
            host="10.0.0.5",
        )
    assert status == "200"
    assert "\nHost: 10.0.0.5\n" in body
    assert re.findall("\nX-Forwarded-For: (.+)", body) == [client]
    assert "\nX-Forwarded-Proto: https\n" in body
