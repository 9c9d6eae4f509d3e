"""The input of a form for photos, as a page shows it."""

import pytest
from django import forms
from pytest_django import Settings

from secure_django.photos.forms import PhotoFormField
from secure_django.testing.photos import PUBLIC


class CardForm(forms.Form):
    image = PhotoFormField(purpose=PUBLIC)


@pytest.mark.control("V5.1.1")
def test_input_names_the_enforced_limits(settings: Settings) -> None:
    settings.UPLOAD_MAX_BYTES = 3 * 1024**2
    text = str(CardForm()["image"])
    assert f'data-max-bytes="{3 * 1024**2}"' in text
    assert 'accept="image/jpeg,image/png,image/webp"' in text
    assert "up to 3.0\xa0MB." in text
