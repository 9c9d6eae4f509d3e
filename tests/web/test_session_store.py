"""Rows of sessions: what they have, what opens them, and what is left without a key."""

import logging
import sys
from datetime import timedelta
from io import StringIO
from types import ModuleType

import pytest
from asgiref.sync import async_to_sync
from cryptography.fernet import Fernet
from django.conf import settings as project_settings
from django.contrib.sessions.backends.base import UpdateError
from django.contrib.sessions.base_session import AbstractBaseSession
from django.contrib.sessions.models import Session as DjangosSession
from django.core.management import call_command
from django.db import connection, models
from django.test.utils import isolate_apps
from django.utils import timezone
from pytest_django import Settings

from secure_django.encryption import encrypt
from secure_django.models import Session
from secure_django.sessions import (
    KeyHash,
    SessionKeyField,
    SessionStore,
    hash_key,
    is_in_use,
)
from secure_django.testing import HTTPSClient, Login, is_logged_in
from users.models import User

COOKIE = project_settings.SESSION_COOKIE_NAME


@pytest.mark.control("dump")
def test_row_has_a_hash_of_the_key_and_data_that_nobody_reads(db: None) -> None:
    session = SessionStore()
    session["seed"] = "secret of a second factor"
    session.save()
    key = str(session.session_key)
    with connection.cursor() as cursor:
        cursor.execute("SELECT session_key, session_data FROM secure_django_session")
        ((stored_key, data),) = cursor.fetchall()
    assert stored_key == str(hash_key(key))
    assert len(stored_key) == 40
    assert data.startswith("gAAAAA")  # Fernet
    row = Session.objects.get(session_key=key)
    assert str(row) == stored_key
    assert row.get_decoded() == {"seed": "secret of a second factor"}
    assert SessionStore(key)["seed"] == "secret of a second factor"


@pytest.mark.control("dump")
def test_hash_in_a_cookie_opens_and_ends_no_session(
    login: Login, user: User, client: HTTPSClient
) -> None:
    login(user)
    key = client.cookies[COOKIE].value
    stored_key = str(Session.objects.get().session_key)
    for text in (stored_key, str(hash_key(stored_key)), key.upper()):
        thief = HTTPSClient()
        thief.cookies[COOKIE] = text
        assert not is_logged_in(thief)
        thief.post("/accounts/logout/")
        thief.cookies[COOKIE] = text
        thief.post("/accounts/login/", {"login": "a@example.com", "password": "b"})
    assert is_logged_in(client)
    assert SessionStore(stored_key).load() == {}
    assert not SessionStore().exists(stored_key)
    SessionStore().delete(stored_key)
    assert is_logged_in(client)


def test_session_keeps_its_row_until_its_key_changes(db: None) -> None:
    session = SessionStore()
    session["number"] = 1
    session.save()
    old_key = str(session.session_key)
    again = SessionStore(old_key)
    again["number"] = 2
    again.save()
    assert Session.objects.count() == 1
    again.cycle_key()
    assert not SessionStore().exists(old_key)
    assert SessionStore(old_key).load() == {}
    assert SessionStore(again.session_key)["number"] == 2
    with pytest.raises(UpdateError):
        session.save()
    again.flush()
    assert not Session.objects.exists()


def test_code_that_knows_the_hash_finds_compares_and_ends_a_session(db: None) -> None:
    session = SessionStore()
    session["number"] = 1
    session.save()
    key = str(session.session_key)
    found = Session.objects.get().session_key
    assert isinstance(found, KeyHash)
    assert found == key
    assert key == found
    assert found == str(found)
    assert found != "another key"
    assert found != 1
    assert SessionStore(found)["number"] == 1
    SessionStore().delete(found)
    assert not SessionStore().exists(key)


@pytest.mark.control("dump")
@isolate_apps("example")
def test_store_of_a_team_hashes_and_encrypts_or_is_refused(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Django's documents let a model of sessions inherit from AbstractBaseSession."""

    class InClear(AbstractBaseSession):
        class Meta:
            app_label = "example"

    class WithHashAlone(AbstractBaseSession):
        session_key = SessionKeyField(max_length=40, primary_key=True)

        class Meta:
            app_label = "example"

    class OfAccount(Session):
        class Meta:
            app_label = "example"

    engine = ModuleType("engine_of_a_team")
    monkeypatch.setitem(sys.modules, engine.__name__, engine)
    settings.SESSION_ENGINE = engine.__name__
    for model, is_safe in ((InClear, False), (WithHashAlone, False), (OfAccount, True)):
        options = {"get_model_class": classmethod(lambda cls, it=model: it)}
        store = type("SessionStore", (SessionStore,), options)
        monkeypatch.setattr(engine, "SessionStore", store, raising=False)
        assert is_in_use() is is_safe


@pytest.mark.django_db(transaction=True)
@isolate_apps("example")
def test_session_of_a_team_has_a_column_of_its_own() -> None:
    class OfAccount(Session):
        account = models.IntegerField(default=7)

        class Meta:
            app_label = "example"

    class Store(SessionStore):
        @classmethod
        def get_model_class(cls) -> type[Session]:
            return OfAccount

    with connection.schema_editor() as editor:
        editor.create_model(OfAccount)
    try:
        session = Store()
        session.save()
        session["number"] = 2
        session.save()
        key = str(session.session_key)
        assert Store(key)["number"] == 2
        assert OfAccount.objects.get(session_key=key).account == 7
        session.flush()
        assert not Session.objects.exists()
    finally:
        with connection.schema_editor() as editor:
            editor.delete_model(OfAccount)


def test_store_works_in_async_views(client: HTTPSClient, user: User) -> None:
    async def visit() -> None:
        session = SessionStore()
        await session.aset("number", 1)
        await session.asave()
        old_key = str(session.session_key)
        assert await SessionStore(old_key).aget("number") == 1
        assert await SessionStore(str(hash_key(old_key))).aload() == {}
        await session.acycle_key()
        assert not await session.aexists(old_key)
        assert await session.aexists(str(session.session_key))
        await session.aflush()
        assert not await Session.objects.aexists()
        await client.aforce_login(user)
        assert await (await client.asession()).aget("_auth_user_id") == str(user.pk)
        await SessionStore.aclear_expired()

    async_to_sync(visit)()
    assert is_logged_in(client)


def test_session_outlasts_the_rotation_of_both_keys(
    login: Login, user: User, settings: Settings
) -> None:
    client = login(user)
    old_key = settings.FIELD_ENCRYPTION_KEYS[0]
    new_key = Fernet.generate_key().decode()
    settings.FIELD_ENCRYPTION_KEYS = [new_key, old_key]
    assert SessionStore(client.cookies[COOKIE].value)["_auth_user_id"] == str(user.pk)
    out = StringIO()
    call_command("rotate_encryption", stdout=out)
    assert "secure_django.Session.session_data: 1 re-encrypted" in out.getvalue()
    settings.FIELD_ENCRYPTION_KEYS = [new_key]
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "a new secret key of the site" * 2
    assert is_logged_in(client)
    settings.SECRET_KEY_FALLBACKS = []
    assert is_logged_in(client)


@pytest.mark.parametrize(
    "damage", ["key", "token", "another column", "another text", "nothing"]
)
def test_session_that_cannot_be_read_is_an_empty_one(
    damage: str,
    login: Login,
    user: User,
    settings: Settings,
    caplog: pytest.LogCaptureFixture,
) -> None:
    client = login(user)
    with connection.cursor() as cursor:
        cursor.execute("SELECT session_data FROM secure_django_session")
        (token,) = cursor.fetchone()
        if damage == "key":
            settings.FIELD_ENCRYPTION_KEYS = [Fernet.generate_key().decode()]
        else:
            stored = {
                "token": f"{token[:-9]}AAAAAAAA=",
                "another column": encrypt("text", "another.column"),
                "another text": encrypt("text", "secure_django.session.session_data"),
                "nothing": "",
            }
            cursor.execute(
                "UPDATE secure_django_session SET session_data = %s", [stored[damage]]
            )
    assert not is_logged_in(client)
    assert client.get("/").status_code == 200
    assert any(record.levelno >= logging.WARNING for record in caplog.records)
    assert str(client.cookies[COOKIE].value) not in caplog.text
    client.force_login(user)
    assert is_logged_in(client)


@pytest.mark.control("V14.2.7")
def test_sweep_deletes_expired_sessions_of_both_stores(db: None) -> None:
    """A project that has changed its store leaves rows with cookies behind."""
    now = timezone.now()
    for minutes in (-1, 1):
        expire_date = now + timedelta(minutes=minutes)
        Session.objects.create(session_key=f"key{minutes}", expire_date=expire_date)
        DjangosSession.objects.create(
            session_key=f"key{minutes}", expire_date=expire_date
        )
    call_command("worker", "--once")
    assert Session.objects.get().expire_date > now
    assert DjangosSession.objects.get().expire_date > now
