"""The kinds of fields, and how a field is written in each file of an app."""

from collections.abc import Iterator
from pathlib import Path
from textwrap import fill
from typing import NamedTuple

WIDTH = 60  # of the list in the help of poe
BESIDE = Path(__file__).parent
# What pages show of each kind, and what a page with photos begins with.
PAGES = dict(
    line.split(" ", 1)
    for line in (BESIDE / "field_pages.html").read_text("utf-8").splitlines()
)


class Kind(NamedTuple):
    """How a field is written, with NAME and WORDS in place of its own."""

    example: str
    meaning: str
    model: str
    test_value: str = ""  # empty for a file and for a key
    widget: str = ""  # empty for Django's own
    is_ordered: bool = False  # encrypted texts cannot be
    bounds_example: str = ""  # empty if a value has no bounds
    bounds_meaning: str = ""
    bounded_model: str = ""  # with SMALLEST and LARGEST in place of numbers


def input_of(widget: str, kind: str, date_format: str) -> str:
    """Return an input for which browsers show a picker, in each language."""
    return f'forms.{widget}({{"type": "{kind}"}}, "{date_format}")'


def optional(field: str, *options: str) -> str:
    """Return a field of Django that may be empty."""
    arguments = ['_("WORDS")', *options, "null=True", "blank=True"]
    return f"models.{field}({', '.join(arguments)})"


def encrypted(length: int, *options: str) -> str:
    arguments = ['_("WORDS")', f"max_length={length}", "blank=True", *options]
    return f"EncryptedTextField({', '.join(arguments)})"


BOUNDS = "validators=[MinValueValidator(SMALLEST), MaxValueValidator(LARGEST)]"
BOUNDED_WIDGET = 'forms.NumberInput({"min": MIN, "max": MAX})'
KINDS = {
    "text": Kind(
        "remarks:text",
        "a text of up to 2000 characters, encrypted",
        encrypted(2000),
        '"two bottles"',
    ),
    "number": Kind(
        "seats:number",
        "a whole number from 0",
        optional("PositiveIntegerField"),
        "3",
        is_ordered=True,
        bounds_example="rating:number:1-5",
        bounds_meaning="a whole number from 1 to 5",
        # The input of a PositiveIntegerField begins at 0, whatever its bounds.
        bounded_model=optional("IntegerField", BOUNDS),
    ),
    "decimal": Kind(
        "price:decimal",
        "a number from 0 with two decimal places, of up to 12 digits",
        optional(
            "DecimalField",
            "max_digits=12",
            "decimal_places=2",
            "validators=[MinValueValidator(0)]",
        ),
        '"12.50"',
        is_ordered=True,
        bounds_example="discount:decimal:0-100",
        bounds_meaning="a number from 0 to 100 with two decimal places",
        bounded_model=optional(
            "DecimalField", "max_digits=12", "decimal_places=2", BOUNDS
        ),
    ),
    "date": Kind(
        "start:date",
        "a date",
        optional("DateField"),
        '"2026-02-03"',
        input_of("DateInput", "date", "%Y-%m-%d"),
        is_ordered=True,
    ),
    "time": Kind(
        "opens:time",
        "a time of the day",
        optional("TimeField"),
        '"10:30"',
        input_of("TimeInput", "time", "%H:%M"),
        is_ordered=True,
    ),
    "datetime": Kind(
        "due:datetime",
        "a date and a time, in the TIME_ZONE of the site",
        optional("DateTimeField", "validators=[validate_year]"),
        '"2026-02-03T10:30Z"',
        input_of("DateTimeInput", "datetime-local", "%Y-%m-%dT%H:%M"),
        is_ordered=True,
    ),
    "yesno": Kind(
        "open_to_all:yesno",
        "a box for yes or no",
        'models.BooleanField(_("WORDS"), default=False)',
        "True",
        is_ordered=True,
    ),
    "choice": Kind(
        "level:choice:beginner,advanced",
        "one of these words",
        'models.CharField(_("WORDS"), max_length=30, choices=CHOICES, blank=True)',
        "FIRST",
        is_ordered=True,
    ),
    "email": Kind(
        "contact:email",
        "an email that can be sent to, encrypted",
        encrypted(254, "validators=[validate_email, validate_recipient]"),
        '"ann@example.com"',
        "forms.EmailInput",
    ),
    "url": Kind(
        "website:url",
        "a link that begins with https:// or http://, encrypted",
        encrypted(500, 'validators=[URLValidator(["http", "https"])]'),
        '"https://example.com/"',
        "forms.URLInput",
    ),
    "photo": Kind(
        "cover:photo",
        "a photo, which is checked, re-encoded and reviewed",
        'PhotoField(_("WORDS"), blank=True, visible_to=is_owner)',
    ),
    "parent": Kind(
        "course:parent:courses.Course",
        "an object of another app, with the same owner",
        'models.ForeignKey(MODEL, models.SET_NULL, related_name="+",'
        ' verbose_name=_("WORDS"), null=True, blank=True)',
    ),
}
# The imports of a model whose lines contain the word. Ruff sorts them.
IMPORTS = {
    "Decimal(": "from decimal import Decimal",
    "MaxValueValidator": "from django.core.validators import MaxValueValidator",
    "MinValueValidator": "from django.core.validators import MinValueValidator",
    "PhotoField": "from secure_django.photos.fields import PhotoField",
    "URLValidator": "from django.core.validators import URLValidator",
    "validate_email": "from django.core.validators import validate_email",
    "validate_recipient": "from secure_django.validators import validate_recipient",
    "validate_year": "from secure_django.validators import validate_year",
}


class Parent(NamedTuple):
    """A model that others have keys to."""

    module: str
    model: str
    has_page: bool  # get_absolute_url


class Bounds(NamedTuple):
    """The smallest and the largest value, as they were written."""

    smallest: str
    largest: str

    def write(self, code: str) -> str:
        """Return code with these values."""
        code = code.replace("SMALLEST", as_decimal(self.smallest))
        code = code.replace("LARGEST", as_decimal(self.largest))
        code = code.replace("MIN", as_attribute(self.smallest))
        return code.replace("MAX", as_attribute(self.largest))


def as_decimal(number: str) -> str:
    # As a float, 0.1 is more than the decimal 0.1.
    return f'Decimal("{number}")' if "." in number else number


def as_attribute(number: str) -> str:
    return f'"{number}"' if "." in number else number


class Field(NamedTuple):
    name: str
    kind: str
    choices: tuple[str, ...] = ()
    parent: Parent | None = None
    bounds: Bounds | None = None

    def write(self, code: str) -> str:
        """Return code with the names of this field."""
        label = self.name.replace("_", " ")
        code = code.replace("LABEL", label.capitalize()).replace("WORDS", label)
        if self.choices:
            code = code.replace("CHOICES", self.class_name)
            code = code.replace("FIRST", f'"{self.choices[0]}"')
        if self.parent:
            code = code.replace("MODEL", self.parent.model)
        if self.bounds:
            code = self.bounds.write(code)
        return code.replace("NAME", self.name)

    @property
    def class_name(self) -> str:
        """Return the name of the class of choices."""
        return self.name.title().replace("_", "")

    @property
    def choices_class(self) -> str:
        lines = [f"    class {self.class_name}(models.TextChoices):\n"]
        for value in self.choices:
            label = value.replace("_", " ").capitalize()
            lines.append(f'        {value.upper()} = "{value}", _("{label}")\n')
        return "".join([*lines, "\n"])

    @property
    def model_line(self) -> str:
        kind = KINDS[self.kind]
        code = kind.bounded_model if self.bounds else kind.model
        return self.write(f"    NAME = {code}\n")

    @property
    def form_line(self) -> str:
        return self.write('            "NAME",\n')

    @property
    def widget_item(self) -> str:
        widget = BOUNDED_WIDGET if self.bounds else KINDS[self.kind].widget
        return self.write(f'"NAME": {widget}') if widget else ""

    @property
    def test_item(self) -> str:
        value = KINDS[self.kind].test_value
        if self.bounds:
            value = as_attribute(self.bounds.smallest)
        return self.write(f', "NAME": {value}') if value else ""

    def page(self, part: str) -> str:
        """Return a part of a page, such as a cell, with the value of this field."""
        return self.write(PAGES[part].replace("VALUE", self.value))

    @property
    def value(self) -> str:
        kind = self.kind
        if self.parent and not self.parent.has_page:
            kind = "plain-parent"
        return PAGES[kind]


def describe_examples() -> Iterator[tuple[str, str]]:
    """Return each example of a field, with its meaning."""
    for kind in KINDS.values():
        yield kind.example, kind.meaning
        if kind.bounds_example:
            yield kind.bounds_example, kind.bounds_meaning


def list_examples() -> str:
    """Return an example of each kind, in few lines."""
    examples = (example for example, _ in describe_examples())
    return fill(", ".join(examples), WIDTH)


def describe_kinds() -> str:
    """Return the kinds with their examples, a line each."""
    examples = list(describe_examples())
    width = max(len(example) for example, _ in examples)
    lines = [f"  {example:<{width}}  {meaning}" for example, meaning in examples]
    return "\n".join(["Fields, each with an example:", *lines])
