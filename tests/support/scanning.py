"""Stand-ins for the servers and tools that the scans use, and the result of a scan."""

import json
import re
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import trustme

from tests.support.baking import clean_environment

type Install = Callable[[str], StandIn]

ADVISORY = {
    "id": "GHSA-aaaa-bbbb-cccc",
    "summary": "Anyone can run any command",
    "modified": "2026-01-01T00:00:00Z",
    "published": "2026-01-01T00:00:00Z",
    "affected": [
        {
            "package": {"ecosystem": "PyPI", "name": "whitenoise"},
            "ranges": [
                {
                    "type": "ECOSYSTEM",
                    "events": [{"introduced": "0"}, {"fixed": "99.1"}],
                }
            ],
        }
    ],
}

# The program of a stand-in. It records its arguments, the file that contains the key,
# and the files to scan.
STAND_IN = """\
import json, os, pathlib, sys
arguments = sys.argv[1:]
note = {"arguments": arguments}
if "--propertyfile" in arguments:
    file = pathlib.Path(arguments[arguments.index("--propertyfile") + 1])
    note |= {"properties": file.read_text(), "mode": oct(file.parent.stat().st_mode)}
if "--scan" in arguments:
    folder = pathlib.Path(arguments[arguments.index("--scan") + 1])
    note["scanned"] = {path.name: path.read_text() for path in folder.iterdir()}
file = pathlib.Path(os.environ["NOTE"])
if "--updateonly" in arguments:
    sys.exit(file.with_name("feed").write_text(json.dumps(note)) and 1)
file.write_text(json.dumps(note))
if report := os.environ.get("REPORT"):
    folder = pathlib.Path("reports/dependency-check")
    for kind in ("html", "sarif", "json"):
        (folder / f"dependency-check-report.{kind}").write_text(report)
sys.exit(int(os.environ.get("EXIT_CODE", "0")))
"""


@dataclass(frozen=True)
class Outcome:
    """A run of scans.

    The exit code, the output, and the result of each scan, with the reason if it did
    not run.
    """

    code: int
    output: str
    results: dict[str, str] = field(default_factory=dict)


def scan(folder: Path, *names: str, **environment: str) -> Outcome:
    """Run scans as on a developer's machine, unless the environment contains CI."""
    done = subprocess.run(
        [sys.executable, "-m", "secure_django.scans", *names],
        cwd=folder,
        env=clean_environment() | environment,
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
    )
    table = done.stdout.rpartition("\n| tool")[2]
    rows = re.findall(
        r"^\| ([\w-]+) +\| (.+?) +\| \d+ +\| (.*) \|$", table, re.MULTILINE
    )
    results = {
        tool: f"{result}: {note}" if result == "not run" else result
        for tool, result, note in rows
    }
    return Outcome(done.returncode, done.stdout, results)


@dataclass
class Advisories:
    """A server that answers like OSV, with one advisory for the vulnerable package.

    It has a list of secure-django's own advisories too.
    """

    url: str
    authority: str  # the file that TLS of this server is checked by
    own: list[dict[str, Any]] = field(default_factory=list)
    vulnerable: str = ""
    asked: list[dict[str, Any]] = field(default_factory=list)

    @property
    def environment(self) -> dict[str, str]:
        """Return the variables that name this server."""
        return {
            "OSV_URL": self.url,
            "ADVISORIES_URL": f"{self.url}advisories.json",
            "SSL_CERT_FILE": self.authority,
        }

    def answer(self, queries: list[dict[str, Any]]) -> dict[str, Any]:
        """Return the advisories for each query, as OSV's /v1/querybatch does."""
        self.asked += queries
        known = {key: ADVISORY[key] for key in ("id", "modified")}
        return {
            "results": [
                {"vulns": [known]} if it["package"]["name"] == self.vulnerable else {}
                for it in queries
            ],
        }


@contextmanager
def serve_advisories() -> Iterator[Advisories]:
    """Serve advisories on this machine."""

    class Handler(BaseHTTPRequestHandler):
        def answer(self, content: object) -> None:
            body = json.dumps(content).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_POST(self) -> None:
            content = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            self.answer(advisories.answer(content["queries"]))

        def do_GET(self) -> None:
            is_own = self.path == "/advisories.json"
            self.answer(advisories.own if is_own else ADVISORY)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    with authority.cert_pem.tempfile() as file:
        advisories = Advisories(f"https://127.0.0.1:{server.server_port}/", file)
        Thread(target=server.serve_forever, daemon=True).start()
        yield advisories
    server.shutdown()
    server.server_close()


@dataclass(frozen=True)
class StandIn:
    """An executable that replaces a tool.

    The environment that finds it, and the file with its last call.
    """

    environment: dict[str, str]
    file: Path

    @property
    def note(self) -> dict[str, Any]:
        """Return what the last call recorded."""
        note: dict[str, Any] = json.loads(self.file.read_text(encoding="utf-8"))
        return note
