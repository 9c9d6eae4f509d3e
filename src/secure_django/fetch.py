"""Requests to URLs that a user gave, such as a webhook or a page to preview.

They use HTTPS, go only to public IP addresses, and have a time limit. Call fetch() in a
job: a page would wait for another site's server.
"""

import re
import socket
import ssl
import time
from collections.abc import Collection, Mapping
from contextlib import suppress
from email.message import Message
from http.client import (
    HTTPException,
    HTTPSConnection,  # noqa: TID251  # bounded and checked here
)
from io import BufferedReader, RawIOBase
from ipaddress import ip_address, ip_network
from queue import Empty, Queue
from threading import Thread
from typing import Any, NamedTuple

from django.utils.translation import gettext as _

__all__ = ["FetchError", "fetch"]

SECONDS = 10  # for a whole request, from the name of the host to the last byte
CONNECT_SECONDS = 3  # for each IP address of a host: several may not answer
MAX_BYTES = 1024**2  # of a body
MAX_HEADER_BYTES = 64 * 1024
MAX_LENGTH = 2048  # of a URL
# What only this module sets: the host that was checked, where a request ends, how long
# a connection lasts, and the form of the answer. Another value could lead to another
# site of the same server, or smuggle a second request (RFC 9110, section 7.6).
OWN_HEADERS = {
    "accept-encoding",
    "connection",
    "content-length",
    "expect",
    "host",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
}
TLS = ssl.create_default_context()
# HTTPS only: the certificate proves that the server belongs to the host. The host's
# name ends in letters, so it is no IP address in any notation.
URL = re.compile(
    r"""
    https://
    (?P<host>
        (?: [a-z0-9] (?: [a-z0-9-]{0,61} [a-z0-9] )? \. )+
        [a-z] [a-z0-9-]{0,61} [a-z0-9]
    )
    (?: : (?P<port> [0-9]{1,5} ) )?
    (?P<target> [/?] [\w.~:/?@!$&'()*+,;=%\[\]-]* )?
    (?: \# [\w.~:/?@!$&'()*+,;=%\[\]-]* )?
    """,
    re.ASCII | re.IGNORECASE | re.VERBOSE,
)
IPV6_UNICAST = ip_network("2000::/3")
# Networks that Python calls global, although they lead to a cloud's own services or
# tunnel to other addresses: Azure's metadata, relays to 6to4, Teredo and others, 6to4.
NOT_PUBLIC = [
    ip_network(network)
    for network in ("168.63.129.16", "192.88.99.0/24", "2001::/23", "2002::/16")
]


class FetchError(Exception):
    """Why a URL was not fetched, in one sentence for whoever gave it."""


type Address = tuple[Any, Any]  # the family, and the argument of connect()


class Target(NamedTuple):
    host: str
    port: int
    path: str  # with the query


class Answer(NamedTuple):
    status: int  # a redirect too: fetch() its Location, which is checked like any URL
    headers: Message
    content: bytes


class BoundedSocket(RawIOBase):
    """A socket for http.client with a deadline and a limit of received bytes.

    A timeout alone would start again with each byte.
    """

    def __init__(self, connection: Any, end: float, max_bytes: int) -> None:
        self.connection = connection
        self.end = end
        self.bytes_left = max_bytes

    def in_time(self) -> Any:
        self.connection.settimeout(seconds_left(self.end))
        return self.connection

    def sendall(self, content: bytes) -> None:
        # One TLS record at a time: the timeout applies to each call.
        for start in range(0, len(content), 2**14):
            self.in_time().sendall(content[start : start + 2**14])

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        # At the limit, the answer looks truncated. Without the limit, http.client would
        # read a chunk of length -1 to its end.
        allowed = memoryview(buffer)[: self.bytes_left]
        received = int(self.in_time().recv_into(allowed))
        self.bytes_left -= received
        return received

    def makefile(self, mode: str) -> BufferedReader:
        return BufferedReader(self)

    def close(self) -> None:
        """Do nothing: http.client closes the socket before the answer is read."""


def fetch(
    url: str,
    *,
    method: str = "GET",
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
    max_bytes: int = MAX_BYTES,
    ports: Collection[int] = (443,),
) -> Answer:
    """Return the answer of a URL, or raise FetchError.

    Raise ValueError for a header that only this function may set, such as Host.
    http.client follows no redirect, reads no proxy from the environment and
    decompresses nothing.
    """
    check_headers(headers or {})
    end = time.monotonic() + SECONDS
    host, port, path = split_url(url, ports)
    sent_headers = {
        **(headers or {}),
        "Accept-Encoding": "identity",
        "Connection": "close",
    }
    connection = HTTPSConnection(host, port, context=TLS)
    plain = connect(public_addresses(host, port), end)
    try:
        with TLS.wrap_socket(plain, server_hostname=host) as encrypted:
            # Chunked encoding adds bytes to the content.
            max_received_bytes = MAX_HEADER_BYTES + 2 * max_bytes
            connection.sock = BoundedSocket(encrypted, end, max_received_bytes)
            connection.request(method, path, body, sent_headers)
            response = connection.getresponse()
            content = response.read(max_bytes + 1)
    except ssl.SSLCertVerificationError:
        raise FetchError(_("The certificate of this URL is not valid.")) from None
    except TimeoutError:
        raise FetchError(_("The host of this URL does not answer in time.")) from None
    except (HTTPException, OSError, ValueError):
        # ValueError: a negative length. The errors quote the answer, so drop them.
        raise FetchError(_("The answer of this URL cannot be read.")) from None
    if len(content) > max_bytes:
        raise FetchError(_("The answer of this URL is too large."))
    if response.length or response.headers["Content-Encoding"]:
        # Truncated, or compressed: a small body may decompress to a very large one.
        raise FetchError(_("The answer of this URL cannot be read."))
    return Answer(response.status, response.headers, content)


def check_headers(headers: Mapping[str, str]) -> None:
    """Refuse a header that would lead the request elsewhere, or split it."""
    for name in headers:
        # Servers may ignore spaces around a name, and take _ for a hyphen.
        if name.strip().lower().replace("_", "-") in OWN_HEADERS:
            raise ValueError(
                f"fetch() sets {name!r} itself: another value could lead the request"
                " to another site, or split it."
            )


def split_url(url: str, ports: Collection[int] = (443,)) -> Target:
    """Return the parts of a URL. Forms call it before they store one."""
    match = URL.fullmatch(url) if len(url) <= MAX_LENGTH else None
    if not match or int(match["port"] or 443) not in ports:
        raise FetchError(_("Only URLs like https://example.com/page are allowed."))
    port = int(match["port"] or 443)
    path = match["target"] or "/"
    if path.startswith("?"):
        path = f"/{path}"
    return Target(match["host"].lower(), port, path)


def public_addresses(host: str, port: int) -> list[Address]:
    """Return the addresses that DNS has for a host, if all of them are public.

    The name is resolved once: a second answer may differ (DNS rebinding). A thread
    resolves the name, since the system's resolver has no time limit.
    """
    answers: Queue[list[Address]] = Queue()

    def resolve() -> None:
        resolved = []
        with suppress(OSError, UnicodeError):
            entries = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            resolved = [(family, address) for family, *_, address in entries]
        answers.put(resolved)

    Thread(target=resolve, daemon=True).start()
    try:
        addresses = answers.get(timeout=SECONDS)
    except Empty:
        addresses = []
    ips = [address[0] for _, address in addresses]
    # One sentence for all reasons: it must not tell which internal names exist.
    if not ips or not all(map(is_public, ips)):
        raise FetchError(_("The host of this URL has no public IP address."))
    return addresses


def is_public(address: str) -> bool:
    """Return whether an IP address is public and unicast."""
    ip = ip_address(address)
    if ip.version == 6 and ip not in IPV6_UNICAST:
        return False
    if any(ip in network for network in NOT_PUBLIC):
        return False
    return ip.is_global and not ip.is_multicast


def connect(addresses: list[Address], end: float) -> socket.socket:
    """Connect to the first address that answers."""
    for family, address in addresses:
        plain = socket.socket(family)
        with suppress(OSError):
            plain.settimeout(min(CONNECT_SECONDS, seconds_left(end)))
            plain.connect(address)
            plain.settimeout(seconds_left(end))  # of the TLS handshake
            return plain
        plain.close()
    raise FetchError(_("The host of this URL does not answer in time."))


def seconds_left(end: float) -> float:
    """Return the rest of the time, or raise TimeoutError."""
    seconds = end - time.monotonic()
    if seconds <= 0:
        raise TimeoutError
    return seconds
