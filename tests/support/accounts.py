"""A mail server, and visitors whose requests come through a proxy."""

import re
import socketserver
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from itertools import count
from typing import Any
from urllib.parse import urlencode

from tests.support.live import ADMIN, OTHER_USER, OWNER, PASSWORD, Response, Visitor
from tests.support.services import wait_until

LEAVER = "leaver@example.com"
CREATE_USERS = f"""
from allauth.account.models import EmailAddress
for email in ("{OWNER}", "{OTHER_USER}", "{LEAVER}"):
    user = User.objects.create_user(email, "{PASSWORD}")
    EmailAddress.objects.create(user=user, email=email, verified=True, primary=True)
User.objects.create_superuser("{ADMIN}", "{PASSWORD}")
"""
# Every visitor has an IP address of its own; attackers have those of the other test
# networks (RFC 5737).
IP_ADDRESSES = (f"198.51.100.{number}" for number in count(1))


def plain_text(message: EmailMessage) -> str:
    """Return the plain text of a message."""
    body: Any = message.get_body(("plain",))
    return str(body.get_content())


class Mailbox(socketserver.ThreadingTCPServer):
    """An SMTP server that keeps its messages and takes `delay` seconds for each."""

    daemon_threads = True

    def __init__(self, delay: float = 0) -> None:
        """Listen on a free local port."""
        super().__init__(("127.0.0.1", 0), Delivery)
        self.delay = delay
        self.messages: list[EmailMessage] = []

    def last_to(self, email: str, pattern: str = "") -> EmailMessage:
        """Wait for a message whose plain text contains a pattern; return the newest."""

        def find_all() -> list[EmailMessage]:
            return [
                message
                for message in list(self.messages)
                if message["To"] == email and re.search(pattern, plain_text(message))
            ]

        wait_until(find_all, f"no message to {email} contains {pattern}")
        return find_all()[-1]

    def find(self, pattern: str, email: str) -> str:
        """Return a pattern's first match in the newest message that contains it."""
        found = re.search(pattern, plain_text(self.last_to(email, pattern)))
        assert found, f"the email has no {pattern}"
        return found[0]

    def code_for(self, email: str) -> str:
        """Return the code in the newest message to a recipient."""
        return self.find(r"\b[A-Z]{4}-[A-Z]{4}\b", email)


class Delivery(socketserver.StreamRequestHandler):
    """The part of SMTP that Django uses."""

    server: Mailbox

    def handle(self) -> None:
        """Receive messages until the client disconnects."""
        self.wfile.write(b"220 localhost\r\n")
        for line in self.rfile:
            command = line[:4].upper()
            if command == b"DATA":
                self.wfile.write(b"354 go on\r\n")
                content = b"".join(iter(self.rfile.readline, b".\r\n"))
                time.sleep(self.server.delay)
                time.sleep(self.server.delay)
                self.server.messages.append(
                    message_from_bytes(content, policy=policy.default)
                )
            self.wfile.write(b"221 bye\r\n" if command == b"QUIT" else b"250 ok\r\n")


@dataclass
class Person(Visitor):
    """A visitor whose requests come through a proxy."""

    ip_address: str = field(default_factory=lambda: next(IP_ADDRESSES))

    def request(
        self,
        method: str,
        path: str,
        body: Any = b"",  # noqa: ANN401
        headers: dict[str, str] | None = None,
    ) -> Response:
        """Send a request with the headers that the proxy adds."""
        proxy = {"X-Forwarded-For": self.ip_address, "X-Forwarded-Proto": "https"}
        return super().request(method, path, body, proxy | (headers or {}))

    def prepare(self, page: str, fields: dict[str, str]) -> Callable[[], Response]:
        """Open a page, and return a function that sends its form."""
        body = urlencode({"csrfmiddlewaretoken": self.token(page)} | fields).encode()
        return lambda: self.request(
            "POST", page, body, {"Content-Type": "application/x-www-form-urlencoded"}
        )

    def log_in(self, email: str, password: str = PASSWORD) -> Response:
        """Send the log-in form."""
        return self.post("/accounts/login/", {"login": email, "password": password})

    @property
    def is_logged_in(self) -> bool:
        """Tell whether a page that requires a log-in opens."""
        return self.get("/photos/mine/").status == 200


def send_parallel(requests: Sequence[Callable[[], Response]]) -> list[Response]:
    """Send prepared requests at the same time."""
    with ThreadPoolExecutor(25) as pool:
        return list(pool.map(lambda send: send(), requests))


def count_checked(responses: list[Response]) -> int:
    """Return how many log-ins had their password checked, so were not blocked."""
    blocked = [
        it
        for it in responses
        if "Too many failed login attempts" in it.text or it.status == 429
    ]
    checked = [it for it in responses if "are not correct" in it.text]
    assert len(blocked) + len(checked) == len(responses)
    return len(checked)
