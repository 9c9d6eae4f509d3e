"""A mail server, and visitors whose requests come through a proxy."""

import re
import socketserver
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from itertools import count
from typing import Any

from tests.support.live import ADMIN, OTHER_USER, OWNER, PASSWORD, Response, Visitor

LEAVER = "leaver@example.com"
CREATE_USERS = f"""
from allauth.account.models import EmailAddress
for email in ("{OWNER}", "{OTHER_USER}", "{LEAVER}"):
    user = User.objects.create_user(email, "{PASSWORD}")
    EmailAddress.objects.create(user=user, email=email, verified=True, primary=True)
User.objects.create_superuser("{ADMIN}", "{PASSWORD}")
"""
# Every visitor has an IP address of its own; the other test networks (RFC 5737) are for attackers.
IP_ADDRESSES = (f"198.51.100.{number}" for number in count(1))


class Mailbox(socketserver.ThreadingTCPServer):
    """An SMTP server that keeps the messages it receives."""

    daemon_threads = True

    def __init__(self) -> None:
        """Listen on a free local port."""
        super().__init__(("127.0.0.1", 0), Delivery)
        self.messages: list[EmailMessage] = []

    def last_to(self, email: str) -> EmailMessage:
        """Return the newest message to a recipient."""
        return next(message for message in reversed(self.messages) if message["To"] == email)

    def find(self, pattern: str, email: str) -> str:
        """Return the first match of a pattern in the plain text of the newest message to a recipient."""
        body: Any = self.last_to(email).get_body(("plain",))
        found = re.search(pattern, body.get_content())
        assert found
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
                self.server.messages.append(message_from_bytes(content, policy=policy.default))
            self.wfile.write(b"221 bye\r\n" if command == b"QUIT" else b"250 ok\r\n")


@dataclass
class Person(Visitor):
    """A visitor whose requests come through a proxy."""

    ip_address: str = field(default_factory=lambda: next(IP_ADDRESSES))

    def request(self, method: str, path: str, body: Any = b"", headers: dict[str, str] | None = None) -> Response:  # noqa: ANN401
        """Send a request with the headers that the proxy adds."""
        proxy = {"X-Forwarded-For": self.ip_address, "X-Forwarded-Proto": "https"}
        return super().request(method, path, body, proxy | (headers or {}))

    def log_in(self, email: str, password: str = PASSWORD) -> Response:
        """Send the log-in form."""
        return self.post("/accounts/login/", {"login": email, "password": password})

    @property
    def is_logged_in(self) -> bool:
        """Tell whether a page that requires a log-in opens."""
        return self.get("/photos/mine/").status == 200
