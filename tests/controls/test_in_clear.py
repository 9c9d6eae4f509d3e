"""The reasons for texts that are stored in clear."""

from typing import ClassVar

import pytest
from django.db import models
from django.test.utils import isolate_apps

from secure_django.controls import test_encryption as control
from secure_django.login.models import AbstractUser
from users.models import User


def test_reasons_of_a_model_add_to_those_of_its_bases(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(
        User, "in_clear", {"company": "invoices name it", "email": "it is public"}
    )
    reasons = control.reasons_of(User)
    assert reasons["company"] == "invoices name it"
    assert reasons["email"] == "it is public"
    assert reasons["password"] == AbstractUser.in_clear["password"]
    monkeypatch.setattr(control, "models_of_users", lambda: [User])
    with pytest.raises(AssertionError, match="names what is no text in clear"):
        control.test_texts_of_users_are_encrypted_or_say_why_not()
    monkeypatch.setattr(User, "in_clear", {"email": "it is public"})
    control.test_texts_of_users_are_encrypted_or_say_why_not()


@isolate_apps("example")
def test_reason_of_a_base_is_stale_if_no_model_needs_it() -> None:
    class Titled(models.Model):
        in_clear: ClassVar = {"title": "visitors search it", "text": "it is short"}
        title = models.CharField(max_length=80)
        text = models.TextField()

        class Meta:
            app_label = "example"
            abstract = True

    class Note(Titled):  # noqa: DJ008
        in_clear: ClassVar = {"tag": "lists show it"}
        tag = models.CharField(max_length=80)
        text = None  # type: ignore[assignment]

        class Meta:
            app_label = "example"

    class LongNote(Note):  # noqa: DJ008
        in_clear: ClassVar = {"ending": "lists show it"}
        ending = models.TextField()

        class Meta:
            app_label = "example"

    assert control.reasons_of(LongNote).keys() == {"title", "text", "tag", "ending"}
    assert control.find_stale_reasons([Note, LongNote]) == {"Titled.text"}
