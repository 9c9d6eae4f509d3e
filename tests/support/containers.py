"""Run a project's compose.yaml with podman, without a registry.

Stand-ins replace the base images.
"""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest

from tests.support.baking import clean_environment, run
from tests.support.live import Server
from tests.support.readme import one_process_at_a_time
from tests.support.renewal import UV

PROGRAMS = ["buildah", "docker-compose", "mmdebstrap", "nft", "podman", "runc"]
PACKAGES = (
    "adduser,ca-certificates,curl,dbus,git,libpq5,nginx,openssl,"
    "postgresql,python3,python3-venv,restic,systemd-sysv"
)
HEALTH_SECONDS = 60  # between the checks of a healthy container
BASE = Path.home() / ".cache" / "secure-django" / "debian-3.tar"

# What the entrypoint of the official image does with the variables of compose.yaml.
POSTGRESQL = """\
#!/bin/sh
set -e
PATH=$PATH:$(echo /usr/lib/postgresql/*/bin)
data=/var/lib/postgresql/18/docker
if [ ! -s "$data/PG_VERSION" ]; then
    mkdir -p "$data"
    export POSTGRES_PASSWORD=$(cat "$POSTGRES_PASSWORD_FILE")
    initdb --pgdata="$data" --username=postgres --pwfile="$POSTGRES_PASSWORD_FILE"
    pg_ctl --pgdata="$data" --options="-c listen_addresses=''" --wait start
    createdb --username=postgres "$POSTGRES_DB"
    for file in /docker-entrypoint-initdb.d/*.sql; do
        psql --set=ON_ERROR_STOP=1 --no-psqlrc --username=postgres --no-password \\
            --dbname="$POSTGRES_DB" --file="$file"
    done
    pg_ctl --pgdata="$data" --wait stop
    echo "host all all all scram-sha-256" >> "$data/pg_hba.conf"
fi
exec "$@" -D "$data" -c listen_addresses='*'
"""
# Each image has what the project relies on: programs, users, the owners of folders.
IMAGES = {
    "python:3.14-slim-trixie": """\
ENV SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt
COPY ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
""",
    "nginx:1.30-alpine": """\
RUN echo "nginx:x:101:101::/nonexistent:/usr/sbin/nologin" >> /etc/passwd \\
    && echo "nginx:x:101:" >> /etc/group
RUN ln --symbolic --force /dev/stdout /var/log/nginx/access.log
CMD ["nginx", "-g", "daemon off;"]
""",
    "postgres:18-trixie": """\
COPY --chmod=755 postgresql.sh /usr/local/bin/
RUN install --directory --owner=postgres --group=postgres --mode=1777 \\
        /var/lib/postgresql \\
    && ln --symbolic /usr/lib/postgresql/*/bin/* /usr/local/bin/
ENTRYPOINT ["postgresql.sh"]
CMD ["postgres"]
""",
    "restic/restic:0.18.0": """\
ENTRYPOINT ["restic"]
""",
    f"ghcr.io/astral-sh/uv:{UV}": "COPY uv /uv\n",
}
# Holds the network of a pod. Podman's own needs one more program.
PAUSE = "localhost/pause"
# What the emitted scripts call. A build takes the stand-ins, as there is no registry.
# Only the first build is by the project's Dockerfile. Later ones add the code and its
# static files to that image, so a test may change code, and no package: for a layer of
# packages that stays as it is, buildah takes ten CPU seconds, and Docker none.
DOCKER = """\
#!/bin/sh
set -e
case "$1 $2" in
    "compose build")
        built=localhost/built tree=$(git rev-parse "HEAD^{tree}") file=Dockerfile
        if ! podman image exists "$built:$tree"; then
            if podman image exists "$built:first"; then
                file=$0.Dockerfile
                printf "%s\\n" "FROM $built:first" "USER root" "COPY . ." >"$file"
                sed -n "/^RUN DEBUG=on/,/^$/p" Dockerfile >>"$file"
                echo "USER 10001:10001" >>"$file"
            fi
            buildah build --layers --pull=never --network host \\
                --file "$file" --tag "$built:$tree" .
            [ "$file" != Dockerfile ] || podman tag "$built:$tree" "$built:first"
        fi
        exec podman tag "$built:$tree" "localhost/my-secure-site:$RELEASE"
        ;;
    "compose pull") exit 0 ;;
    "compose --profile")
        [ "$4" != pull ] || exit 0
        shift && exec docker-compose "$@"
        ;;
    compose*) shift && exec docker-compose "$@" ;;
    *) exec podman "$@" ;;
esac
"""
# Two containers, a network with names, a port and a health check: what compose.yaml
# needs of the machine.
TRIAL = {
    "services": {
        "server": {
            "image": "localhost/base",
            "command": ["python3", "-m", "http.server", "8000"],
            "healthcheck": {
                "test": ["CMD", "curl", "--fail", "http://localhost:8000/"],
                "interval": "2s",
            },
        },
        "client": {
            "image": "localhost/base",
            "command": ["sleep", "600"],
            "depends_on": {"server": {"condition": "service_healthy"}},
        },
    }
}


class Engine:
    """A podman with storage and a Docker socket of its own."""

    service: Server

    def __init__(self, folder: Path) -> None:
        """Write the configuration into the folder."""
        self.folder = folder
        storage = (
            f'[storage]\ndriver = "overlay"\n'
            f'graphroot = "{folder}/graph"\nrunroot = "{folder}/run"\n'
        )
        (folder / "storage.conf").write_text(storage, encoding="utf-8")
        # crun fails where control groups have two versions at once.
        limits = '["nofile=20000:20000", "nproc=90000:90000"]'
        # Its own folders too, or the end of another one removes what this one runs.
        containers = (
            f"[containers]\ndefault_ulimits = {limits}\n"
            f'[engine]\nruntime = "runc"\ntmp_dir = "{folder}/libpod"\n'
            f'infra_image = "{PAUSE}"\n'
            f'[network]\nnetwork_config_dir = "{folder}/networks"\n'
        )
        (folder / "containers.conf").write_text(containers, encoding="utf-8")
        (folder / "docker").write_text(DOCKER, encoding="utf-8")
        (folder / "docker").chmod(0o755)
        self.environment = {
            "BUILDAH_ISOLATION": "chroot",
            "CONTAINERS_CONF": str(folder / "containers.conf"),
            "CONTAINERS_STORAGE_CONF": str(folder / "storage.conf"),
            "DISABLE_HC_SYSTEMD": "true",
            "DOCKER_HOST": f"unix://{folder}/podman.sock",
            "PATH": f"{folder}{os.pathsep}{clean_environment()['PATH']}",
            "PODMAN_IGNORE_CGROUPSV1_WARNING": "true",
        }

    def run(self, folder: Path, *command: str, seconds: int = 300) -> str:
        """Run a command with this podman and return its output; a hang is killed."""
        return run(
            folder,
            "timeout",
            "--kill-after=5",
            str(seconds),
            *command,
            **self.environment,
        )

    def compose(self, project: Path, *command: str) -> str:
        """Run a command of docker-compose for a project."""
        return self.run(project, "docker-compose", *command)

    def try_out(self) -> None:
        """Skip the test where containers do not run at all, as in some sandboxes."""
        project = self.folder / "trial"
        project.mkdir()
        (project / "compose.yaml").write_text(json.dumps(TRIAL), encoding="utf-8")
        make_base()
        try:
            self.run(self.folder, "podman", "import", str(BASE), "localhost/base")
            self.run(project, "docker-compose", "up", "--detach", "--wait")
            self.run(
                project,
                "docker-compose",
                "exec",
                "-T",
                "client",
                "curl",
                "--fail",
                "http://server:8000/",
            )
        except AssertionError as error:
            pytest.skip(f"containers do not run here: {error}")
        finally:
            with suppress(AssertionError):
                self.run(
                    project, "docker-compose", "down", "--timeout", "1", seconds=60
                )

    def make_stand_ins(self) -> None:
        """Make the base images from Debian's packages and this machine's uv."""
        context = self.folder / "context"
        context.mkdir()
        shutil.copy(os.environ.get("UV") or str(shutil.which("uv")), context / "uv")
        shutil.copy("/etc/ssl/certs/ca-certificates.crt", context)
        (context / "postgresql.sh").write_text(POSTGRESQL, encoding="utf-8")
        for name, lines in IMAGES.items():
            base = "scratch" if name.startswith("ghcr.io/") else "localhost/base"
            (context / "Dockerfile").write_text(
                f"FROM {base}\n{lines}", encoding="utf-8"
            )
            registry = "" if base == "scratch" else "docker.io/"
            folder = "" if "/" in name else "library/"
            self.build(context, f"{registry}{folder}{name}")

    def build(self, context: Path, name: str) -> float:
        """Build an image from a folder's Dockerfile; return the seconds it took."""
        start = time.monotonic()
        options = ("--pull=never", "--network", "host", "--tag", name)
        self.run(context, "buildah", "build", *options, str(context), seconds=900)
        return time.monotonic() - start

    def check_health(self, stop: Event) -> None:
        """Do what systemd's timers do for podman elsewhere: run the health checks.

        That of a container that starts runs each second. Later ones are seldom, since
        some start Django.
        """
        checked: dict[str, float] = {}
        while not stop.wait(1):
            for container, status in self.list_containers():
                waited = time.monotonic() - checked.get(container, 0)
                if status == "starting" or waited > HEALTH_SECONDS:
                    self.ask(f"/libpod/containers/{container}/healthcheck")
                    checked[container] = time.monotonic()

    def list_containers(self) -> list[tuple[str, str]]:
        """Return the id and the health of each container that runs."""
        containers = self.ask("/libpod/containers/json") or []
        return [(container["Id"], container["Status"]) for container in containers]

    def ask(self, path: str) -> Any:  # noqa: ANN401  # what JSON has
        """Return an answer of podman's service, or None if it has none."""
        connection = UnixConnection(f"{self.folder}/podman.sock", timeout=30)
        try:
            host = {"Host": "podman"}  # by default, the path of the socket
            connection.request("GET", f"/v5.0.0{path}", headers=host)
            response = connection.getresponse()
            content = response.read()
        except (OSError, HTTPException):  # it starts, or ends
            return None
        finally:
            connection.close()
        return json.loads(content) if response.status == HTTPStatus.OK else None


class UnixConnection(HTTPConnection):
    """A connection to a server whose host is a socket's path."""

    def connect(self) -> None:
        """Open the socket."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.host)


def remove_digests(folder: Path) -> None:
    """Let a project take the stand-ins, which have digests of their own."""
    pinned = re.compile(r"@sha256:[0-9a-f]{64}")
    for path in (*folder.rglob("Dockerfile"), *folder.glob("compose.yaml")):
        text = path.read_text(encoding="utf-8")
        path.write_text(pinned.sub("", text), encoding="utf-8")


def need(*programs: str) -> None:
    """Skip the test without Linux, without root, or without one of the programs."""
    if sys.platform != "linux":
        pytest.skip("needs Linux")
    if os.geteuid():
        pytest.skip("only root may do this")
    missing = [program for program in programs if not shutil.which(program)]
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)}")


# For a test that waits for the ports while two others have them, one after the other.
PORT_TIMEOUT = pytest.mark.timeout(4500)


@contextmanager
def https_port() -> Iterator[None]:
    """Hold ports 80 and 443 for one test process."""
    with one_process_at_a_time(10443):
        yield


def make_base() -> None:
    """Make the files of a small Debian, which is kept for later runs."""
    if not BASE.exists():
        BASE.parent.mkdir(parents=True, exist_ok=True)
        partial = BASE.with_suffix(f".{os.getpid()}.tar")
        try:
            run(
                BASE.parent,
                "mmdebstrap",
                "--variant=minbase",
                f"--include={PACKAGES}",
                "trixie",
                str(partial),
            )
        except AssertionError as error:
            pytest.skip(f"no Debian can be made here: {error}")
        partial.rename(BASE)


@contextmanager
def engine(folder: Path) -> Iterator[Engine]:
    """Run podman's service; at the end, remove all containers and images."""
    need(*PROGRAMS)
    podman = Engine(folder)
    stop = Event()
    environment = clean_environment() | podman.environment
    with (folder / "podman.log").open("wb") as log:
        podman.service = subprocess.Popen(
            [
                "podman",
                "system",
                "service",
                "--time",
                "0",
                podman.environment["DOCKER_HOST"],
            ],
            env=environment,
            stdout=log,
            stderr=log,
        )
    checks = Thread(target=podman.check_health, args=[stop])
    checks.start()
    try:
        podman.try_out()
        yield podman
    finally:
        stop.set()
        checks.join()
        podman.service.kill()
        podman.service.wait()
        with suppress(AssertionError):
            podman.run(folder, "podman", "system", "reset", "--force", seconds=60)
        # Podman's own mount of its storage would keep pytest from removing the folder
        # of this run later.
        for line in Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines():
            mount = line.split()[1]
            if mount.startswith(f"{folder}/"):
                subprocess.run(["umount", "--lazy", mount], check=False)
