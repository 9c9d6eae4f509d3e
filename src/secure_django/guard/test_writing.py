"""What each person changes: nothing of others, and no owner, right or status.

As in test_access.py, the people send to every page what a form or a script could send:
see requests.py.
"""

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.conf import settings
from django.db.models import Model, URLField

from secure_django.guard.access import (
    OTHERS,
    OWN_ROUTES,
    REFUSALS,
    ROLES,
    app_of,
    is_asked,
    rule,
)
from secure_django.guard.exemptions import exemption_of_row
from secure_django.guard.findings import REASON, Findings, faults, shown, weak_cookies
from secure_django.guard.marks import MARK, Key, Mark, World
from secure_django.guard.requests import (
    LONG,
    OUTSIDER,
    PAGE,
    PHOTO,
    TEXT,
    WORD,
    Request,
    reduced,
    requests,
    without,
)
from secure_django.guard.right_names import is_right
from secure_django.guard.sending import Answer, Change, Sender
from secure_django.guard.tables import CONFIG, is_tested
from secure_django.guard.users import EMAIL, User, email_of

SEARCH = (
    "Let the view search in what own() returns, for every method, take the owner from"
    " request.user, and leave out of its form what a user must not set."
)
LIMIT = "Put @rate_limit below the methods of a view that adds rows or sends emails."
INVITE = "call send_invitation of secure_django.mail.invitations"
URL = re.compile("(https?|ftps?)://|$")
# Packages look at what was sent before they look for the object.
INVALID = {"400", "409", "413", "415", "422", "429"}


class Attempt:
    """A request of a person to a page, and what it led to."""

    def __init__(
        self,
        sender: Sender,
        route: str,
        person: str,
        request: Request,
        url: str,
        hidden: list[Mark],
    ) -> None:
        self.sender = sender
        self.world = sender.world
        self.url = url
        self.route = route
        self.person = person
        self.request = request
        self.owner: Any = self.world.people_of(route)["owner"]
        # Whoever has a link knows its token.
        self.hidden = [mark for mark in hidden if mark.text not in url]
        self.is_own = url in self.world.own_urls(route)
        self.is_mixed = url != self.world.url(route) and not self.is_own
        self.row = rule(route)
        self.user = self.world.person(person, route)
        self.is_get = request.method == "get"
        self.answer: Answer = sender.send(
            self.user, url, request.method, **request.options
        )

    @property
    def is_refused(self) -> bool:
        refusals = REFUSALS if self.is_get else REFUSALS | INVALID
        return self.answer.outcome in refusals

    def allows(self, thing: str) -> bool:
        return self.row.allows(self.person, thing)

    def added_models(self) -> list[type[Model]]:
        return [change.model for change in self.answer.changes if not change.old]

    def findings(self) -> Iterator[str]:
        if self.is_own:
            yield from self.bad_pages()
            yield from self.changes_of_others()
            return
        yield from faults(self.answer, may_leave=self.allows("leaves"))
        yield from weak_cookies(self.answer)
        yield from self.bad_pages()
        for name, find in self.by_rule().items():
            if name in CONFIG.rules:
                yield from find()
        if self.is_get:
            yield from self.effects_of_get()
            return
        yield from self.rights_taken()
        if self.person != "owner":
            yield from self.changes_of_others()

    def by_rule(self) -> dict[str, Callable[[], Iterator[str]]]:
        """Return what finds something by the name of its rule."""
        found_by = {
            "emails": self.bad_mails,
            "logs": self.bad_logs,
            "uploads": self.bad_files,
        }
        if self.is_get:
            return found_by
        return found_by | {
            "passwords": self.account_changes,
            "limits": self.endless_repetitions,
            "texts": self.unchecked_values,
        }

    def effects_of_get(self) -> Iterator[str]:
        for model in self.answer.written:
            yield f"changes {model.__name__}: do so by POST"
        if self.answer.mails:
            yield "sends an email: do so by POST"

    def shown(self, text: str, hidden: list[Mark]) -> Iterator[Mark]:
        """Yield the hidden marks in a text that the request did not contain."""
        return shown(text, hidden, str(self.request.options))

    def bad_pages(self) -> Iterator[str]:
        hidden = [mark for mark in self.hidden if not self.allows(mark.field)]
        if self.is_own:
            owner_key = self.owner.pk
            hidden = [mark for mark in hidden if mark.holder == owner_key]
        for mark in self.shown(self.answer.text, hidden):
            yield f"shows {mark.label}"

    def bad_mails(self) -> Iterator[str]:
        for message in self.answer.mails:
            yield from faults_of_message(message)
            yield from self.bad_recipients(message)
            yield from self.leaks(message)

    def bad_recipients(self, message: Any) -> Iterator[str]:
        recipients = message.recipients()
        has_words = WORD in text_of(message).lower()
        if has_words and self.typed_emails().intersection(recipients):
            yield f"sends a user's words to an address from a request: {INVITE}"
        is_invitation = any("invitation" in key for key in self.answer.limits)
        is_said = is_invitation or self.answer.noticed
        if OUTSIDER in recipients and not is_said:
            yield f"sends an email to any address without its limits: {INVITE}"

    def leaks(self, message: Any) -> Iterator[str]:
        for mark in self.shown(text_of(message), self.hidden):
            holder = User._base_manager.get(pk=mark.holder)
            if message.recipients() != [email_of(holder)]:
                yield f"sends {mark.label} to others"

    def typed_emails(self) -> set[str]:
        """Return the emails in the request, without that of the sender."""
        values = self.request.sent.values()
        emails = {value for value in values if "@" in str(value)}
        return emails - {email_of(self.user)}

    def bad_logs(self) -> Iterator[str]:
        logs = self.answer.logs
        has_typed_text = WORD in logs.lower() or OUTSIDER in logs
        if has_typed_text or MARK.search(logs):
            yield "logs what a user sent: log ids only"

    def bad_files(self) -> Iterator[str]:
        if self.allows("uploads"):
            return
        if PAGE in self.answer.files:
            yield "stores a file of any kind: check its content"
        if PHOTO in self.answer.files:
            yield "stores an image as it was sent: use a PhotoField"

    def endless_repetitions(self) -> Iterator[str]:
        if self.answer.limits or self.allows("repeats"):
            return
        adds_rows = any(map(is_repeatable, self.added_models()))
        if adds_rows or self.answer.mails:
            yield "may be repeated without end: it needs a rate limit"
        elif self.person == "anonym" and self.answer.changes:
            yield "lets visitors write without end: it needs a rate limit"

    def unchecked_values(self) -> Iterator[str]:
        for change in self.answer.changes:
            for field in change.fields():
                value = change.new.get(field.attname)
                if isinstance(value, str):
                    name = f"{change.model.__name__}.{field.name}"
                    yield from faults_of_text(value, field, name)

    def account_changes(self) -> Iterator[str]:
        for change in self.answer.changes:
            is_account = change.model is User and change.new
            if is_account and (change.changes(EMAIL) or change.changes("password")):
                yield "makes an account or changes its log-in: leave both to allauth"

    def rights_taken(self) -> Iterator[str]:
        for change in self.answer.changes:
            for field in change.fields():
                if self.is_right_taken(field, change.new.get(field.attname)):
                    yield f"lets a user set {change.model.__name__}.{field.name}"

    def is_right_taken(self, field: Any, value: Any) -> bool:
        """Return whether an owner, a right or a status has the value of the request."""
        sent = self.request.sent
        name = field.attname
        is_owner = field.related_model is User
        is_for_others = is_right(field) or not field.editable
        if not (is_owner or is_for_others) or name not in sent:
            return False
        if str(value) != str(sent[name]) or self.allows(field.name):
            return False
        return not self.is_set_without(field, value)

    def is_set_without(self, field: Any, value: Any) -> bool:
        """Return whether the view sets the value itself, as one that publishes does."""
        texts = {str(value)}
        if field.related_model is User:
            users = User._base_manager.filter(pk=value)
            texts.update(map(email_of, users))
        method = self.request.method
        options = without(texts, self.request.options)
        answer = self.sender.send(self.user, self.url, method, **options)
        return any(sets(change, field, value) for change in answer.changes)

    def changes_of_others(self) -> Iterator[str]:
        if not self.allows("writes"):
            yield from self.changed_rows_of_others()
        if self.is_own or self.is_refused or "<" not in self.route:
            return
        is_hidden = self.row.answers and self.row.answer(self.person) in REFUSALS
        if is_hidden or self.is_mixed:
            yield f"answers {self.answer.outcome}, not 404"

    def changed_rows_of_others(self) -> Iterator[str]:
        keys = {(type(row), row.pk) for row in self.rows_of_others()}
        for change in self.answer.changes:
            if (change.model, change.pk) in keys:
                yield f"changes {change.model.__name__} of the owner"
            for model, pk in relations_set(change):
                if (model, pk) in keys:
                    exemption = exemption_of_row(model, pk, self.user)
                    yield f"uses {model.__name__}{exemption} of the owner"

    def rows_of_others(self) -> list[Model]:
        world = self.world
        app = app_of(self.route)
        own_key = getattr(self.user, "pk", None)
        rows = [self.owner, *world.rows[app]]
        return [row for row in rows if world.holder(row, app) != own_key]


def faults_of_message(message: Any) -> Iterator[str]:
    if message.from_email not in {None, settings.DEFAULT_FROM_EMAIL}:
        yield "sends an email in a user's name: use reply_to"
    alternatives = getattr(message, "alternatives", ())
    if any(TEXT in str(alternative[0]) for alternative in alternatives):
        yield "sends HTML with unescaped text: render a template"


def text_of(message: Any) -> str:
    parts = [message.subject, message.body, message.attachments]
    alternatives = getattr(message, "alternatives", "")
    return f"{parts}{alternatives}"


def faults_of_text(text: str, field: Any, name: str) -> Iterator[str]:
    if isinstance(field, URLField) and not URL.match(text):
        yield f"stores what is no URL as {name}: save it by a form"
    is_limited = len(text) <= (field.max_length or 0)
    if len(text) >= len(LONG) and not is_limited:
        yield f"stores a text of any length as {name}: set its max_length"


def sets(change: Change, field: Any, value: Any) -> bool:
    """Return whether a row gets the value, which it did not have."""
    name = field.attname
    is_same_field = change.model is field.model
    return is_same_field and change.changes(name) and change.new.get(name) == value


def relations_set(change: Change) -> Iterator[Key]:
    """Yield the row to which each key newly leads, unless it is a user."""
    for field in change.fields():
        model = field.related_model
        if model and model is not User:
            yield model, change.new.get(field.attname)


def is_repeatable(model: type[Model]) -> bool:
    """Return whether a user can have more and more of such rows."""
    if is_tested(model):
        return False
    fields = model._meta.concrete_fields
    return not any(field.unique and field.related_model is User for field in fields)


def urls_for(person: str, route: str, world: World) -> list[str]:
    """Return the URLs of a page that a person tries: the owner's first."""
    urls = [world.url(route)]
    if person in {"other", *ROLES}:
        urls += world.mixed_urls(route)
    if person == "other":
        urls += world.own_urls(route)
    return urls


def attempts(sender: Sender, route: str, person: str) -> Iterator[Attempt]:
    """Send each request to a page, but none by a method that the page refuses."""
    for url in urls_for(person, route, sender.world):
        yield from attempts_at(sender, route, person, url)


def attempts_at(sender: Sender, route: str, person: str, url: str) -> Iterator[Attempt]:
    user = sender.world.person(person, route)
    hidden = sender.world.hidden_from(user)
    refused_methods: set[str] = set()
    for request in requests(sender, route, url, user):
        if request.method in refused_methods:
            continue
        attempt = Attempt(sender, route, person, request, url, hidden)
        yield attempt
        if attempt.answer.outcome == "405":
            refused_methods.add(request.method)
        if not attempt.answer.is_cut_short:
            continue
        smaller = reduced(sender, user, url, request)
        if smaller:
            yield Attempt(sender, route, person, smaller, url, hidden)


@pytest.mark.control("V8.2.2")
@pytest.mark.parametrize("person", ["owner", *OTHERS])
def test_nobody_changes_what_belongs_to_others(person: str, sender: Sender) -> None:
    """By POST, PUT, PATCH and DELETE; by GET, nobody changes anything."""
    findings = Findings()
    for route in OWN_ROUTES:
        if not is_asked(person, route):
            continue
        with findings.going_on(route):
            for attempt in attempts(sender, route, person):
                method = attempt.request.method.upper()
                for sentence in attempt.findings():
                    findings.add(f"{method} {route} {sentence}", person)
    findings.report(SEARCH, LIMIT, REASON)
