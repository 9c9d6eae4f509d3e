"""Copied into a project with the recipe of Kubernetes."""

# Imports are those of the generated project.
# mypy: ignore-errors
# ruff: noqa: INP001

import re
import runpy

from django.conf import settings
from django.urls import resolve, reverse

FOLDER = settings.BASE_DIR / "deploy" / "kubernetes"
LARGEST_UPLOAD = 20 * 1024**2


def read(name: str) -> str:
    return (FOLDER / name).read_text(encoding="utf-8")


def number(pattern: str, text: str) -> int:
    """Return the number that a text has once."""
    (found,) = re.findall(pattern, text)
    return int(found)


def test_every_variable_is_one_of_the_project() -> None:
    example = (settings.BASE_DIR / ".env.example").read_text(encoding="utf-8")
    known = set(re.findall(r"^([A-Z_]+)=", example, re.MULTILINE))
    used = re.findall(r"^  ([A-Z_]+): ", read("settings.yaml"), re.MULTILINE)
    assert len(used) > 8
    assert {name.removesuffix("_FILE") for name in used} <= known


def test_probes_are_the_health_checks() -> None:
    probes = re.findall(r"httpGet: \{path: (\S+), port", read("site.yaml"))
    assert [resolve(path).url_name for path in probes] == [
        "health_live",
        "health_ready",
    ]


def test_nginx_lets_the_largest_request_through_and_logs_no_reset_link() -> None:
    text = read("network.yaml")
    overhead = settings.BODY_MAX_BYTES - settings.UPLOAD_MAX_BYTES
    limit = number(r"client_max_body_size (\d+)m;", text) * 1024**2
    assert limit == LARGEST_UPLOAD + overhead
    link = reverse("account_reset_password_from_key", args=["a", "b"])
    silent = re.findall(r'location ~ "(\S+)" \{\s+#.+\s+error_log /dev/null', text)
    assert re.search(silent[0], link)
    assert re.search(silent[0], f"/notes/shared/{'a' * 43}/")


def test_pod_lives_as_long_as_its_uploads() -> None:
    text = read("site.yaml")
    gunicorn = runpy.run_path(str(settings.BASE_DIR / "gunicorn.conf.py"))
    longest = number(r"terminationGracePeriodSeconds: (\d+)", text)
    before = number(r"sleep (\d+); kill -QUIT", text)
    nginx = number(r"worker_shutdown_timeout (\d+)s;", read("network.yaml"))
    assert longest > before + nginx + gunicorn["graceful_timeout"]
    worker = number(r"terminationGracePeriodSeconds: (\d+)", read("worker.yaml"))
    assert worker >= settings.GRACE_SECONDS
