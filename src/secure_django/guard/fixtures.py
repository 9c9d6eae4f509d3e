"""The fixtures of the tests that request every page as every person."""

import os
from collections.abc import Iterator
from pathlib import Path
from random import Random
from types import SimpleNamespace

import pytest
from django.db import transaction
from django.test import override_settings
from pytest_django import DjangoDbBlocker

from secure_django.guard.noticing import handled_exceptions
from secure_django.guard.objects import NoWorldError
from secure_django.guard.sending import Sender, record_logs, record_names, record_opened
from secure_django.guard.tables import OWN_APPS, functions
from secure_django.guard.world import World

# Not in the database: the readiness check could not read a table that a transaction
# has changed.
CACHES = {"default": {"BACKEND": "secure_django.guard.sending.RecordingCache"}}


# A slow one takes half a second for each password that is compared.
HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]

NEVER = property(lambda _block: False, lambda _block, _value: None)


@pytest.fixture(scope="module")
def world_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("world")


@pytest.fixture(scope="module")
def world(
    world_folder: Path, django_db_setup: None, django_db_blocker: DjangoDbBlocker
) -> Iterator[World]:
    """Yield the people and objects, which each test of a module finds as they were."""
    with django_db_blocker.unblock(), transaction.atomic():
        with pytest.MonkeyPatch.context() as monkeypatch, arranged(world_folder):
            prepare(monkeypatch)
            repeat_uuids(monkeypatch)
            world = make_world()
        yield world
        transaction.set_rollback(True)


def make_world() -> World:
    """Return a world. What a project can correct fails in one sentence."""
    try:
        return World()
    except NoWorldError as error:
        pytest.fail(str(error), pytrace=False)


def repeat_uuids(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let uuid4() return the same in each run.

    Rows are taken in the order of their keys. Models hold the function itself, so what
    it calls is replaced, and nobody else's os.urandom().
    """
    names = vars(os) | {"urandom": Random("guard").randbytes}  # noqa: S311
    monkeypatch.setattr("uuid.os", SimpleNamespace(**names))


@pytest.fixture
def sender(
    world: World, world_folder: Path, db: None, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Sender]:
    """Yield the object that sends requests as any user."""
    prepare(monkeypatch)
    with arranged(world_folder), handled_exceptions(app.path for app in OWN_APPS):
        sender = Sender(world)
        record_logs(sender, monkeypatch)
        record_names(sender, monkeypatch)
        record_opened(sender, monkeypatch)
        yield sender
        sender.restore_files()


def arranged(folder: Path) -> override_settings:
    return override_settings(
        MEDIA_ROOT=folder / "media", CACHES=CACHES, PASSWORD_HASHERS=HASHERS
    )


def prepare(monkeypatch: pytest.MonkeyPatch) -> None:
    """Replace what the apps' tables replace, and what waits for a commit."""
    # A test's transaction is never committed.
    monkeypatch.setattr(
        "django.db.transaction.on_commit", lambda function, **kwargs: function()
    )
    # Django refuses a durable block within a test's transaction, but for those of its
    # own test cases, which it marks by a private name. A property, since decorated
    # functions hold blocks that were made before.
    monkeypatch.setattr(transaction.Atomic, "durable", NEVER, raising=False)
    for replace in functions("prepare"):
        replace(monkeypatch)
