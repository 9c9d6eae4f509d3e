"""The markup of forms, and what the start page says in development."""

import re

import pytest
from django import forms
from pytest_django import Settings

from secure_django.testing import HTTPSClient, Login, MakeUser

ADVICE = "uv run poe app notes"


class Example(forms.Form):
    title = forms.CharField(help_text="What others see.")
    note = forms.CharField(required=False)
    agreed = forms.BooleanField(label="I agree", help_text="Read it first.")
    color = forms.ChoiceField(
        choices=[("r", "Red"), ("b", "Blue")],
        widget=forms.RadioSelect,
        required=False,
    )


def test_checkbox_stands_before_its_label() -> None:
    field = (
        str(Example()).partition('<div class="check">')[2].partition("</div>\n\n")[0]
    )
    names = re.findall(r"<(input|label|div)\b", field)
    assert names[:3] == ["input", "label", "div"]
    assert '<label for="id_agreed">I agree</label>' in field
    assert 'aria-describedby="id_agreed_helptext"' in field
    assert 'id="id_agreed_helptext">Read it first.' in field


def test_error_of_a_checkbox_is_shown() -> None:
    page = str(Example({"title": "Teal"}))
    assert 'id="id_agreed_error"' in page.partition('<div class="check">')[2]


def test_only_optional_fields_are_marked() -> None:
    form = Example()
    marked = [name for name in form.fields if "optional" in form[name].as_field_group()]
    assert marked == ["note", "color"]


def test_choices_are_a_group_with_a_name() -> None:
    group = str(Example()).partition("<fieldset>")[2].partition("</fieldset>")[0]
    assert "<legend>Color:</legend>" in group
    assert group.count('type="radio"') == 2


@pytest.mark.parametrize(("debug", "staff"), [(1, 1), (1, 0), (0, 1)])
def test_start_page_tells_developers_alone_how_to_begin(
    debug: int, staff: int, login: Login, make_user: MakeUser, settings: Settings
) -> None:
    settings.DEBUG = bool(debug)
    person = make_user("person@example.com", is_staff=bool(staff))
    assert (ADVICE in login(person).get("/").text) is bool(debug and staff)
    assert ADVICE not in HTTPSClient().get("/").text
