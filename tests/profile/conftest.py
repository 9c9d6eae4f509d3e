import pytest
from pytest_django import Settings

from secure_django.testing import HTTPSClient, Login
from tests.photos.conftest import decode_once
from users.models import User

__all__ = ["decode_once"]


@pytest.fixture
def visitor(login: Login, user: User) -> HTTPSClient:
    """Return the client of the user, who has the profile."""
    return login(user)


@pytest.fixture
def two_languages(settings: Settings) -> None:
    """Offer English and German, as the recipe for languages does."""
    first, *others = settings.MIDDLEWARE
    middleware = "django.middleware.locale.LocaleMiddleware"
    settings.MIDDLEWARE = [first, middleware, *others]
    settings.LANGUAGES = [("en", "English"), ("de", "German")]
