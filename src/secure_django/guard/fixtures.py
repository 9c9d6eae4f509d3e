"""The fixtures of the tests that request every page as every person."""

import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from random import Random
from types import SimpleNamespace

import pytest
from django.conf import settings
from django.db import transaction
from django.test import override_settings
from pytest_django import DjangoDbBlocker

from secure_django.guard.deletions import rolled_back
from secure_django.guard.noticing import handled_exceptions
from secure_django.guard.objects import NoWorldError
from secure_django.guard.results import FOLDER
from secure_django.guard.sending import Sender, record_logs, record_names, record_opened
from secure_django.guard.tables import OWN_APPS, functions
from secure_django.guard.world import World

# Not in the database: the readiness check could not read a table that a transaction
# has changed.
CACHES = {
    alias: {
        "BACKEND": "secure_django.guard.sending.RecordingCache",
        "LOCATION": alias,
    }
    for alias in settings.CACHES
}


# A slow one takes half a second for each password that is compared.
HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]

MIDDLEWARE = settings.MIDDLEWARE
INNERMOST = "secure_django.guard.sending.InnermostMiddleware"

NEVER = property(lambda _block: False, lambda _block, _value: None)


@pytest.fixture(scope="session")
def world_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("world")


class Stage:
    """Where the world is, in a transaction, until another test than the guard's runs.

    A project may take seconds to make its objects, so they are not made by each module.
    """

    def __init__(self, folder: Path, blocker: DjangoDbBlocker) -> None:
        self.folder = folder
        self.blocker = blocker
        self.transaction = ExitStack()
        self.world: World | None = None

    def open(self) -> World:
        """Return the world as it was made."""
        if self.world is None:
            self.transaction.enter_context(self.blocker.unblock())
            self.transaction.enter_context(rolled_back())
            try:
                self.world = self.make()
            finally:
                if self.world is None:  # no half of it stays
                    self.close()
        else:
            self.world.refresh()
        return self.world

    def make(self) -> World:
        with pytest.MonkeyPatch.context() as monkeypatch, arranged(self.folder):
            prepare(monkeypatch)
            repeat_uuids(monkeypatch)
            return make_world()

    def close(self) -> None:
        self.transaction.close()
        self.world = None


STAGE = pytest.StashKey[Stage]()


@pytest.fixture(scope="session")
def stage(
    world_folder: Path,
    django_db_setup: None,
    django_db_blocker: DjangoDbBlocker,
    pytestconfig: pytest.Config,
) -> Iterator[Stage]:
    stage = Stage(world_folder, django_db_blocker)
    pytestconfig.stash[STAGE] = stage
    yield stage
    stage.close()


# Of a module, so that it begins before the transaction of each test.
@pytest.fixture(scope="module")
def world(stage: Stage) -> World:
    """Return the people and objects, which each test finds as they were."""
    return stage.open()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Take the world away before a test that is not the guard's."""
    stage = item.config.stash.get(STAGE, None)
    if stage and item.path.parent != FOLDER:
        stage.close()


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
        MEDIA_ROOT=folder / "media",
        CACHES=CACHES,
        PASSWORD_HASHERS=HASHERS,
        MIDDLEWARE=[*MIDDLEWARE, INNERMOST],
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
