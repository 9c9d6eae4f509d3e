"""A project with the accounts app, served by four processes behind what stands in for a proxy, and its mail."""

import re
import shutil
import socketserver
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from itertools import count
from typing import Any

import pytest

from tests.baking import ALL_ON, Project
from tests.live import ADMIN, OWNER, PASSWORD, STRANGER, Answer, Site, Visitor, serve

LEAVER = "leaver@example.com"
PEOPLE = f"""
from allauth.account.models import EmailAddress
for email in ("{OWNER}", "{STRANGER}", "{LEAVER}"):
    user = User.objects.create_user(email, "{PASSWORD}")
    EmailAddress.objects.create(user=user, email=email, verified=True, primary=True)
User.objects.create_superuser("{ADMIN}", "{PASSWORD}")
"""
# Every visitor comes from an address of their own; the rest of the network of tests is for attackers.
ADDRESSES = (f"198.51.100.{number}" for number in count(1))


class Mailbox(socketserver.ThreadingTCPServer):
    """A mail server that keeps what it gets."""

    daemon_threads = True

    def __init__(self) -> None:
        """Listen on a free port of this machine."""
        super().__init__(("127.0.0.1", 0), Delivery)
        self.messages: list[EmailMessage] = []

    def last_to(self, address: str) -> EmailMessage:
        """Return the newest mail to an address."""
        return next(message for message in reversed(self.messages) if message["To"] == address)

    def find(self, pattern: str, address: str) -> str:
        """Return what a pattern finds in the text of the newest mail to an address."""
        body: Any = self.last_to(address).get_body(("plain",))
        found = re.search(pattern, body.get_content())
        assert found
        return found[0]

    def code_for(self, address: str) -> str:
        """Return the code in the newest mail to an address."""
        return self.find(r"\b[A-Z]{4}-[A-Z]{4}\b", address)


class Delivery(socketserver.StreamRequestHandler):
    """As much of SMTP as Django speaks."""

    server: Mailbox

    def handle(self) -> None:
        """Take mails until the client leaves."""
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
    """Somebody whose requests come through a proxy."""

    address: str = field(default_factory=lambda: next(ADDRESSES))

    def request(self, method: str, path: str, body: Any = b"", headers: dict[str, str] | None = None) -> Answer:  # noqa: ANN401
        """Send one request with what the proxy adds."""
        proxy = {"X-Forwarded-For": self.address, "X-Forwarded-Proto": "https"}
        return super().request(method, path, body, proxy | (headers or {}))

    def log_in(self, email: str, password: str = PASSWORD) -> Answer:
        """Send the log-in form."""
        return self.post("/accounts/login/", {"login": email, "password": password})

    @property
    def is_logged_in(self) -> bool:
        """Tell whether the site knows this person."""
        return self.get("/photos/mine/").status == 200


@pytest.fixture(scope="session")
def mailbox() -> Iterator[Mailbox]:
    """Return the mail server of the site."""
    with Mailbox() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture(scope="session")
def site(pristine: Project, mailbox: Mailbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Return the project, served for all tests of a process."""
    folder = tmp_path_factory.mktemp("accounts") / "my-secure-site"
    project = shutil.copytree(pristine(ALL_ON | {"cloudinary_moderation": False}), folder)
    changes = {
        "EMAIL_URL": f"smtp://127.0.0.1:{mailbox.server_address[1]}",
        "CHECK_BREACHED_PASSWORDS": "off",
        "TRUSTED_PROXY_COUNT": "1",
        "WEB_CONCURRENCY": "4",
    }
    with serve(project, PEOPLE, **changes) as served:
        yield served
