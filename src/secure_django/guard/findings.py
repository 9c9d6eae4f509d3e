"""The findings of the tests of the access table, and what to do about them."""

import re
import traceback
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.conf import settings
from django.contrib.messages.storage.cookie import CookieStorage
from django.core.exceptions import FieldError
from django.http.request import split_domain_port, validate_host

from secure_django.guard.accepted import write_line
from secure_django.guard.advice import ADVICE, is_about
from secure_django.guard.bounds import SECONDS, TookTooLongError
from secure_django.guard.exemptions import take_exemption, with_exemption
from secure_django.guard.marks import MARK, MARKUP, Mark
from secure_django.guard.places import function_that_raised, place_of
from secure_django.guard.record import Found, present_record
from secure_django.guard.sending import Answer
from secure_django.guard.sentences import parse, rank
from secure_django.guard.tables import CONFIG, TABLE_OF_TESTS
from secure_django.guard.typed import EVIL, EVIL_HOST, WORD

REASON = (
    "Only if they are meant to, end the row in tests/table.py of the app with who, what"
    " and why:  # WHO: WHAT: WHY  (secure_django/guard/access.py has examples)"
)
PLACES = (
    "The table may also be guard_table.py: in the app's folder, or beside"
    " pyproject.toml, for all apps and for what is in none."
)
# Directives for which default-src does not stand in.
WITHOUT_DEFAULT = {"base-uri", "form-action", "frame-ancestors"}
# `check --deploy` says how these cookies must be.
OF_SETTINGS = {
    settings.CSRF_COOKIE_NAME,
    settings.LANGUAGE_COOKIE_NAME,
    settings.SESSION_COOKIE_NAME,
    CookieStorage.cookie_name,  # it follows those of the session
}
# Also patterns such as .example.com. The pattern for all hosts would hide redirects.
OWN_HOSTS = {"testserver", *settings.ALLOWED_HOSTS} - {"*"}
SENT = re.compile(rf"{WORD}|evil\.example", re.IGNORECASE)
# Markup ends them, which a redirect may escape.
SENT_HOSTS = tuple(url.partition("<")[0] for url in (EVIL, EVIL_HOST))
UNESCAPED = re.compile(f"{MARK.pattern}{MARKUP}")
LINK = re.compile(rf'(?:href|src|action)=["\']?\s*{MARK.pattern}')


class Findings:
    """What is wrong, and for which people."""

    def __init__(self) -> None:
        self.people: defaultdict[str, set[str]] = defaultdict(set)
        # By sentence and the name of what hides it.
        self.hidden: defaultdict[tuple[str, str], set[str]] = defaultdict(set)

    def add(self, sentence: str, person: str = "") -> None:
        """Add a sentence, which an entry of a table may hide."""
        text, hidden_by = take_exemption(sentence)
        people = self.hidden[text, hidden_by] if hidden_by else self.people[text]
        people.update({person} - {""})

    def sentences(self) -> set[str]:
        """Return what may be added to other findings."""
        hidden = {with_exemption(*key) for key in self.hidden}
        return hidden.union(self.people)

    @contextmanager
    def going_on(self, what: str) -> Iterator[None]:
        """Add an error of the guard itself, and go on with what comes next."""
        try:
            yield
        except Exception as error:  # whatever it is, it hides nothing
            frame = traceback.extract_tb(error.__traceback__)[-1]
            place = f"{Path(frame.filename).name}:{frame.lineno}"
            name = type(error).__name__
            self.add(f"{what} was not asked: {name} in {place}: {error}")

    def lines(self) -> Iterator[str]:
        """Yield each sentence that is not accepted, the worst first, and the people."""
        accepted = present_record().accepted
        for sentence in sorted(self.people, key=rank):
            people = self.people[sentence]
            text = parse(sentence).text
            new_people = accepted.new_people(text, people or {""})
            if new_people:
                yield write_line(sentence, new_people)

    def report(self, *steps: str) -> None:
        """Hand the findings to the run. Fail with the new ones, and with what to do."""
        present_record().found += self.found(steps)
        new_lines = [*self.lines()]
        if not new_lines:
            return
        lines = [*new_lines, "", "What to do, in this order:"]
        lines += [f"{number}. {step}" for number, step in enumerate(steps, 1)]
        if CONFIG.makes_objects and any(TABLE_OF_TESTS in step for step in steps):
            lines += ["", PLACES]
        pytest.fail("\n".join(lines), pytrace=False)

    def found(self, steps: Iterable[str]) -> Iterator[Found]:
        for sentence, people in self.people.items():
            helpful_steps = [step for step in steps if is_about(step, sentence)]
            yield Found(sentence, sorted(people), steps=helpful_steps)
        for (sentence, hidden_by), people in self.hidden.items():
            yield Found(sentence, sorted(people), hidden_by)


def parse_policy(policy: str) -> dict[str, list[str]]:
    """Return the sources of each directive of a Content-Security-Policy."""
    directives = [directive.split() for directive in policy.split(";")]
    return {words[0]: words[1:] for words in directives if words}


def is_weaker(policy: str) -> bool:
    """Return whether a policy allows what that of the settings does not."""
    if not policy_of_settings():
        return False
    directives = parse_policy(policy)
    if directives.get("default-src") != ["'none'"]:
        return True
    if "sandbox" in directives:
        del directives["sandbox"]
    elif not directives.keys() >= WITHOUT_DEFAULT:
        return True
    return any(allows_more(name, sources) for name, sources in directives.items())


def policy_of_settings() -> dict[str, Any]:
    """Return the policy of the settings. Before Django 6.0, they have none."""
    policy: dict[str, Any] = getattr(settings, "SECURE_CSP", {})
    return policy


def allows_more(name: str, sources: list[str]) -> bool:
    """Return whether a directive has a source that the settings do not give it."""
    allowed_sources = map(str, policy_of_settings().get(name, ()))
    foreign_sources = set(sources) - {"'none'", *allowed_sources}
    return any(not source.startswith("'nonce-") for source in foreign_sources)


def faults(answer: Answer, *, may_leave: bool) -> Iterator[str]:
    """Yield what no page may do, whoever opens it.

    With `may_leave`, it may redirect to another site, if that is not from a request.
    """
    response = answer.response
    policy = response.headers.get("Content-Security-Policy", "")
    if "csp" in CONFIG.rules and is_weaker(policy):
        yield f"weakens the Content-Security-Policy: {ADVICE.policy}"
    if "cors" in CONFIG.rules and "Access-Control-Allow-Origin" in response.headers:
        yield "lets other sites read it: remove Access-Control-Allow-Origin"
    yield from answer.noticed
    yield from faults_of_error(response)
    yield from faults_of_tasks(answer)
    if "errors" in CONFIG.rules and shows_exception(answer):
        yield "shows the text of an exception: say in words of your own what is wrong"
    yield from faults_of_redirect(response, may_leave=may_leave)
    if any(SENT.search(path) for path in answer.opened):
        yield "opens a file by a name from a request: name it by an id"
    if "html" in response.headers.get("Content-Type", ""):
        yield from faults_of_html(answer.text)


def shows_exception(answer: Answer) -> bool:
    """Return whether a page has the text of an exception that its code has handled."""
    return any(text in unescape(answer.text) for text in answer.handled_texts)


def faults_of_error(response: Any) -> Iterator[str]:
    error = error_of(response)
    if error is FieldError:
        yield (
            f"answers 500 ({describe_error(response)}): it takes the name of a field"
            " from a request, so compare it with a list first"
        )
    elif error is TookTooLongError:
        yield f"calculates for over {SECONDS} seconds: limit what a request asks for"
    elif error is MemoryError:
        yield "takes all memory: limit what a request asks for"
    elif response.status_code == 500:
        yield (
            f"answers 500 ({describe_error(response)}): repair it, and check what a"
            " user sends first"
        )


def faults_of_tasks(answer: Answer) -> Iterator[str]:
    yield from {failure.sentence: None for failure in answer.failures}


def describe_error(response: Any) -> str:
    """Return the name of an exception, and which own function has raised it."""
    error = error_of(response)
    if error is None:
        return "no exception"
    function = function_that_raised(response.exc_info[2])
    return f"{error.__name__} in {function}" if function else error.__name__


def faults_of_redirect(response: Any, *, may_leave: bool) -> Iterator[str]:
    target = response.headers.get("Location", "/")
    if target.startswith(SENT_HOSTS):
        yield "redirects to any site: ask url_has_allowed_host_and_scheme first"
    elif not is_of_site(target) and not may_leave:
        yield "redirects to another site"


def is_of_site(target: str) -> bool:
    """Return whether a redirect stays on the site, as one to SITE_URL does."""
    host = urlsplit(target).netloc
    return not host or validate_host(split_domain_port(host)[0], OWN_HOSTS)


def changes_by_get(answer: Answer, route: str) -> Iterator[str]:
    """Yield what a GET request changes, and where, if not in the view's own file."""
    for model in answer.written:
        function = answer.writers.get(model._meta.db_table, "")
        is_elsewhere = bool(function) and not function.endswith(place_of(route).file)
        by = f" (in {function})" if is_elsewhere else ""
        yield f"changes {model.__name__}{by}: do so by POST"
    if answer.mails:
        yield "sends an email: do so by POST"


def weak_cookies(answer: Answer) -> Iterator[str]:
    if "cookies" not in CONFIG.rules:
        return
    cookies = answer.response.cookies
    for name in cookies.keys() - OF_SETTINGS:
        cookie = cookies[name]
        is_safe = cookie["secure"] and cookie["httponly"] and cookie["samesite"]
        if cookie.value and not is_safe:
            yield (
                f"sets the cookie {name} without secure, httponly or samesite:"
                " use request.session"
            )


def faults_of_html(text: str) -> Iterator[str]:
    if EVIL in text:
        yield "shows a parameter unescaped: render a template"
    if UNESCAPED.search(text):
        yield "shows a stored text unescaped: render a template"
    if LINK.search(text):
        yield "links to a text that may be javascript: use a URLField and its form"


def shown(text: str, hidden: list[Mark], asked: str = "") -> Iterator[Mark]:
    """Yield the marks in a text that the request did not contain."""
    marks = set(MARK.findall(text))
    for mark in hidden:
        shown_texts = marks if MARK.fullmatch(mark.text) else text
        if mark.text in shown_texts and mark.text not in asked:
            yield mark


def error_of(response: Any) -> type[Exception] | None:
    if not response.exc_info:
        return None
    error: type[Exception] = response.exc_info[0]
    return error
