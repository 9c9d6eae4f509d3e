"""Hashes of passwords that take no time, for rooms whose claims are not about the cost.

The controls in `src/secure_django/controls/test_passwords.py` and the checks of
settings look at the real cost.
"""

import pytest
from django.contrib.auth.hashers import make_password

from secure_django.login.hashers import Argon2idHasher
from secure_django.testing import PASSWORD


def lower_cost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Argon2idHasher, "time_cost", 1)
    monkeypatch.setattr(Argon2idHasher, "memory_cost", 8)  # KiB, the least


@pytest.fixture(autouse=True)
def cheap_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hash and compare in a millisecond instead of thirty."""
    lower_cost(monkeypatch)


@pytest.fixture(scope="session")
def password_hash() -> str:
    """Return the hash of PASSWORD at that cost, so that no log-in hashes it anew."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        lower_cost(monkeypatch)
        return make_password(PASSWORD)
