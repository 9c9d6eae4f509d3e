"""Values that fields of Django take, and no database or page can handle."""

from datetime import UTC, datetime
from typing import Any, ClassVar

import pytest
from django import forms
from django.contrib.auth.models import Group

from secure_django.forms import AMOUNT, QUANTITY, BoundedFormMixin, Bounds
from secure_django.guard import numbers
from users.models import User

TOO_LARGE = "9" * 20


class EveryForm(BoundedFormMixin, forms.Form):
    bounds: ClassVar[dict[str, Bounds]] = {"degrees": (-50, 60), "deposit": (0, None)}

    moment = forms.DateTimeField(required=False)
    parts = forms.SplitDateTimeField(required=False)
    day = forms.DateField(required=False)
    hour = forms.TimeField(required=False)
    duration = forms.DurationField(required=False)
    groups = forms.ModelMultipleChoiceField(Group.objects.all(), required=False)
    group = forms.ModelChoiceField(Group.objects.all(), required=False)
    amount = forms.DecimalField(required=False)
    quantity = forms.IntegerField(required=False)
    price = forms.DecimalField(required=False)
    stock_quantity = forms.IntegerField(required=False)
    rating = forms.FloatField(required=False)
    change = forms.IntegerField(required=False)
    weight = forms.DecimalField(required=False)
    views = forms.IntegerField(required=False, max_value=10**12)
    degrees = forms.IntegerField(required=False)
    deposit = forms.DecimalField(required=False)
    name = forms.CharField(required=False)
    options = forms.JSONField(required=False)


def is_taken(name: str, value: Any) -> bool:
    data = value if isinstance(value, dict) else {name: value}
    form = EveryForm(data)
    is_valid = form.is_valid()
    assert form.errors.keys() <= {name}
    if is_valid:
        return True
    str(form)  # the page shows what was sent
    return False


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("moment", "0001-01-01T00:00+14:00"),
        ("moment", "9999-12-31T23:59-14:00"),
        ("moment", "0999-12-31T23:59Z"),
        ("moment", 5),
        ("parts", {"parts_0": "0001-01-01", "parts_1": "00:00"}),
        ("day", "0001-01-01"),
        ("day", "9999-12-31"),
        ("day", ["2026-01-01"]),
        ("hour", 5),
        ("duration", "999999999 00:00:00"),
        ("duration", "-999999999 00:00:00"),
        ("groups", [TOO_LARGE]),
        ("groups", [TOO_LARGE, "1"]),
        ("groups", [f"-{TOO_LARGE}"]),
        ("group", TOO_LARGE),
        ("amount", "0"),
        ("amount", "0.00"),
        ("amount", "-0.01"),
        ("amount", TOO_LARGE),
        ("quantity", "0"),
        ("quantity", "-7"),
        ("quantity", TOO_LARGE),
        ("price", "-1"),
        ("price", "1e400"),
        ("stock_quantity", "-1"),
        ("rating", "-1"),
        ("change", TOO_LARGE),
        ("change", f"-{TOO_LARGE}"),
        ("weight", "1e999999"),
        ("views", "9" * 13),
        ("degrees", "-51"),
        ("degrees", "61"),
        ("deposit", "-1"),
        ("deposit", TOO_LARGE),
        ("name", "\ud800"),
        ("options", "[" * 100_000),
        ("options", "9" * 5000),
        ("options", '"\\ud800"'),
        ("options", '{"a": "\\u0000"}'),
        ("options", '{"a": NaN}'),
        ("options", '{"a": 1, "a": 2}'),
    ],
)
def test_value_that_cannot_be_stored_is_an_error_of_the_form(
    name: str, value: Any
) -> None:
    if name == "name":  # no page can show it
        assert not EveryForm({name: value}).is_valid()
    else:
        assert not is_taken(name, value)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("moment", "1000-01-01T00:00+14:00"),
        ("moment", datetime(2026, 1, 1, tzinfo=UTC)),
        ("parts", {"parts_0": "2026-01-01", "parts_1": "00:00"}),
        ("day", "9998-12-31"),
        ("hour", "10:30"),
        ("duration", "3 10:00:00"),
        ("groups", []),
        ("amount", "0.01"),
        ("quantity", "1"),
        ("quantity", str(2**31 - 1)),
        ("price", "0"),
        ("stock_quantity", "0"),
        ("rating", "0"),
        ("change", "-7"),
        ("weight", "-0.5"),
        ("views", "9" * 12),
        ("degrees", "-50"),
        ("deposit", "0"),
        ("name", "é😀"),
        ("options", '{"a": [1, {"b": null}]}'),
        ("options", ""),
    ],
)
def test_value_that_can_be_stored_is_taken(name: str, value: Any) -> None:
    assert is_taken(name, value)


@pytest.mark.django_db
def test_form_of_a_model_refuses_them_too_and_says_each_error_once(user: User) -> None:
    group = Group.objects.create(name="a")

    class UserForm(BoundedFormMixin, forms.ModelForm):
        amount = forms.IntegerField(min_value=1)

        class Meta:
            model = User
            fields = ("groups",)

        date_joined = forms.DateTimeField()

    moment = "0001-01-01T00:00+14:00"
    form = UserForm({"groups": [TOO_LARGE], "date_joined": moment, "amount": "-1"})
    for _ in range(2):
        assert form.errors.keys() == {"groups", "date_joined", "amount"}
        assert all(len(errors) == 1 for errors in form.errors.values())
        form.full_clean()
    valid = {"groups": [group.pk], "date_joined": "2026-01-01T00:00Z", "amount": "1"}
    form = UserForm(valid, instance=user)
    form.save()
    assert user.groups.get() == group
    assert not UserForm.base_fields["amount"].validators[1:]


def test_names_of_amounts_are_those_of_the_guard() -> None:
    names = ["amount", "quantity", "min_amount", "price", "copies", "change", "stars"]
    names += ["discount_percent", "country", "total", "percentages", "seats"]
    for name in names:
        assert bool(QUANTITY.fullmatch(name)) is numbers.is_quantity(name)
    assert AMOUNT.pattern == numbers.AMOUNT.pattern


@pytest.mark.parametrize("value", [0, 1.5, True, [], {"a": 1}])
def test_value_of_json_that_is_no_text_is_shown_or_refused(value: object) -> None:
    class OwnForm(BoundedFormMixin, forms.Form):
        ip = forms.GenericIPAddressField()
        content = forms.JSONField(required=False)

    form = OwnForm({"ip": value, "content": value})
    assert list(form.errors) == ["ip"]
    assert form.as_p()
