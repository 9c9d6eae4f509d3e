"""Local servers with the documented interfaces of two providers of emails.

Postmark: https://postmarkapp.com/developer/api/email-api and …/webhooks/bounce-webhook.
Mailgun: https://documentation.mailgun.com/docs/mailgun/api-reference/send/mailgun, and
…/user-manual/webhooks.
"""

import base64
import email
import hashlib
import hmac
import json
import time
from email import policy
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any, NamedTuple, Self
from urllib.parse import parse_qs

TOKEN = "0f1e2d3c-server-token"
KEY = "key-0f1e2d3c"
DOMAIN = "mg.example.com"
SECRET = "0123456789abcdef0123456789abcdef"
POSTMARK_FIELDS = {
    *("From", "To", "Cc", "Bcc", "Subject", "TextBody", "HtmlBody", "ReplyTo"),
    *("Headers", "Attachments", "MessageStream", "TrackLinks", "TrackOpens"),
}


class Answer(NamedTuple):
    status: int
    content: Any


class Sent(NamedTuple):
    """An email as a provider takes it, in the words of this test."""

    to: str
    subject: str
    text: str
    html: str
    reply_to: str
    headers: dict[str, str]
    files: list[tuple[str, bytes, bool]]  # the name, the content, whether it is inline
    cc: str
    bcc: str
    is_tracked: bool  # whether links lead to the provider first


class Stub(ThreadingHTTPServer):
    """Take emails, and answer each of the next requests by one of `answers`."""

    daemon_threads = True
    name = ""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.sent: list[Sent] = []
        self.requests: list[str] = []
        self.answers: list[Answer] = []

    def __enter__(self) -> Self:
        Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *args: object) -> None:
        self.shutdown()
        self.server_close()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def options(self) -> dict[str, str]:
        """Return what leads Anymail to this server."""
        raise NotImplementedError

    def take(self, path: str, headers: Any, body: bytes) -> Answer:
        """Return the provider's answer to an email."""
        raise NotImplementedError


class Handler(BaseHTTPRequestHandler):
    server: Stub

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.requests.append(self.path)
        answer = self.server.take(self.path, self.headers, body)
        if self.server.answers:
            answer = self.server.answers.pop(0)
        content = json.dumps(answer.content).encode()
        self.send_response(answer.status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *args: object) -> None:
        pass


class Postmark(Stub):
    name = "postmark"
    url = f"postmark://{TOKEN}"
    # What it answers to an address that it has deactivated.
    refusal = Answer(
        422,
        {
            "ErrorCode": 406,
            "Message": "You tried to send to recipient(s) that have been marked as"
            " inactive. Found inactive addresses: owner@example.com. Inactive"
            " recipients are ones that have generated a hard bounce, a spam complaint,"
            " or a manual suppression.",
        },
    )

    def options(self) -> dict[str, str]:
        return {"api_url": self.address}

    def take(self, path: str, headers: Any, body: bytes) -> Answer:
        assert path in {"/email", "/email/batch"}
        assert headers["Content-Type"] == headers["Accept"] == "application/json"
        if headers["X-Postmark-Server-Token"] != TOKEN:
            return Answer(401, {"ErrorCode": 10, "Message": "No Account or Server"})
        if self.answers and self.answers[0].status >= 300:
            return self.answers[0]
        fields = json.loads(body)
        if path == "/email":
            return Answer(200, self.take_email(fields))
        return Answer(200, [self.take_email(each) for each in fields])

    def take_email(self, fields: Any) -> dict[str, Any]:
        assert fields.keys() <= POSTMARK_FIELDS
        files = [
            (
                file["Name"],
                base64.b64decode(file["Content"]),
                file.get("ContentID", "").startswith("cid:"),
            )
            for file in fields.get("Attachments", [])
        ]
        self.sent.append(
            Sent(
                fields["To"],
                fields["Subject"],
                fields["TextBody"],
                fields.get("HtmlBody", ""),
                fields.get("ReplyTo", ""),
                {header["Name"]: header["Value"] for header in fields["Headers"]},
                files,
                fields.get("Cc", ""),
                fields.get("Bcc", ""),
                fields.get("TrackLinks") != "None" or fields.get("TrackOpens", True),
            )
        )
        return {
            "To": fields["To"],
            "SubmittedAt": "2026-12-02T10:00:00.0000000-05:00",
            "MessageID": "0a129aee-e1cd-480d-b08d-4f48548ff48d",
            "ErrorCode": 0,
            "Message": "OK",
        }


class Mailgun(Stub):
    name = "mailgun"
    url = f"mailgun://{KEY}@{DOMAIN}"
    refusal = None  # it takes each valid address, and reports it by the webhook

    def options(self) -> dict[str, str]:
        return {"api_url": f"{self.address}/v3"}

    def take(self, path: str, headers: Any, body: bytes) -> Answer:
        assert path == f"/v3/{DOMAIN}/messages"
        key = base64.b64encode(f"api:{KEY}".encode()).decode()
        if headers["Authorization"] != f"Basic {key}":
            return Answer(401, "Forbidden")
        if self.answers and self.answers[0].status >= 300:
            return self.answers[0]
        fields, files = read_form(headers["Content-Type"], body)
        if "to" not in fields:
            return Answer(400, {"message": "to parameter is missing"})
        others = {
            name.removeprefix("h:"): value
            for name, value in fields.items()
            if name.startswith("h:")
        }
        tracking = {fields.get(f"o:tracking-{what}") for what in ("clicks", "opens")}
        email = Sent(
            fields["to"],
            fields["subject"],
            fields["text"],
            fields.get("html", ""),
            others.get("Reply-To", ""),
            others,
            files,
            fields.get("cc", ""),
            fields.get("bcc", ""),
            tracking != {"no"},
        )
        is_batch = "recipient-variables" in fields
        copies = fields["to"].split(",") if is_batch else [fields["to"]]
        self.sent += [email._replace(to=to) for to in copies]
        return Answer(
            200,
            {"id": f"<20261202.1@{DOMAIN}>", "message": "Queued. Thank you."},
        )


def read_form(
    content_type: str, body: bytes
) -> tuple[dict[str, str], list[tuple[str, bytes, bool]]]:
    """Return the fields and the files of a form, in one of its two encodings."""
    if not content_type.startswith("multipart/form-data"):
        values = parse_qs(body.decode(), strict_parsing=True, keep_blank_values=True)
        return {name: ",".join(texts) for name, texts in values.items()}, []
    head = f"Content-Type: {content_type}\r\n\r\n".encode()
    form: Any = email.message_from_bytes(head + body, policy=policy.HTTP)
    fields: dict[str, str] = {}
    files: list[tuple[str, bytes, bool]] = []
    for part in form.iter_parts():
        name = part.get_param("name", header="Content-Disposition")
        content = part.get_payload(decode=True)
        if part.get_content_type() == "message/rfc822":
            content = part.get_payload(0).as_bytes()
        if part.get_filename():
            files.append((part.get_filename(), content, name == "inline"))
        else:
            fields[name] = content.decode()
    return fields, files


# What their webhooks send


def postmark_bounce(address: str, kind: str = "HardBounce", **fields: Any) -> Any:
    """Return the body of Postmark's bounce webhook."""
    return {
        "RecordType": "Bounce",
        "ID": 4323372036854775807,
        "Type": kind,
        "TypeCode": 1,
        "Name": "Hard bounce",
        "Tag": "",
        "MessageID": "883953f4-6105-42a2-a16a-77a8eac79483",
        "ServerID": 1234,
        "MessageStream": "outbound",
        "Description": "The server was unable to deliver your message.",
        "Details": "Test bounce details",
        "Email": address,
        "From": "site@example.com",
        "BouncedAt": iso_time(),
        "DumpAvailable": False,
        "Inactive": True,
        "CanActivate": True,
        "Subject": "Your code",
        "Metadata": {},
    } | fields


def postmark_complaint(address: str, **fields: Any) -> Any:
    changes = {"RecordType": "SpamComplaint", "TypeCode": 512, "CanActivate": False}
    return postmark_bounce(address, "SpamComplaint", **changes | fields)


def mailgun_bounce(address: str, **fields: Any) -> Any:
    """Return the `event-data` of a permanent failure."""
    return {
        "event": "failed",
        "severity": "permanent",
        "reason": "bounce",
        "id": "G9Bn5sl1TC6nu79C8C0bwg",
        "log-level": "error",
        "timestamp": time.time(),
        "recipient": address,
        "recipient-domain": address.rpartition("@")[2],
        "delivery-status": {
            "attempt-no": 1,
            "code": 550,
            "message": "5.1.1 The email account that you tried to reach does not exist",
            "description": "",
            "session-seconds": 0.4,
        },
        "flags": {"is-authenticated": True, "is-test-mode": False},
        "message": {"headers": {"message-id": f"20261202.1@{DOMAIN}"}, "size": 111},
        "tags": [],
        "user-variables": {},
    } | fields


def mailgun_complaint(address: str, **fields: Any) -> Any:
    return {
        "event": "complained",
        "id": "-Agny091SquKnsrW2NEKUA",
        "log-level": "warn",
        "timestamp": time.time(),
        "recipient": address,
        "message": {"headers": {"message-id": f"20261202.1@{DOMAIN}"}, "size": 111},
        "tags": [],
        "user-variables": {},
    } | fields


def iso_time(age: float = 0) -> str:
    moment = time.gmtime(time.time() - age)
    return time.strftime("%Y-%m-%dT%H:%M:%S.0000000Z", moment)


def sign_mailgun(
    data: Any, *, secret: str = SECRET, age: float = 0, token: str = ""
) -> dict[str, Any]:
    """Return the body of a call of Mailgun's webhook."""
    timestamp = str(int(time.time() - age))
    token = token or hashlib.sha256(json.dumps(data).encode()).hexdigest()[:50]
    signed = f"{timestamp}{token}".encode()
    signature = hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()
    return {
        "signature": {"timestamp": timestamp, "token": token, "signature": signature},
        "event-data": data,
    }


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
