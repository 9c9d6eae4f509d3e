"""A package index on this machine, with small wheels of chosen versions and ages."""

import base64
import hashlib
import io
import json
import re
import threading
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

JSON = "application/vnd.pypi.simple.v1+json"


@dataclass(frozen=True)
class Release:
    """One release: a wheel of an empty module, uploaded a number of days ago."""

    name: str
    version: str
    days: float = 30
    requires: tuple[str, ...] = ()
    extras: tuple[str, ...] = ()
    python: str = ">=3.8"
    tag: str = "py3-none-any"

    @property
    def project(self) -> str:
        """Return the name as it stands in URLs."""
        return re.sub(r"[-_.]+", "-", self.name).lower()

    @property
    def file(self) -> str:
        """Return the name of the wheel."""
        return f"{self.project.replace('-', '_')}-{self.version}-{self.tag}.whl"

    @property
    def metadata(self) -> str:
        """Return the metadata, which the index serves beside the wheel too."""
        lines = [
            "Metadata-Version: 2.1",
            f"Name: {self.name}",
            f"Version: {self.version}",
        ]
        lines += [
            f"Requires-Python: {self.python}",
            *(f"Requires-Dist: {it}" for it in self.requires),
        ]
        return (
            "\n".join([*lines, *(f"Provides-Extra: {it}" for it in self.extras)]) + "\n"
        )

    def wheel(self) -> bytes:
        """Return the wheel, which pip and uv can install."""
        module = self.project.replace("-", "_")
        info = f"{module}-{self.version}.dist-info"
        texts = {
            f"{module}/__init__.py": f'__version__ = "{self.version}"\n',
            f"{info}/METADATA": self.metadata,
            f"{info}/WHEEL": (
                "Wheel-Version: 1.0\nGenerator: tests\n"
                f"Root-Is-Purelib: true\nTag: {self.tag}\n"
            ),
        }
        record = f"{info}/RECORD"
        rows = [
            f"{path},sha256={digest(text)},{len(text)}" for path, text in texts.items()
        ]
        texts[record] = "\n".join([*rows, f"{record},,"]) + "\n"
        content = io.BytesIO()
        with zipfile.ZipFile(content, "w") as archive:
            for path, text in texts.items():
                archive.writestr(path, text)
        return content.getvalue()


@dataclass(frozen=True)
class Built(Release):
    """A wheel that was built."""

    path: Path = Path()

    @property
    def file(self) -> str:
        """Return the name of the wheel."""
        return self.path.name

    @property
    def metadata(self) -> str:
        """Return the metadata in the wheel."""
        with zipfile.ZipFile(self.path) as archive:
            [name] = [it for it in archive.namelist() if it.endswith("/METADATA")]
            return archive.read(name).decode()

    def wheel(self) -> bytes:
        """Return the wheel."""
        return self.path.read_bytes()


def digest(text: str) -> str:
    """Return a digest as RECORD spells it."""
    return (
        base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest())
        .decode()
        .rstrip("=")
    )


@contextmanager
def serve(releases: Sequence[Release]) -> Iterator[str]:
    """Serve the releases; yield the URL for `UV_DEFAULT_INDEX`.

    uv reads the upload times for its cooldown.
    """
    files = {release.file: release.wheel() for release in releases}
    files |= {
        f"{release.file}.metadata": release.metadata.encode() for release in releases
    }
    now = datetime.now(UTC)

    def page(project: str) -> dict[str, Any]:
        own = [release for release in releases if release.project == project]
        listed = [
            {
                "filename": release.file,
                "url": f"../../files/{release.file}",
                "hashes": {"sha256": hashlib.sha256(files[release.file]).hexdigest()},
                "core-metadata": True,
                "requires-python": release.python,
                "size": len(files[release.file]),
                "upload-time": (now - timedelta(days=release.days)).strftime(
                    "%Y-%m-%dT%H:%M:%S.%fZ"
                ),
            }
            for release in own
        ]
        versions = sorted({release.version for release in own})
        return {
            "meta": {"api-version": "1.1"},
            "name": project,
            "versions": versions,
            "files": listed,
        }

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            kind, _, name = self.path.strip("/").partition("/")
            if kind == "simple" and any(
                release.project == name for release in releases
            ):
                self.answer(JSON, json.dumps(page(name)).encode())
            elif kind == "files" and name in files:
                self.answer("application/octet-stream", files[name])
            else:
                self.send_error(404)

        def answer(self, content_type: str, content: bytes) -> None:
            self.send_response(200)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Print nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/simple/"
    finally:
        server.shutdown()
        server.server_close()
