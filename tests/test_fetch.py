"""URLs that users give lead to public servers alone, and every request ends."""

import socket
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from secure_django import fetch as module
from secure_django.fetch import FetchError, fetch
from secure_django.testing import HANG_SECONDS

HOST = "site.example.com"
PAGE = f"https://{HOST}/page"
PUBLIC = "93.184.215.14"
OK = b"HTTP/1.1 200 OK\r\n"
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n"

type Serve = Callable[..., list[bytes]]


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a file with a key and a certificate of HOST."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, HOST)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), 1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(HOST)]), False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    file = tmp_path_factory.mktemp("tls") / "certificate.pem"
    file.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return file


@pytest.fixture
def serve(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Serve]:
    """Return a function that starts the server of every host.

    The server sends the first part once, and the second part endlessly. The function
    returns the list of what the server has read.
    """
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(HANG_SECONDS)
    # In place of the check of addresses, which would refuse this machine.
    addresses = [(socket.AF_INET, listener.getsockname())]
    monkeypatch.setattr(module, "public_addresses", lambda host, port: addresses)
    module.TLS.load_verify_locations(certificate)

    def answer(parts: tuple[bytes, ...], received: list[bytes]) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        plain, _ = listener.accept()
        # The error shows that fetch() has closed the connection.
        with suppress(OSError), context.wrap_socket(plain, True) as client:
            received.append(client.recv(2**16))
            client.sendall(parts[0])
            for part in parts[1:] * 20 * HANG_SECONDS:
                client.sendall(part)
                time.sleep(0.05)
            if parts[1:]:
                received.append(b"all was sent")

    def start(*parts: bytes) -> list[bytes]:
        received: list[bytes] = []
        Thread(target=answer, args=(parts, received), daemon=True).start()
        return received

    yield start
    listener.close()


def resolve(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> list[str]:
    """Let DNS answer with addresses, and return the list of requested names."""
    resolved_names: list[str] = []

    def getaddrinfo(host: str, port: int, **options: Any) -> list[Any]:
        resolved_names.append(host)
        return [(None, None, None, None, (address, port)) for address in addresses]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return resolved_names


def test_page_of_a_public_host_is_fetched(serve: Serve) -> None:
    received = serve(OK + b"Content-Length: 5\r\n\r\nhello")
    answer = fetch(f"{PAGE}?a=b#c", headers={"User-Agent": "Site"})
    assert (answer.status, answer.content) == (200, b"hello")
    lines = received[0].split(b"\r\n")
    assert lines[0] == b"GET /page?a=b HTTP/1.1"
    assert {f"Host: {HOST}".encode(), b"User-Agent: Site"} < {*lines}


@pytest.mark.control("V1.3.6")
@pytest.mark.parametrize(
    "name",
    [
        "Host",
        "hOST",
        "Host ",
        "Content-Length",
        "content_length",
        "Transfer-Encoding",
        "Connection",
        "Expect",
        "Upgrade",
        "TE",
        "Accept-Encoding",
    ],
)
def test_caller_sets_no_header_that_changes_where_a_request_goes_or_ends(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    resolved_names = resolve(monkeypatch, "192.0.2.1")
    with pytest.raises(ValueError, match="itself: another value could lead"):
        fetch(PAGE, headers={"User-Agent": "Site", name: "internal.example.com"})
    assert not resolved_names


@pytest.mark.control("V1.3.6")
@pytest.mark.parametrize(
    "url",
    [
        "http://site.example.com/",
        "file:///etc/passwd",
        "https://site.example.com:8000/",
        "https://user@site.example.com/",
        "https://site.example.com\\@127.0.0.1/",
        "https://127.0.0.1/",
        "https://2130706433/",
        "https://[::1]/",
        "https://localhost/",
        "https://site.example.com/ HTTP/1.1\r\nX: y",
    ],
)
def test_url_of_another_form_is_refused(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    resolved_names = resolve(monkeypatch, PUBLIC)
    with pytest.raises(FetchError, match="Only URLs like"):
        fetch(url)
    assert resolved_names == []


@pytest.mark.control("V1.3.6")
@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.0.0.1",
        "100.64.0.1",
        "168.63.129.16",
        "169.254.169.254",
        "224.0.0.1",
        "::1",
        "fd00:ec2::254",
        "fe80::1%1",
        "::ffff:10.0.0.1",
        "64:ff9b::a00:1",
        "2002:a00:1::",
        "2001:0:a00:1::",
    ],
)
def test_host_with_an_internal_address_is_refused(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    resolve(monkeypatch, PUBLIC, address)
    with pytest.raises(FetchError, match="no public IP address"):
        fetch(PAGE)


@pytest.mark.control("V1.3.6")
def test_connection_goes_to_the_address_that_was_checked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    resolved_names = resolve(monkeypatch, PUBLIC)
    connected: list[Any] = []

    def connect(addresses: list[Any], end: float) -> None:
        resolve(monkeypatch, "127.0.0.1")  # what DNS would answer now
        connected.extend(address for _, address in addresses)
        raise FetchError

    monkeypatch.setattr(module, "connect", connect)
    with pytest.raises(FetchError):
        fetch(PAGE)
    assert resolved_names == [HOST]
    assert connected == [(PUBLIC, 443)]


@pytest.mark.control("V15.3.2")
def test_redirect_is_not_followed(serve: Serve) -> None:
    received = serve(
        b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\n"
        b"Location: http://169.254.169.254/\r\n\r\n"
    )
    answer = fetch(PAGE)
    assert answer.status == 302
    assert len(received) == 1
    with pytest.raises(FetchError):
        fetch(answer.headers["Location"])


@pytest.mark.control("V12.3.2")
def test_certificate_of_another_host_is_refused(serve: Serve) -> None:
    received = serve(OK + b"\r\n")
    with pytest.raises(FetchError, match="certificate"):
        fetch("https://another.example.com/")
    assert received == []


@pytest.mark.control("V16.5.2")
@pytest.mark.parametrize(
    ("parts", "reason"),
    [
        ((OK, b" "), "in time"),
        ((b"", CONTINUE), "in time"),
        ((OK + b"\r\n", b" "), "in time"),
        ((OK + b"\r\n", bytes(2**20)), "too large"),
        ((OK + CHUNKED + b"-1\r\n", bytes(2**20)), "cannot be read"),
        ((OK + b"Content-Length: 9\r\n\r\nhello",), "cannot be read"),
        ((OK + b"Content-Encoding: gzip\r\n\r\nhello",), "cannot be read"),
    ],
    ids=["headers", "continue", "body", "endless", "chunk", "cut", "compressed"],
)
def test_answer_is_bounded_in_time_and_size(
    parts: tuple[bytes, ...],
    reason: str,
    serve: Serve,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "SECONDS", 1)
    received = serve(*parts)
    with pytest.raises(FetchError, match=reason):
        fetch(PAGE)
    assert b"all was sent" not in received


@pytest.mark.control("V16.5.2")
def test_endless_interim_answers_end_at_the_limit_of_bytes(serve: Serve) -> None:
    received = serve(b"", CONTINUE * 2**15)
    with pytest.raises(FetchError, match="cannot be read"):
        fetch(PAGE, max_bytes=1000)
    assert b"all was sent" not in received
