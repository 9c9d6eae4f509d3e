"""Robustness tests that are copied into a generated project.

They cover forms, queries, failures, the worker and personal data.
"""

# These imports exist in a generated project only; test_emitted.py checks the types
# there.
# mypy: ignore-errors
# ruff: noqa: ANN401, EM101, F811, I001, INP001, TRY003

import faulthandler
import logging
import re
import signal
import time
from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from pathlib import Path
from threading import Event
from typing import Any
from unittest.mock import Mock

import pytest
from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.files.storage import default_storage
from django.core.management import call_command
from django.db import transaction
from django.urls import get_resolver

from core import jobs
from core.jobs import Job
from core.management.commands import worker
from core.testing import (
    PASSWORD,
    HTTPSClient,
    Login,
    MakePhoto,
    Upload,
    in_environment,
    start,
)
from uploads import limits
from uploads.models import Photo
from uploads.tests.conftest import upload  # noqa: F401 - a fixture
from users.models import User


def urls(
    patterns: list[Any], values: Mapping[str, object], prefix: str = "/"
) -> Iterator[str]:
    """Yield the URL of every view, with these values for its parameters, or else 1."""
    for pattern in patterns:
        parameter = r"\(\?P<(\w+)>.*?\)|<(?:\w+:)?(\w+)>"
        part = re.sub(
            parameter,
            lambda it: str(values.get(it[1] or it[2], 1)),
            str(pattern.pattern),
        )
        if hasattr(pattern, "url_patterns"):
            yield from urls(pattern.url_patterns, values, prefix + part)
        else:
            yield prefix + part.strip("^$")


@pytest.mark.parametrize("target", ["photo", "user"])
def test_forms_ignore_fields_that_they_do_not_offer(
    target: str,
    client: HTTPSClient,
    user: User,
    other_user: User,
    make_photo: MakePhoto,
) -> None:
    new, photo = "a harbor at noon", make_photo()
    fields = dict.fromkeys(("password", "old_password", "oldpassword"), PASSWORD)
    fields |= dict.fromkeys(
        ("new_password1", "new_password2", "password1", "password2"), new
    )
    fields |= {
        "is_staff": "1",
        "is_superuser": "1",
        "user_permissions": "1",
        "groups": "1",
        "status": "approved",
    }
    fields |= {"owner": str(other_user.pk), "user": str(other_user.pk)}
    object_id = photo.pk if target == "photo" else user.pk
    values = {
        "photo_id": photo.pk,
        "object_id": object_id,
        "variant": "display",
        "app_label": "uploads",
    }
    for url in urls(get_resolver().url_patterns, values):
        with transaction.atomic():
            client.force_login(user)
            client.post(url, fields)
            user.refresh_from_db()
            photo.refresh_from_db()
            assert (
                user.is_staff,
                user.is_superuser,
                user.user_permissions.count(),
            ) == (False, False, 0), url
            assert (photo.status != "approved", photo.owner) == (True, user), url
            transaction.set_rollback(True)


def test_example_documents_the_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    example = (
        (settings.BASE_DIR / ".env.example")
        .read_text(encoding="utf-8")
        .partition("# Optional")[2]
    )
    values = dict(re.findall(r"^(\w+)=(.*)$", example, re.MULTILINE))
    documented, default = (
        in_environment(monkeypatch, **it) for it in (values, dict.fromkeys(values, ""))
    )
    assert values
    assert not [
        name for name in default if name.isupper() and default[name] != documented[name]
    ]


def test_storage_failure_leaves_no_photo_and_no_files(
    login: Login,
    user: User,
    upload: Upload,
    media: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    save = default_storage.save

    def fail(name: str, content: Any) -> str:
        if "thumbnail" in name:
            raise OSError("disk full")
        return str(save(name, content))

    monkeypatch.setattr(default_storage, "save", fail)
    client = login(user)
    client.raise_request_exception = False
    assert upload(client).status_code == 500
    assert not Photo.objects.exists()
    assert not [path for path in media.rglob("*") if path.is_file()]


def test_log_of_an_upload_holds_no_personal_data(
    login: Login, user: User, upload: Upload, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    upload(login(user), name="private-name.jpg", title="Private title")
    for private in (user.email, "private-name", "Private title"):
        assert private not in caplog.text


def test_upload_without_a_place_to_wait_is_refused_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(limits.decoding, "most_waiting", 0)
    monkeypatch.setattr(limits.decoding.changed, "wait", wait := Mock())
    with pytest.raises(ValidationError) as busy, limits.decoder(0):
        pass
    assert (busy.value.code, limits.decoding.waiting) == ("busy", [])
    assert not wait.called


@pytest.mark.parametrize("folder", ["static", "media"])
def test_photos_are_not_served_through_a_link(folder: str, tmp_path: Path) -> None:
    link, target = settings.BASE_DIR / folder / "linked", tmp_path
    if folder == "media":
        link, target = tmp_path / "linked", settings.BASE_DIR / "static"
    link.symlink_to(target, target_is_directory=True)
    try:
        assert "  MEDIA_ROOT: " in start(MEDIA_ROOT=str(link)).stderr
    finally:
        link.unlink()


@pytest.mark.django_db
def test_worker_outlives_errors_and_ends_after_a_signal(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    handlers: dict[int, Any] = {}
    done: list[Any] = []
    results: Iterator[Any] = iter(
        [
            lambda: True,
            lambda: False,
            lambda: 1 / 0,
            lambda: handlers[signal.SIGTERM](15, None),
        ]
    )
    clock = iter(range(0, 1000, 5))

    def often() -> Any:
        done.append("often")
        return next(results)()

    class Stop(Event):
        def wait(self, timeout: float | None = None) -> bool:
            assert len(done) < 50
            done.append(timeout)
            return self.is_set()

    for owner, name, replacement in (
        (signal, "signal", handlers.__setitem__),
        (
            jobs,
            "JOBS",
            [Job(often, 5, ""), Job(lambda: done.append("seldom"), 5000, "")],
        ),
        (worker, "Event", Stop),
        (worker, "close_old_connections", lambda: done.append("reconnect")),
        (time, "time", lambda: next(clock)),
        (
            faulthandler,
            "dump_traceback_later",
            lambda _, **options: done.append(options),
        ),
        (faulthandler, "cancel_dump_traceback_later", lambda: None),
        (worker, "recorded_run", nullcontext),
    ):
        monkeypatch.setattr(owner, name, replacement)
    call_command("worker")
    beat = {"exit": True}  # ends the process if it hangs
    first = [0, beat, "often", "reconnect", beat, "seldom", "reconnect"]
    others = [beat, "often", "reconnect"]
    assert done == [*first, 0, *others, 5, *others, 5, *others, 5]
    assert set(handlers) == {signal.SIGINT, signal.SIGTERM}
    assert [record.levelname for record in caplog.records] == ["ERROR"]
