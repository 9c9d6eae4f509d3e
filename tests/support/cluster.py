"""Machines that serve one project behind a proxy, for tests and measurements."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from tests.support.baking import clean_environment
from tests.support.live import HANG_SECONDS
from tests.support.services import accepts_connections, free_port, wait_until

WORKER = ("manage.py", "worker")
NGINX = r"""
{user}
pid nginx.pid;
error_log nginx.log;
daemon off;
worker_rlimit_nofile 4096;
events {{ worker_connections 2048; }}
http {{
    access_log off;
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    upstream machines {{
        {servers}
    }}
    server {{
        listen 127.0.0.1:{port} ssl;
        ssl_certificate {certificate};
        ssl_certificate_key {certificate};
        location / {{
            proxy_pass http://machines;
            proxy_set_header Host $http_host;
            proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
            proxy_set_header X-Forwarded-Proto $scheme;
            proxy_set_header X-Request-ID $request_id;
            proxy_set_header Connection close;
            client_max_body_size 16m;
        }}
        {locations}
        error_page 413 /too_large.html;
        error_page 502 504 /unavailable.html;
        location ~ ^/(too_large|unavailable)\.html$ {{
            internal;
            client_max_body_size 0;
            root {pages};
        }}
    }}
}}
"""


@dataclass
class Machine:
    """A copy of the project with a server and a worker in one process group each."""

    folder: Path
    port: int
    processes: list[subprocess.Popen[bytes]]

    @property
    def requests(self) -> list[dict[str, Any]]:
        """Return the server's log of requests."""
        log = (self.folder.parent / "server.log").read_text(encoding="utf-8")
        lines = [line for line in log.splitlines() if line.startswith("{")]
        entries = [json.loads(line) for line in lines]
        return [entry for entry in entries if entry["logger"] == "access"]

    def start(self, environment: dict[str, str]) -> None:
        """Start the server and the worker."""
        media = str(self.folder.parent / "media")
        environment = clean_environment() | environment | {"MEDIA_ROOT": media}
        address = f"127.0.0.1:{self.port}"
        gunicorn = ("-m", "gunicorn", "config.wsgi", "--bind", address)
        self.processes = []
        for name, command in {"server": gunicorn, "worker": WORKER}.items():
            with (self.folder.parent / f"{name}.log").open("ab") as log:
                process = subprocess.Popen(
                    [sys.executable, *command],
                    cwd=self.folder,
                    env=environment,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
            self.processes.append(process)

    def kill(self) -> None:
        """End all processes at once, as a power failure does."""
        for process in self.processes:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def close(self) -> None:
        """Stop what still runs."""
        for process in self.processes:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGTERM)
        for process in self.processes:
            process.wait(HANG_SECONDS)


def start_machine(source: Path, folder: Path, environment: dict[str, str]) -> Machine:
    """Start a server and a worker in a copy of the project."""
    copy = shutil.copytree(source, folder / "my-secure-site")
    machine = Machine(copy, free_port(), [])
    machine.start(environment)
    return machine


@contextmanager
def proxy(
    folder: Path,
    certificate: Path,
    project: Path,
    ports: list[int],
    locations: str = "",
) -> Iterator[int]:
    """Run nginx as the project does, in front of these ports; yield its own port."""
    port = free_port()
    configuration = NGINX.format(
        user="user root;" if os.geteuid() == 0 else "",
        port=port,
        certificate=certificate,
        servers=" ".join(f"server 127.0.0.1:{it};" for it in ports),
        pages=project / "deploy" / "error-pages",
        locations=locations,
    )
    (folder / "nginx.conf").write_text(configuration, encoding="utf-8")
    command = ["nginx", "-p", str(folder), "-c", "nginx.conf", "-e", "nginx.log"]
    with subprocess.Popen(command) as nginx:
        try:
            for used_port in (port, *ports):
                is_ready = partial(accepts_connections, used_port)
                wait_until(is_ready, "a server did not start")
            yield port
        finally:
            nginx.terminate()
