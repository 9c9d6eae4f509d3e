"""One installed project for all, and stand-ins for what scanners ask or start."""

import json
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.baking import ALL_OFF, bake, clean_environment, commit, run

type Scan = Callable[..., Outcome]

GITHUB = ALL_OFF | {"ci_scanning": "github"}
# Whatever stands in its place is noted down: the arguments, and the file that holds the key.
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
pathlib.Path(os.environ["NOTE"]).write_text(json.dumps(note))
if report := os.environ.get("REPORT"):
    folder = pathlib.Path("reports/dependency-check")
    for kind in ("html", "sarif", "json"):
        (folder / f"dependency-check-report.{kind}").write_text(report)
sys.exit(int(os.environ.get("EXIT_CODE", "0")))
"""


@dataclass(frozen=True)
class Outcome:
    """What a run of the scans said."""

    code: int
    output: str
    results: dict[str, str] = field(default_factory=dict)


@pytest.fixture(scope="session")
def installed(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a project that runs on GitHub, installed and committed; nobody changes it."""
    folder = bake(template, tmp_path_factory.mktemp("installed"), **GITHUB)
    run(folder, "uv", "sync", "--quiet")
    commit(folder, "Start")
    return folder


@pytest.fixture
def folder(installed: Path, tmp_path: Path) -> Path:
    """Return a copy of the project to plant something in; the tools are this suite's own."""
    return shutil.copytree(installed, tmp_path / "my-secure-site", ignore=shutil.ignore_patterns(".venv", "reports"))


@pytest.fixture
def scan() -> Scan:
    """Return what runs scans in a folder, as a person unless the environment says CI."""

    def run_scans(folder: Path, *names: str, **environment: str) -> Outcome:
        done = subprocess.run(
            [sys.executable, "-m", "scripts.security", *names],
            cwd=folder,
            env=clean_environment() | environment,
            check=False,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
        )
        rows = re.findall(r"^\| ([\w-]+) +\| (.+?) +\|.*\|$", done.stdout, re.MULTILINE)
        return Outcome(done.returncode, done.stdout, dict(rows[2:]))

    return run_scans


@dataclass
class Advisories:
    """A server that answers as OSV does, with one advisory for the package that is named."""

    url: str
    vulnerable: str = ""
    asked: list[dict[str, Any]] = field(default_factory=list)


ADVISORY = {
    "id": "GHSA-aaaa-bbbb-cccc",
    "summary": "Anybody may do anything",
    "modified": "2026-01-01T00:00:00Z",
    "published": "2026-01-01T00:00:00Z",
    "affected": [
        {
            "package": {"ecosystem": "PyPI", "name": "whitenoise"},
            "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "99.1"}]}],
        }
    ],
}


@pytest.fixture
def osv() -> Iterator[Advisories]:
    """Serve advisories on this machine."""

    class Handler(BaseHTTPRequestHandler):
        def answer(self, content: dict[str, Any]) -> None:
            body = json.dumps(content).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_POST(self) -> None:
            queries = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["queries"]
            advisories.asked += queries
            known = {key: ADVISORY[key] for key in ("id", "modified")}
            self.answer(
                {
                    "results": [
                        {"vulns": [known]} if query["package"]["name"] == advisories.vulnerable else {}
                        for query in queries
                    ]
                }
            )

        def do_GET(self) -> None:
            self.answer(ADVISORY)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    advisories = Advisories(f"http://127.0.0.1:{server.server_port}/")
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield advisories
    server.shutdown()
    server.server_close()


@dataclass(frozen=True)
class StandIn:
    """An executable in a tool's place, the environment in which it is found, and what it noted down."""

    environment: dict[str, str]
    file: Path

    @property
    def note(self) -> dict[str, Any]:
        """Return what the last call noted."""
        note: dict[str, Any] = json.loads(self.file.read_text(encoding="utf-8"))
        return note


@pytest.fixture
def stand_in(tmp_path: Path, osv: Advisories) -> Callable[[str], StandIn]:
    """Return what puts a stand-in for a tool on the path; vulnerability data seems to be within reach."""

    def install(tool: str) -> StandIn:
        folder = tmp_path / "bin"
        folder.mkdir()
        (folder / "stand_in.py").write_text(STAND_IN, encoding="utf-8")
        if os.name == "nt":
            (folder / f"{tool}.bat").write_text(f'@"{sys.executable}" "%~dp0stand_in.py" %*\n', encoding="utf-8")
        else:
            program = folder / tool
            program.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{folder}/stand_in.py" "$@"\n', encoding="utf-8")
            program.chmod(0o755)
        environment = {
            "PATH": os.pathsep.join([str(folder), clean_environment()["PATH"]]),
            "NOTE": str(tmp_path / "note.json"),
            "NVD_DATAFEED_URL": f"{osv.url}nvdcve-{{0}}.json.gz",
        }
        return StandIn(environment, tmp_path / "note.json")

    return install
