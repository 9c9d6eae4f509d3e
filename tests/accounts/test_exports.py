"""What the download of one's data says about sessions, devices and factors."""

import json

import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession

from secure_django.login.models import Device
from secure_django.testing import Login
from secure_django.testing.people import prove_second_factor
from users.models import User


@pytest.mark.control("V8.2.2")
def test_download_names_sessions_devices_and_factors_without_secrets(
    login: Login, user: User
) -> None:
    visitor = login(user)
    device = Device.objects.create(user=user)
    UserSession.objects.create(
        user=user, ip="192.0.2.1", user_agent="Netscape", session_key="k" * 32
    )
    EmailAddress.objects.create(user=user, email="second@example.com")
    prove_second_factor(visitor, user)
    response = visitor.post("/accounts/profile/export/")
    data = json.loads(response.getvalue())
    assert {"user_agent", "ip", "created_at", "last_seen_at"} == {*data["sessions"][0]}
    factors = {factor["name"] for factor in data["second_factors"]}
    assert "TOTP Authenticator" in factors
    assert {*data["second_factors"][0]} == {"name", "created_at", "last_used_at"}
    assert {"used_at"} == {*data["devices"][0]}
    assert "second@example.com" in {row["email"] for row in data["emails"]}
    secrets = [device.key, visitor.session.session_key]
    secrets += [session.session_key for session in UserSession.objects.all()]
    for factor in Authenticator.objects.all():
        secrets += [str(value) for value in factor.data.values()]
    for secret in secrets:
        assert str(secret) not in response.getvalue().decode()
