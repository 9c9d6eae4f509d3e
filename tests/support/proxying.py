"""nginx with the emitted deploy/nginx.conf and deploy/site.conf, on free ports."""

import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.services import accepts_connections, free_port, wait_until


@contextmanager
def nginx(deploy: Path, folder: Path, certificate: Path, site: str = "") -> Iterator[tuple[int, int]]:
    """Run nginx with the emitted files: only ports and paths are changed. Yield the ports of HTTP and HTTPS.

    `site` is the address of the server behind it, by default a socket in the folder on which nothing listens.
    """
    http, https = free_port(), free_port()
    text = (deploy / "site.conf").read_text(encoding="utf-8")
    for old, new in (
        (r"listen 80;", f"listen 127.0.0.1:{http};"),
        (r"listen 443 ssl;", f"listen 127.0.0.1:{https} ssl;"),
        (r"listen \[::\]:80;", f"listen [::1]:{http};"),
        (r"listen \[::\]:443 ssl;", f"listen [::1]:{https} ssl;"),
        (r"/etc/nginx/tls/\w+\.pem", str(certificate)),
        (r"unix:/run/site/gunicorn.sock", site or f"unix:{folder}/gunicorn.sock"),
        (r"/var/cache/site ", f"{folder}/cache "),
        (r"/var/log/nginx/access\.log", f"{folder}/access.log"),
        (r"/srv/error-pages", str(deploy / "error-pages")),
    ):
        text, count = re.subn(old, new, text)
        assert count, old
    (folder / "site.conf").write_text(text, encoding="utf-8")
    main = (deploy / "nginx.conf").read_text(encoding="utf-8").replace("/tmp/", f"{folder}/")  # noqa: S108
    main = main.replace("conf.d/site.conf", f"{folder}/site.conf").replace("mime.types", "/etc/nginx/mime.types")
    main = main.replace("/dev/stdout", f"{folder}/access.log").replace("stderr error", f"{folder}/error.log error")
    user = "user root;\n" if os.geteuid() == 0 else ""
    (folder / "nginx.conf").write_text(f"{user}daemon off;\n{main}", encoding="utf-8")
    server = subprocess.Popen(["nginx", "-c", str(folder / "nginx.conf"), "-e", str(folder / "start.log")])
    try:
        wait_until(lambda: accepts_connections(https), "nginx does not start", 10)
        yield http, https
    finally:
        server.terminate()
        server.wait()
