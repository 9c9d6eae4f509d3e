"""The input of a form for photos, as a page shows it."""

import pytest
from django import forms
from django.utils.translation import override
from pytest_django import Settings

from secure_django.photos.forms import PhotoFormField
from secure_django.photos.templatetags.photos import size
from secure_django.testing.photos import PUBLIC


class CardForm(forms.Form):
    image = PhotoFormField(purpose=PUBLIC)


@pytest.mark.control("V5.1.1")
def test_input_names_the_enforced_limits(settings: Settings) -> None:
    settings.UPLOAD_MAX_BYTES = 3 * 1024**2
    text = str(CardForm()["image"])
    assert f'data-max-bytes="{3 * 1024**2}"' in text
    assert 'accept="image/jpeg,image/png,image/webp"' in text
    assert "up to 3\xa0MB." in text


@pytest.mark.parametrize(
    ("number", "language", "text"),
    [
        (10 * 1024**2, "en", "10 MB"),
        (10 * 1024**2, "de", "10 MB"),
        (1536 * 1024, "en", "1.5 MB"),
        (1536 * 1024, "de", "1,5 MB"),
        (300 * 1024, "en", "300 KB"),
        (1, "en", "1 byte"),
    ],
)
def test_size_has_no_decimal_zero(number: int, language: str, text: str) -> None:
    with override(language):
        assert size(number) == text.replace(" ", "\xa0")
