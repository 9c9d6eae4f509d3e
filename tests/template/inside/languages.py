"""A plugin of pytest that marks each translated text, and reports texts without marks.

It runs with the package's tests, and is copied into generated projects, where the guard
visits the pages. Some tests fail because of the marks, after a page has been recorded.
"""

# Imports are those of the generated project.
# mypy: ignore-errors
# ruff: noqa: ANN401, D102, D107, INP001, PLC0415, SLF001

import re
from collections.abc import Callable, Generator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

import secure_django

PACKAGE = Path(secure_django.__file__).parent
START, END = "⟦", "⟧"
MARKED = re.compile(f"{START}[^{START}{END}]*{END}")
READ = {"alt", "aria-label", "label", "placeholder", "title"}
# What no language translates: URLs, emails, ids, codes, secrets, times, and names of
# browsers, formats and algorithms.
FIXED = re.compile(
    r"https?://\S+|[\w.+-]+@[\w.-]+|\b[0-9a-f]{8}(-[0-9a-f]{4,12}){4}\b"
    r"|\b[0-9a-f]{8}\b|\b[A-Z0-9]{3,}(-[A-Z0-9]{3,})*\b"
    r"|argon2id|[\w.+/]*\*{3,}|UTC|\bargon2\b"
    r"|Edge|Firefox|Chrome|Safari|macOS|iOS|\bmanual\b"
    r"|\baws_rek\b|\bperception_point\b|\bthing: (image|letter|plan|portrait)\b"
)
# Of Django and allauth: texts of icons, names of fields and models, and help that is
# translated before the marks begin.
THEIRS: tuple[str, ...] = (
    "True",
    "False",
    "Search",
    "Authenticators",
    "User sessions",
    "Created at",
    "Ip",
    "Last used at",
)
THEIRS += (
    "Type",
    "User",
    "User agent",
    "User email",
    "Whether the user will be able to ",
    "If disabled, the current password ",
)
# The user's session, which has names of allauth, on a page of Django.
THEIRS += ("User session:", "User sessions: 1")
# Of the app that only the tests install, on its own pages and in the admin page of its
# owner.
EXAMPLE = {
    "Save",
    "Title",
    "Thing",
    "Things",
    "Things: 1",
    "Image",
    "Letter",
    "Plan",
    "Portrait",
    "Thing: A signed contract",
}
found: dict[str, set[str]] = {}
data: set[str] = set()
rendered: set[str] = set()
pages = 0


class Reader(HTMLParser):
    """Collect what a person reads or hears of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.skipped = ""
        self.in_datalist = False

    def handle_starttag(
        self, tag: str, attributes: list[tuple[str, str | None]]
    ) -> None:
        values = {name: value or "" for name, value in attributes}
        if tag in {"script", "style"}:
            self.skipped = tag
        self.in_datalist = tag == "datalist" or (tag == "option" and self.in_datalist)
        self.texts += [value for name, value in values.items() if name in READ]
        if "data-max-bytes" in values:
            self.texts += [
                value for name, value in values.items() if name.startswith("data-")
            ]
        if values.get("type") in {"submit", "reset"} or (
            tag == "option" and self.in_datalist
        ):
            self.texts.append(values.get("value", ""))

    def handle_endtag(self, tag: str) -> None:
        if tag == self.skipped:
            self.skipped = ""

    def handle_data(self, text: str) -> None:
        if not self.skipped:
            self.texts.append(text)


def unmarked(text: str) -> str:
    """Return a text without its marks and what is between them."""
    while (shorter := MARKED.sub("", text)) != text:
        text = shorter
    return text


def record(where: str, texts: list[str]) -> None:
    """Keep each text in which letters are left."""
    for text in texts:
        if "| Can " in text:  # Django stores the names of permissions in English
            continue
        rest = " ".join(FIXED.sub(" ", text).split())
        if re.search(rf"[^\W\d_]{{2}}|[{START}{END}]", rest):
            found.setdefault(rest, set()).add(where)


def mark(translate: Callable[..., str]) -> Callable[..., str]:
    """Return a function that marks each translation."""
    return lambda *args: f"{START}{translate(*args)}{END}"


def read_html(where: str, content: str) -> None:
    """Record a page."""
    reader = Reader()
    reader.feed(unmarked(content))
    record(where, reader.texts)


def read_page(path: str, response: Any) -> None:
    """Record a page of the project, not one of a test's own views."""
    global pages  # noqa: PLW0603
    content = "" if response.streaming else response.content.decode(errors="replace")
    if "<html" in content:
        pages += 1
        read_html(f"{path} {response.status_code}", content)


def read_email(email: Any) -> None:
    """Record an email's parts."""
    record(f"subject of {email.subject}", [unmarked(email.subject)])
    record(f"email {email.subject}", unmarked(email.body).splitlines())


def collect(instance: Any, **_: Any) -> None:
    """Remember the texts of an object, which are data."""
    fields = [
        field.attname for field in instance._meta.concrete_fields if not field.choices
    ]
    data.update(
        value
        for name in fields
        if isinstance(value := instance.__dict__.get(name), str) and len(value) > 1
    )


def pytest_collection_finish() -> None:
    """Patch translation, pages and emails once Django is set up."""
    from django.core.mail.backends.locmem import EmailBackend
    from django.db.models.signals import post_init
    from django.test import Client
    from django.test.signals import template_rendered
    from django.utils import translation

    functions: Any = vars(translation)["_trans"]
    for name in ("gettext", "ngettext", "pgettext", "npgettext"):
        setattr(functions, name, mark(getattr(functions, name)))
    post_init.connect(collect, weak=False)
    template_rendered.connect(
        lambda sender, **_: rendered.add(str(sender.origin.name)), weak=False
    )
    request, send = Client.request, EmailBackend.send_messages

    def request_and_read(self: Client, **environ: Any) -> Any:
        response = request(self, **environ)
        read_page(environ["PATH_INFO"], response)
        return response

    def send_and_read(self: EmailBackend, messages: list[Any]) -> int:
        emails = list(messages)
        for email in emails:
            read_email(email)
        return send(self, emails)

    setattr(Client, "request", request_and_read)  # noqa: B010
    setattr(EmailBackend, "send_messages", send_and_read)  # noqa: B010


def is_theirs(text: str) -> bool:
    """Tell whether a text is one of THEIRS, or begins with one that ends in a space."""
    return text in THEIRS or text.startswith(
        tuple(it for it in THEIRS if it.endswith(" "))
    )


def is_data(text: str) -> bool:
    """Tell whether a text is nothing but objects' texts and the names of the site."""
    from django.conf import settings

    known = {" ".join(unmarked(it).split()) for it in data} | {
        settings.SITE_NAME,
        settings.SITE_DESCRIPTION,
        settings.DOMAIN_NAME,
    }
    for value in sorted(filter(None, known), key=len, reverse=True):
        text = text.replace(value, " ")
    return not re.search(rf"[^\W\d_]{{2}}|[{START}{END}]", text)


@pytest.hookimpl(wrapper=True)
def pytest_sessionfinish(session: pytest.Session) -> Generator[None]:
    """Let the report decide, and not the tests that fail because of the marks."""
    yield
    session.exitstatus = pytest.ExitCode.OK


def templates() -> list[Path]:
    """Return the templates of the package, and those of a project."""
    from django.conf import settings

    folders = [settings.BASE_DIR / name for name in ("templates", "gallery", "users")]
    return [
        path
        for folder in (PACKAGE, *folders)
        for path in folder.rglob("*.*")
        # `poe app` copies those of commands/.
        if "templates" in path.parts and "commands" not in path.parts
    ]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Report texts without marks, and templates that no test has rendered."""
    from django.conf import settings

    for text, places in sorted(found.items()):
        is_example = text in EXAMPLE and all(
            place.startswith(("/things/", "/admin/users/user/")) for place in places
        )
        if not is_example and not is_theirs(text) and not is_data(text):
            terminalreporter.write_line(f"unmarked: {text!r} on {sorted(places)[:3]}")
    for path in sorted(path for path in templates() if str(path) not in rendered):
        root = PACKAGE.parent if path.is_relative_to(PACKAGE) else settings.BASE_DIR
        name = path.relative_to(root).as_posix()
        terminalreporter.write_line(f"not rendered: {name}")
    terminalreporter.write_line(f"read {pages} pages")
