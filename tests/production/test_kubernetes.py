"""The manifests of docs/recipes/kubernetes.md, run by podman, without a cluster.

podman runs pods and knows no more. The test does what a cluster does: it makes the
pods of a deployment, makes a pod anew that was killed, sends requests to pods that are
ready, and sends signals in the kubelet's order. Network policy, ingress, disruption
budget and roll-outs are not shown.
"""

import re
import secrets
import socket
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from copy import deepcopy
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from itertools import count, permutations
from pathlib import Path
from ssl import create_default_context
from typing import Any
from uuid import uuid4

import pytest
import yaml

from tests.support.baking import WITH_GALLERY, Project, production, run
from tests.support.containers import PAUSE, Engine, engine
from tests.support.images import encode, landscape
from tests.support.live import (
    HANG_SECONDS,
    PAGE_OF_PHOTO,
    PASSWORD,
    Response,
    Site,
    Visitor,
)
from tests.support.manifests import PAGES, containers_of, pod_of, read_manifests
from tests.support.postgresql import PostgreSQL, running_postgresql
from tests.support.recipes import marks
from tests.support.services import fetch, free_port, running, wait_until

pytestmark = marks(*PAGES)

IMAGE = "localhost/my-secure-site:test"
# Only a local host may have a bucket without TLS. Pods find it by this name.
STORAGE_HOST, EVERYWHERE = "storage.localhost", "0.0.0.0"  # noqa: S104 - for pods
EMAILS = [f"visitor{number}@example.com" for number in range(6)]
# An account whose upload was killed may upload again after a minute.
SLOW_EMAILS = [f"slow{number}@example.com" for number in range(6)]
CREATE_PEOPLE = f"""
for email in {EMAILS + SLOW_EMAILS}:
    User.objects.create_user(email, "{PASSWORD}")
"""
UPLOAD_PAGE, MINE = "/photos/upload/", "/photos/mine/"
TURNS = count()
IP_ADDRESSES = (f"198.51.100.{number}" for number in count(1))


@dataclass
class Cluster:
    """Pods, and the services on this machine that they use."""

    podman: Engine
    network: str
    gateway: str
    variables: dict[str, str]
    secrets: dict[str, str]
    site: Site
    # The pods that get requests, with their IP addresses.
    answering: dict[str, str] = field(default_factory=dict)

    def run(self, *command: str) -> str:
        """Run podman."""
        return self.podman.run(self.podman.folder, "podman", *command)

    def play(self, key: str, name: str) -> str:
        """Make a pod of a deployment or a job, and return its IP address."""
        manifests = read_manifests()
        settings, nginx = manifests["ConfigMap/site"], manifests["ConfigMap/nginx"]
        settings["data"] |= self.variables
        secret = {"kind": "Secret", "metadata": {"name": "site"}}
        documents = [
            settings,
            nginx,
            {"apiVersion": "v1", "stringData": self.secrets} | secret,
            self.adapt(manifests[key], name),
        ]
        file = self.podman.folder / f"{name}.yaml"
        file.write_text(yaml.safe_dump_all(documents), encoding="utf-8")
        self.run("kube", "play", "--replace", "--network", self.network, str(file))
        infra = self.run("pod", "inspect", "--format", "{{.InfraContainerID}}", name)
        networks = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}"
        return self.run("inspect", "--format", networks, infra.strip()).strip()

    def adapt(self, manifest: dict[str, Any], name: str) -> dict[str, Any]:
        """Return a pod that podman knows: without probes, `preStop` and sidecars.

        The images are those of this machine. Nothing starts again by itself.
        """
        template = deepcopy(manifest["spec"]["template"])
        pod = template["spec"]
        pod["containers"] = containers_of(pod)
        pod.pop("initContainers", None)
        pod["restartPolicy"] = "Never"
        pod["hostAliases"] = [{"ip": self.gateway, "hostnames": [STORAGE_HOST]}]
        for container in pod["containers"]:
            is_nginx = container["name"] == "nginx"
            image = f"docker.io/library/{container['image']}" if is_nginx else IMAGE
            container |= {"image": image, "imagePullPolicy": "Never"}
            for key in ("livenessProbe", "readinessProbe", "lifecycle"):
                container.pop(key, None)
        labels = template["metadata"]["labels"]
        return {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": name, "labels": labels},
            "spec": pod,
        }

    def start_site(self, name: str) -> None:
        """Make a pod of the site, and send requests to it once it is ready."""
        address = self.play("Deployment/site", name)
        wait_until(lambda: is_ready(address), f"{name} is not ready")
        self.answering[name] = address

    def people(self, emails: list[str]) -> list["Person"]:
        """Return visitors who have logged in, each with an account."""
        found = []
        for email in emails:
            person = Person(self.site, pods=self.answering)
            answer = person.post(
                "/accounts/login/", {"login": email, "password": PASSWORD}
            )
            assert answer.status == 302, answer.text
            found.append(person)
        return found

    def rows(self) -> dict[str, str]:
        """Return the titles of all photos that were not deleted, by their ids."""
        code = "for it in Photo.objects.not_deleted(): print(f'{it.pk}|{it.title}')"
        lines = self.site.python(code).splitlines()
        return dict(line.split("|", 1) for line in lines)

    def stored_photos(self) -> Counter[str]:
        """Return the number of files in the bucket by photo."""
        address = self.site.environment["STORAGE_URL"].partition("@")[2]
        bucket = address.partition("?")[0]
        listed = fetch(f"http://{bucket}?list-type=2&max-keys=1000").read().decode()
        return Counter(re.findall(r"<Key>photos/../(.{36})-.+?</Key>", listed))


@dataclass
class Person(Visitor):
    """A visitor whose requests a gateway gives to the pods in turn."""

    pods: dict[str, str] = field(default_factory=dict)
    ip_address: str = field(default_factory=lambda: next(IP_ADDRESSES))

    def connection(self) -> HTTPConnection:
        """Return a connection to the next pod."""
        addresses = tuple(self.pods.values())
        address = addresses[next(TURNS) % len(addresses)]
        return HTTPConnection(address, 8080, timeout=HANG_SECONDS)

    def request(
        self,
        method: str,
        path: str,
        body: bytes | Iterator[bytes] = b"",
        headers: dict[str, str] | None = None,
    ) -> Response:
        """Send a request with the headers of a gateway."""
        gateway = {
            "Host": "example.com",
            "X-Forwarded-For": self.ip_address,
            "X-Forwarded-Proto": "https",
        }
        return super().request(method, path, body, gateway | (headers or {}))


@dataclass
class SlowPerson(Person):
    """A visitor who sends the second half of a file byte by byte until their turn."""

    begun: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    turn: threading.Event = field(default_factory=threading.Event)

    def request(
        self,
        method: str,
        path: str,
        body: bytes | Iterator[bytes] = b"",
        headers: dict[str, str] | None = None,
    ) -> Response:
        """Send the body of an upload slowly."""
        if path == UPLOAD_PAGE and isinstance(body, bytes) and body:
            length = {"Content-Length": str(len(body))}
            return super().request(
                method, path, self.send_slowly(body), length | (headers or {})
            )
        return super().request(method, path, body, headers)

    def send_slowly(self, body: bytes) -> Iterator[bytes]:
        """Return the body in parts."""
        position = len(body) // 2
        yield body[:position]
        self.begun.release()
        while not self.turn.wait(1):
            yield body[position : position + 1]
            position += 1
        yield body[position:]


def is_ready(address: str) -> bool:
    """Ask as the kubelet does."""
    nginx = pod_of(read_manifests()["Deployment/site"])["containers"][0]
    probe = nginx["readinessProbe"]["httpGet"]
    connection = HTTPConnection(address, probe["port"], timeout=10)
    try:
        connection.request("GET", probe["path"])
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


@contextmanager
def open_to_pods(server: PostgreSQL, subnet: str) -> Iterator[str]:
    """Let pods reach a server on this machine; yield the URL of a new database."""
    server.stop()
    server.command.append("--listen_addresses=*")
    with (server.log.parent / "data" / "pg_hba.conf").open("a") as rules:
        rules.write(f"host all all {subnet} trust\n")
    server.start()
    yield server.create_database()


def build_images(podman: Engine, project: Path) -> None:
    """Make the image of the project, and what podman needs for pods."""
    podman.make_stand_ins()
    pause = podman.folder / "pause"
    pause.mkdir()
    (pause / "Dockerfile").write_text(
        'FROM localhost/base\nCMD ["sleep", "infinity"]\n', encoding="utf-8"
    )
    podman.build(pause, PAUSE)
    run(project, "uv", "lock")
    options = ("--pull=never", "--network", "host", "--tag", IMAGE)
    podman.run(project, "buildah", "build", *options, ".", seconds=900)


@contextmanager
def pod_network(podman: Engine) -> Iterator[tuple[str, str, str]]:
    """Make a network for pods; yield its name, its gateway and its subnet."""
    name = f"pods-{secrets.token_hex(4)}"
    podman.run(podman.folder, "podman", "network", "create", "--disable-dns", name)
    subnet = "{{range .Subnets}}{{.Gateway}} {{.Subnet}}{{end}}"
    found = podman.run(
        podman.folder, "podman", "network", "inspect", "--format", subnet, name
    )
    gateway, network = found.split()
    try:
        yield name, gateway, network
    finally:
        podman.run(podman.folder, "podman", "network", "rm", "--force", name)


@pytest.fixture
def cluster(project: Project, tmp_path: Path) -> Iterator[Cluster]:
    """Run the migrations' job, two pods of the site, and a worker."""
    folder = project(WITH_GALLERY)
    storage = tmp_path / "containers"
    storage.mkdir()
    port = free_port()
    bucket = f"{port}/photos-{uuid4().hex}"
    # The name of the host is no bucket's.
    moto = ["env", "S3_IGNORE_SUBDOMAIN_BUCKETNAME=true", sys.executable, "-m"]
    moto += ["moto.server", "-H", EVERYWHERE, "-p", str(port)]
    with (
        engine(storage) as podman,
        running(moto, port, tmp_path / "storage.log"),
        running_postgresql() as server,
    ):
        build_images(podman, folder)
        assert fetch(f"http://127.0.0.1:{bucket}", "PUT").status == 200
        with (
            pod_network(podman) as (network, gateway, subnet),
            open_to_pods(server, subnet) as url,
        ):
            values = production(folder) | {"DATABASE_URL": url}
            account = "s3://key:a%2Fsecret"
            values["STORAGE_URL"] = f"{account}@127.0.0.1:{bucket}?region=us-east-1"
            site = Site(
                folder,
                "https://example.com",
                values,
                create_default_context(),
                podman.service,
                tmp_path / "log",
            )
            inside = values | {
                "DATABASE_URL": url.replace("127.0.0.1", gateway),
                "STORAGE_URL": values["STORAGE_URL"].replace("127.0.0.1", STORAGE_HOST),
            }
            names = read_manifests()["ConfigMap/site"]["data"]
            files = [it.removesuffix("_FILE") for it in names if it.endswith("_FILE")]
            kept = {it.lower(): inside[it] for it in files}
            limits = {"UPLOADS_PER_HOUR": "100000", "UPLOAD_DECODE_SECONDS": "100000"}
            found = Cluster(podman, network, gateway, limits, kept, site)
            found.play("Job/migrate-RELEASE", "migrate")
            assert found.run("wait", "migrate-migrate").strip() == "0", found.run(
                "logs", "migrate-migrate"
            )
            site.python(CREATE_PEOPLE)
            found.play("Deployment/worker", "worker")
            for name in ("site-1", "site-2"):
                found.start_site(name)
            yield found


def check_both_pods(cluster: Cluster) -> None:
    """Upload a photo at each pod, and see it at the other one."""
    pods = cluster.answering
    person = cluster.people(EMAILS)[0]
    for one, other in permutations(pods):
        person.pods = {one: pods[one]}
        title = f"Photo {uuid4()}"
        assert person.upload(photo(), title=title).status == 302
        person.pods = {other: pods[other]}
        assert title in person.get(MINE).text
    for address in pods.values():
        with pytest.raises(ConnectionRefusedError):  # nginx alone reaches gunicorn
            socket.create_connection((address, 8000), HANG_SECONDS)


def photo() -> bytes:
    """Return a photo that takes little time to decode."""
    return encode(landscape(1, (640, 480)))


class Load:
    """People who upload photos and delete some, and what they were told."""

    def __init__(self, people: list[Person]) -> None:
        """Begin with nothing."""
        self.people = people
        self.stop = threading.Event()
        self.uploaded: set[str] = set()
        self.deleted: set[str] = set()
        self.unsure: set[str] = set()

    def work(self, person: Person) -> None:
        """Upload until the end, and delete every third photo."""
        for number in count(1):
            if self.stop.wait(0.2):
                return
            title = f"Photo {uuid4()}"
            with suppress(OSError, HTTPException, AssertionError):
                if person.upload(photo(), title=title).status != 302:
                    continue
                self.uploaded.add(title)
                if number % 3 == 0:
                    self.delete(person, title)

    def delete(self, person: Person, title: str) -> None:
        """Delete the newest photo, which has this title."""
        self.unsure.add(title)
        page = person.get(MINE).text
        newest = PAGE_OF_PHOTO.findall(page)[0]
        answer = person.post(f"{newest}delete/", {}, page=newest)
        assert answer.status == 302
        self.unsure.remove(title)
        self.deleted.add(title)

    def has_done(self, uploads: int) -> bool:
        """Return whether so many uploads and some deletions were acknowledged."""
        return len(self.uploaded) >= uploads and bool(self.deleted)


def check_kills(cluster: Cluster) -> None:
    """Kill a pod and the worker under load: what was acknowledged is there."""
    load = Load(cluster.people(EMAILS))
    with ThreadPoolExecutor(len(load.people)) as threads:
        working = [threads.submit(load.work, person) for person in load.people]
        try:
            wait_until(lambda: load.has_done(12), "no uploads")
            cluster.run("kill", "--signal", "KILL", "site-1-site", "site-1-nginx")
            del cluster.answering["site-1"]
            cluster.run("kill", "--signal", "KILL", "worker-worker")
            before = len(load.uploaded)
            wait_until(lambda: load.has_done(before + 6), "no uploads at one pod")
            cluster.play("Deployment/worker", "worker")
            cluster.start_site("site-1")
            before = len(load.uploaded)
            wait_until(lambda: load.has_done(before + 12), "no uploads at both pods")
        finally:
            load.stop.set()
        assert [it.result() for it in working] == [None] * len(working)
    rows = cluster.rows()
    titles = set(rows.values())
    assert load.uploaded - load.deleted - load.unsure <= titles
    assert not load.deleted & titles
    kept = dict.fromkeys(rows, 2)
    assert kept.items() <= dict(cluster.stored_photos()).items()
    code = "print(*Photo.objects.filter(status='deleted').values_list('pk', flat=True))"
    gone = set(cluster.site.python(code).split())
    assert len(gone) >= len(load.deleted)
    wait_until(lambda: not gone & cluster.stored_photos().keys(), "files are left")
    print(  # noqa: T201
        f"{len(load.uploaded)} uploads and {len(load.deleted)} deletions acknowledged"
    )


def accepts(address: str) -> bool:
    """Return whether nginx of a pod accepts connections."""
    try:
        socket.create_connection((address, 8080), HANG_SECONDS).close()
    except ConnectionRefusedError:
        return False
    return True


def check_end_of_pod(cluster: Cluster) -> None:
    """End a pod in the kubelet's order while six people upload: all are stored."""
    nginx = pod_of(read_manifests()["Deployment/site"])["containers"][0]
    before_stop = nginx["lifecycle"]["preStop"]["exec"]["command"]
    address = cluster.answering["site-2"]
    begun = threading.Semaphore(0)
    # A process decodes one photo and lets two wait, so they end one after the other.
    slow = [
        SlowPerson(cluster.site, it.cookies, pods={"site-2": address}, begun=begun)
        for it in cluster.people(SLOW_EMAILS)
    ]
    tokens = [person.token(UPLOAD_PAGE) for person in slow]
    titles = [f"Slow {uuid4()}" for _ in slow]

    def end_pod() -> None:
        # It ends with the container in which it runs.
        with suppress(AssertionError):
            cluster.run("exec", "site-2-nginx", *before_stop)
        assert cluster.run("wait", "site-2-nginx").strip() == "0"
        cluster.run("stop", "--time", "30", "site-2-site")

    with ThreadPoolExecutor(len(slow) + 1) as threads:
        uploads = [
            threads.submit(person.upload, photo(), title=title, token=token)
            for person, title, token in zip(slow, titles, tokens, strict=True)
        ]
        try:
            for _ in slow:
                assert begun.acquire(timeout=HANG_SECONDS)
            del cluster.answering["site-2"]
            ended = threads.submit(end_pod)
            wait_until(lambda: not accepts(address), "nginx does not end")
            statuses = []
            for person, upload in zip(slow, uploads, strict=True):
                person.turn.set()
                statuses.append(upload.result().status)
        finally:
            for person in slow:
                person.turn.set()
        ended.result()
    assert statuses == [302] * len(slow)
    assert set(titles) <= set(cluster.rows().values())
    print(f"{len(statuses)} slow uploads stored while a pod ended")  # noqa: T201


def test_nothing_is_lost_when_pods_are_killed_or_end(cluster: Cluster) -> None:
    check_both_pods(cluster)
    check_kills(cluster)
    # As the page says, and without the line of the domain, which leads nowhere here.
    look = ("python", "manage.py", "status", "--skip", "backup", "https")
    assert "BAD" not in cluster.run("exec", "worker-worker", *look)
    check_end_of_pod(cluster)
