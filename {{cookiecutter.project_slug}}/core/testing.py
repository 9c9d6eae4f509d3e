"""What the tests of all apps share, beside the fixtures in conftest.py."""

import os
import subprocess
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.test import Client

if TYPE_CHECKING:
    from uploads.models import Photo
    from users.models import User

type MakeUser = Callable[..., User]
type MakePhoto = Callable[..., Photo]
type Login = Callable[[User], HTTPSClient]
type MakeImage = Callable[..., bytes]
type Upload = Callable[..., Any]

PASSWORD = "correct horse battery staple"


class HTTPSClient(Client):
    """A test client that sends every request by HTTPS. Staff log in with their second factor, if there is one."""

    def force_login(self, user: Any, backend: str | None = None) -> None:
        super().force_login(user, backend or settings.AUTHENTICATION_BACKENDS[-1])

        # % if cookiecutter.auth_app
        from accounts.tests.people import prove_second_factor

        if user.is_staff:
            prove_second_factor(self, user)

        # % endif

    def generic(self, *args: Any, **kwargs: Any) -> Any:
        return super().generic(*args, **kwargs | {"secure": True})


def start(**changes: str) -> subprocess.CompletedProcess[str]:
    """Run a command in the production environment of the tests, with changes."""
    return subprocess.run(
        [sys.executable, "manage.py", "check"],
        cwd=settings.BASE_DIR,
        env=os.environ | {"DJANGO_SETTINGS_MODULE": "config.settings"} | changes,
        capture_output=True,
        text=True,
        check=False,
    )
