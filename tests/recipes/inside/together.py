"""The API of notes with the recipe of reminders, and with covers.

Copied into a project with all recipes.
"""

# Imports are those of the generated project.
# mypy: ignore-errors
# ruff: noqa: I001, INP001

import json
from datetime import timedelta
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone

from secure_django.testing import HTTPSClient, MakeImage
from notes.models import Note
from tokens.models import Token
from users.models import User


@pytest.mark.parametrize("method", ["put", "patch", "post"])
def test_api_keeps_a_reminder(method: str, user: User, make_image: MakeImage) -> None:
    at = timezone.now().replace(microsecond=0) + timedelta(days=1)
    note = Note.objects.create(owner=user, title="Milk", remind_at=at)
    token = Token(owner=user, may_write=True)
    header = {"Authorization": f"Bearer {token.new_secret()}"}
    token.save()
    client = HTTPSClient()
    url = f"/api/notes/{note.pk}"
    if method == "post":
        cover = SimpleUploadedFile("a.jpg", make_image(), "image/jpeg")
        response: Any = client.post(f"{url}/cover", {"cover": cover}, headers=header)
    else:
        body = json.dumps({"title": "Bread"})
        kind = "application/json"
        response = client.generic(method.upper(), url, body, kind, headers=header)
    assert response.status_code == 200, response.content
    note.refresh_from_db()
    assert note.remind_at == at
