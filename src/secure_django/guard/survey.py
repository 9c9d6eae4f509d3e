"""The survey of `pytest --guard-survey`: who opens which page, before there are rules.

It opens each page as each person, says what is open to whom, and writes the tables that
are missing, with their rows as measured. It changes no file that is there.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator
from typing import NamedTuple

from django.db.models import Model

from secure_django.guard.access import (
    OWN_ROUTES,
    PARAMETER,
    REFUSALS,
    TO_DECIDE,
    VIEWS,
    align,
    app_of,
    columns,
    row_for,
)
from secure_django.guard.exemptions import is_undecided
from secure_django.guard.new_tables import (
    NewTable,
    has_file,
    is_writable,
    name_of_file,
    path_of_table,
)
from secure_django.guard.rows import models_with_texts
from secure_django.guard.sending import Sender
from secure_django.guard.tables import CONFIG, ROOT, ROOT_TABLE

EVERYBODY = "open to everybody"
ANY_USER = "open to any user"
OWNER = "open to their owner only"
OWNER_AND_OTHERS = "open to their owner and some others"
STAFF = "open to staff only"
OTHERS = "open to some others only"
NOBODY = "open to nobody"
ERROR = "answer with an error"
NO_VALUE = "need a value that could not be guessed"
KINDS = (
    EVERYBODY,
    ANY_USER,
    OWNER,
    OWNER_AND_OTHERS,
    STAFF,
    OTHERS,
    NOBODY,
    ERROR,
    NO_VALUE,
)
FAILED = "500"
SHOWN = 30  # lines of a list that one reads in a minute


class Page(NamedTuple):
    """A page, and how it answers each person."""

    route: str
    app: str
    answers: dict[str, str]
    errors: set[str]  # the names of exceptions
    unknown: list[str]  # the parameters without a value

    def people(self) -> list[str]:
        """Return whom it lets in."""
        outcomes = self.answers.items()
        return [person for person, outcome in outcomes if outcome not in REFUSALS]

    def kind(self) -> str:
        if self.unknown:
            return NO_VALUE
        if self.errors:
            return ERROR
        return kind_of_people(set(self.people()))

    def line(self) -> str:
        """Return the page with what is to be known of it, in a list of its kind."""
        kind = self.kind()
        notes = {
            NO_VALUE: self.unknown,
            ERROR: sorted(self.errors),
            OWNER_AND_OTHERS: self.people(),
            OTHERS: self.people(),
        }
        return f"    {self.route}  {', '.join(notes.get(kind, []))}".rstrip()

    def row(self) -> str:
        """Return the row as measured. An error says nothing of who may open a page."""
        answers = [
            TO_DECIDE if answer == FAILED else answer
            for answer in self.answers.values()
        ]
        return align(self.route, answers)

    def is_shared_object(self) -> bool:
        """Return whether it is of one object, and others than the owner open it."""
        others = set(self.people()) - {"owner"}
        return "<" in self.route and bool(others) and self.kind() != NO_VALUE


def kind_of_people(people: set[str]) -> str:
    if "anonym" in people:
        return EVERYBODY
    if "other" in people:
        return ANY_USER
    if people == {"owner"}:
        return OWNER
    if "owner" in people:
        return OWNER_AND_OTHERS
    if not people:
        return NOBODY
    return STAFF if people == {"staff"} else OTHERS


def survey(sender: Sender) -> list[str]:
    """Write the tables that are missing, and return the lines of the report."""
    pages = [measure(sender, route) for route in sorted(OWN_ROUTES)]
    report = Report(sender, pages)
    return list(report.lines())


def measure(sender: Sender, route: str) -> Page:
    app = app_of(route)
    known = sender.world.values_on(route)
    unknown = [name for name in PARAMETER.findall(route) if name not in known]
    answers: dict[str, str] = {}
    errors: set[str] = set()
    for person in [] if unknown else columns(app):
        answers[person], names = ask(sender, route, person)
        errors |= names
    return Page(route, app, answers, errors, unknown)


def ask(sender: Sender, route: str, person: str) -> tuple[str, set[str]]:
    """Return how a page answers a person, and the names of exceptions."""
    try:
        page = sender.answer(route, person)
    except Exception as error:  # of the guard or a middleware: it is said
        return FAILED, {type(error).__name__}
    if page.outcome != FAILED:
        return page.outcome, set()
    raised = page.response.exc_info
    return FAILED, {raised[0].__name__ if raised else "no exception"}


class Report:
    """What the survey prints, in the order in which one reads it."""

    def __init__(self, sender: Sender, pages: list[Page]) -> None:
        self.world = sender.world
        self.pages = pages
        # By the app in whose table their rows belong.
        self.missing: defaultdict[str, list[Page]] = defaultdict(list)
        for page in pages:
            if row_for(page.route) is None:
                self.missing[self.home(page.app)].append(page)
        self.written: list[str] = []
        self.has_rows_to_paste = False

    def lines(self) -> Iterator[str]:
        yield from self.kinds()
        yield from self.objects()
        yield from self.pages_of_packages()
        for app in sorted(self.missing, key=lambda app: (app == ROOT, app)):
            if can_write(app):
                yield from self.write(app)
            else:
                yield from self.rows_to_paste(app)
        yield ""
        yield self.next_step()

    def kinds(self) -> Iterator[str]:
        """Yield how many pages are open to whom, and which."""
        yield f"{counted(self.pages, 'page')}, each asked as every person:"
        for kind in KINDS:
            pages = [page for page in self.pages if page.kind() == kind]
            if pages:
                yield ""
                yield f"{len(pages)} {kind}:"
                yield from shortened([page.line() for page in pages])

    def objects(self) -> Iterator[str]:
        lines = [line for app in self.world.objects for line in self.unmade(app)]
        if lines:
            yield ""
            yield f"{counted(lines, 'model')} of which no object could be made:"
            yield from (f"    {line}" for line in lines)

    def unmade(self, app: str) -> list[str]:
        failures = self.failures(app).items()
        return [f"{model.__name__} of {app}: {reason}" for model, reason in failures]

    def failures(self, app: str) -> dict[type[Model], str]:
        objects = self.world.objects.get(app)
        return objects.failures if objects else {}

    def pages_of_packages(self) -> Iterator[str]:
        """Say what is not asked, since silence would look like safety."""
        others = VIEWS.keys() - set(OWN_ROUTES)
        if others:
            yield ""
            yield (
                f"Not asked: {counted(others, 'page')} of packages or of other apps."
                " include and apps in pyproject.toml add them."
            )

    def home(self, app: str) -> str:
        """Return the app in whose table the rows of an app belong."""
        has_rows = any(page.app == app and row_for(page.route) for page in self.pages)
        is_in_root = ROOT_TABLE is not None and has_rows
        if has_file(app) or (is_writable(app) and not is_in_root):
            return app
        return ROOT

    def write(self, app: str) -> Iterator[str]:
        pages = self.missing[app]
        table = NewTable(
            app=app,
            path=path_of_table(app),
            columns=columns(app),
            rows=[page.row() for page in pages if not page.unknown],
            decisions=list(self.decisions(pages)),
        )
        table.write()
        self.written.append(table.name)
        yield ""
        yield f"{table.name} is new: it has {counted(table.rows, 'row')}."

    def decisions(self, pages: list[Page]) -> Iterator[str]:
        """Yield what the person has to decide about the pages of a table."""
        for page in pages:
            if page.unknown:
                names = ", ".join(page.unknown)
                yield f"{page.route}: which {names}? Let objects(owner) return it."
            if page.errors:
                names = ", ".join(sorted(page.errors))
                yield (
                    f"{page.route} answers 500 ({names}): repair it, and write into its"
                    f" row who may open it, in place of {TO_DECIDE}."
                )
            if page.is_shared_object():
                others = ", ".join(others_of(page))
                yield f"{page.route} is open to others ({others}): is it meant to be?"
        for app in sorted({page.app for page in pages}):
            yield from self.wanted_rows(app)

    def wanted_rows(self, app: str) -> Iterator[str]:
        for model, reason in self.failures(app).items():
            yield f"Let objects(owner) make a row of {model.__name__}: {reason}"
        for model in filter(is_undecided, models_with_texts(app)):
            yield f"Whose are the rows of {model.__name__}? Say it in COMMON or OWNED."

    def rows_to_paste(self, app: str) -> Iterator[str]:
        """Yield the rows that an existing table has not."""
        rows = [page.row() for page in self.missing[app] if not page.unknown]
        if rows:
            self.has_rows_to_paste = True
            yield ""
            yield f"Paste these rows into ROWS of {name_of_file(path_of_table(app))}:"
            yield from rows

    def next_step(self) -> str:
        if self.has_rows_to_paste:
            return "Paste the rows above, read them, and run pytest."
        if self.written:
            files = ", ".join(self.written)
            return f"Read {files}, then run pytest: it names what a row lets others do."
        if any(page.unknown for page in self.pages):
            return (
                "Let objects(owner) in the table return the values above, by their"
                " names, and run pytest --guard-survey again."
            )
        if not self.pages:
            return no_page()
        return "Every page has a row: run pytest."


def can_write(app: str) -> bool:
    """Return whether an app has no table yet. Projects with photos read none here."""
    is_read = CONFIG.makes_objects or app != ROOT
    return is_read and not has_file(app)


def no_page() -> str:
    """Return where the survey has looked for pages, and what to write."""
    if CONFIG.apps is not None:
        names = ", ".join(CONFIG.apps) or "no app"
        return f"No page is asked: apps in pyproject.toml names {names} alone."
    return (
        f"No page is asked: no app with a page is in {CONFIG.root}, the folder of"
        ' pyproject.toml. Name there what to ask about, such as apps = ["shop"].'
    )


def others_of(page: Page) -> list[str]:
    return [person for person in page.people() if person != "owner"]


def counted(things: Collection[object], name: str) -> str:
    """Return the number of things with their name, as in 1 page or 2 pages."""
    number = len(things)
    return f"{number} {name}" if number == 1 else f"{number} {name}s"


def shortened(lines: list[str]) -> list[str]:
    """Return the first lines of a list, and how many follow."""
    more = len(lines) - SHOWN
    return lines if more < 2 else [*lines[:SHOWN], f"    and {more} more"]
