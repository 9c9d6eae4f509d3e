"""What the tests of all apps share, beside the fixtures in conftest.py."""

import os
import runpy
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from time import monotonic, sleep
from typing import TYPE_CHECKING, Any

from django.apps import apps
from django.conf import settings
from django.core.cache.backends.dummy import DummyCache
from django.core.mail.backends.locmem import EmailBackend
from django.test import Client

from secure_django.conf import env
from secure_django.conf.environment import default_modules
from secure_django.mail.outbox import (
    StoredMessage,
    UnknownRecipientError,
    check_recipients,
)

if TYPE_CHECKING:
    import pytest

    from secure_django.photos.models import Photo
    from secure_django.user import User

__all__ = [
    "PASSWORD",
    "HTTPSClient",
    "Login",
    "MakeImage",
    "MakePhoto",
    "MakeUser",
    "Travel",
    "Upload",
    "start",
]

type MakeUser = Callable[..., User]
type MakePhoto = Callable[..., Photo]
type Login = Callable[[User], HTTPSClient]
type MakeImage = Callable[..., bytes]
type Upload = Callable[..., Any]
type Travel = Callable[[timedelta], None]

LOGIN = "/accounts/login/"
PRIVATE = "/accounts/password/change/"  # a page with a form, for logged-in users
PASSWORD = "correct horse battery staple"
HANG_SECONDS = 60  # longer than any step takes on a busy machine: it only ends hangs


def wait_until(condition: Callable[[], object]) -> None:
    """Wait for what other threads do; fail if it does not come."""
    deadline = monotonic() + HANG_SECONDS
    while not condition():
        assert monotonic() < deadline, "What the test waits for did not come."
        sleep(0.001)


def log_in(client: Client, email: str, password: str = PASSWORD, **extra: Any) -> Any:
    return client.post(LOGIN, {"login": email, "password": password}, **extra)


def is_logged_in(client: Client) -> bool:
    # Not by PRIVATE itself: staff may see the pages of their account before they have
    # proved a second factor.
    return bool(client.get("/admin/password_change/").headers["Location"] == PRIVATE)


class HTTPSClient(Client):
    """A test client that sends every request by HTTPS."""

    def force_login(self, user: Any, backend: str | None = None) -> None:
        """Log in, staff with their second factor."""
        super().force_login(user, backend)
        if user.is_staff and apps.is_installed("allauth.mfa"):
            from secure_django.testing.people import prove_second_factor

            prove_second_factor(self, user)

    def request(self, **request: Any) -> Any:
        """Read what a response streams, which closes its file."""
        response: Any = super().request(**request)
        if response.streaming:
            response.streaming_content = [response.getvalue()]
        return response

    def generic(self, *args: Any, **kwargs: Any) -> Any:
        return super().generic(*args, **kwargs | {"secure": True})


def refuse(error: UnknownRecipientError) -> None:
    """Raise the error. The guard notes it instead."""
    raise error


class CheckedEmailBackend(EmailBackend):
    """Keep emails in memory. Check their recipients, as the outbox does."""

    def send_messages(self, messages: Any) -> int:
        for message in messages:
            try:
                check_recipients(message)
            except UnknownRecipientError as error:
                refuse(error)
        return int(super().send_messages(messages))


class ServerEmailBackend(EmailBackend):
    """Keep emails in memory. Take only those that the worker sends."""

    def send_messages(self, messages: Any) -> int:
        if not all(isinstance(message, StoredMessage) for message in messages):
            refuse(UnknownRecipientError("It goes past the outbox: leave out `using`."))
        return int(super().send_messages(messages))


class DeadCache(DummyCache):
    """A cache that cannot be reached."""

    def fail(self, *args: Any, **kwargs: Any) -> Any:
        raise ConnectionError

    get = set = add = delete = touch = fail


def start(*command: str, **changes: str) -> subprocess.CompletedProcess[str]:
    """Run a command in the production environment of the tests, with changes."""
    return subprocess.run(  # noqa: S603
        [sys.executable, "manage.py", *(command or ["check"])],
        cwd=settings.BASE_DIR,
        env=os.environ | {"DJANGO_SETTINGS_MODULE": "config.settings"} | changes,
        capture_output=True,
        text=True,
        check=False,
    )


def in_environment(monkeypatch: "pytest.MonkeyPatch", **changes: str) -> dict[str, Any]:
    """Return the settings of the tests' production environment with changes."""
    with monkeypatch.context() as patch:
        for name, value in changes.items():
            patch.setenv(name, value)
        # The settings of the running tests stay as they are.
        for name, value in vars(env).items():
            patch.setattr(env, name, value)
        for name in default_modules():
            module = sys.modules[name]
            patch.setattr(name, module)
            patch.setitem(sys.modules, name, module)
        return runpy.run_path(str(settings.BASE_DIR / "config" / "settings.py"))
