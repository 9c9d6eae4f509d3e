"""The score of MDN's HTTP Observatory, run locally."""

import contextlib
import shutil
import socket
import socketserver
from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import pytest

from tests.support.baking import RAW, ROOT, run
from tests.support.images import encode, landscape
from tests.support.live import OWNER, Site, gunicorn
from tests.support.npm import npm_install

pytestmark = pytest.mark.tier(
    "scheduled", "src/secure_django/web/*", f"{RAW}/config/*", f"{RAW}/templates/*"
)

OBSERVATORY = "@mdn/mdn-http-observatory@1.4.8"
TLS_HANDSHAKE = b"\x16"


@pytest.fixture(scope="module")
def observatory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the Observatory, without its scripts that download lists."""
    folder = tmp_path_factory.mktemp("observatory")
    npm_install(folder, OBSERVATORY)
    # Without the HSTS preload list, the last 5 of 145 points cannot be reached.
    (
        folder / "node_modules/@mdn/mdn-http-observatory/conf/hsts-preload.json"
    ).write_text("{}", encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def front_port(site: Site) -> Iterator[int]:
    """Return a port for HTTP and HTTPS, since the Observatory keeps it in redirects."""

    class Relay(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            secure = self.request.recv(1, socket.MSG_PEEK) == TLS_HANDSHAKE
            with socket.create_connection(
                ("127.0.0.1", site.port if secure else plain_port)
            ) as upstream:
                back = Thread(target=pump, args=(upstream, self.request))
                back.start()
                pump(self.request, upstream)
                back.join()

    def pump(source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while chunk := source.recv(65536):
                target.sendall(chunk)
            target.shutdown(socket.SHUT_WR)

    log = site.log.with_name("observatory.log")
    with (
        gunicorn(site.project, site.environment, log) as (_, plain_port),
        socketserver.ThreadingTCPServer(("127.0.0.1", 0), Relay) as front,
    ):
        front.daemon_threads = True
        Thread(target=front.serve_forever, daemon=True).start()
        yield front.server_address[1]
        front.shutdown()


def test_observatory_deducts_no_points(
    observatory: Path, site: Site, front_port: int
) -> None:
    """A page gets 100 points, and 30 for its headers.

    It gets 5 more if it sets cookies, and 5 if scripts have a hash.
    """
    assert (
        site.visitor(OWNER)
        .upload(encode(landscape(2, (320, 240))), title="scored")
        .status
        == 302
    )
    site.python("Photo.objects.filter(title='scored').update(status='approved')")
    photo = site.python(
        "print(Photo.objects.get(title='scored').get_absolute_url())"
    ).strip()
    pages = [
        "/",
        photo,
        "/accounts/login/",
        "/accounts/password/reset/",
        "/admin/login/",
        "/photos/upload/",
    ]
    targets = [f"localhost:{front_port}{page}" for page in pages]
    shutil.copy(ROOT / "tests" / "support" / "observatory.mjs", observatory)
    trust = str(site.log.with_name("authority.pem"))
    report = run(
        observatory, "node", "observatory.mjs", *targets, NODE_EXTRA_CA_CERTS=trust
    ).splitlines()
    assert [line.split()[1] for line in report] == targets
    assert all(int(line.split()[0]) >= 130 for line in report), report
    assert not [line for line in report if len(line.split()) > 2]
