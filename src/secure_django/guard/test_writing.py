"""What each person changes: nothing of others, and no owner, right or status.

As in test_access.py, the people send to every page what a form or a script could send:
see requests.py.
"""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import settings
from django.db.models import Model, URLField

from secure_django.guard.access import (
    OWN_ROUTES,
    REFUSALS,
    ROLES,
    app_of,
    is_asked,
    rule,
)
from secure_django.guard.findings import REASON, Findings, faults, shown, weak_cookies
from secure_django.guard.marks import MARK, Key, Mark
from secure_django.guard.requests import (
    LONG,
    OUTSIDER,
    RIGHTS,
    TEXT,
    UPLOADS,
    WORD,
    Request,
    requests,
    without,
)
from secure_django.guard.sending import Answer, Sender
from secure_django.photos.models import Photo, Verdict
from secure_django.user import User

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
        self.owner: User = self.world.people_of(route)["owner"]
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

    def new_rows(self) -> list[Key]:
        return [key for key, (old, _) in self.answer.changes.items() if not old]

    def findings(self) -> Iterator[str]:
        if self.is_own:
            yield from self.bad_pages()
            yield from self.changes_of_others()
            return
        yield from faults(self.answer, may_leave=self.allows("leaves"))
        yield from weak_cookies(self.answer)
        yield from self.bad_pages()
        yield from self.bad_mails()
        yield from self.bad_logs()
        yield from self.bad_files()
        if self.is_get:
            for model in self.answer.written:
                yield f"changes {model.__name__}: do so by POST"
            if self.answer.mails:
                yield "sends an email: do so by POST"
            return
        yield from self.account_changes()
        yield from self.endless_repetitions()
        yield from self.unchecked_values()
        yield from self.rights_taken()
        if self.person != "owner":
            yield from self.changes_of_others()

    def bad_pages(self) -> Iterator[str]:
        hidden = [mark for mark in self.hidden if not self.allows(mark.field)]
        if self.is_own:
            hidden = [mark for mark in hidden if mark.holder == self.owner.pk]
        for mark in shown(self.answer.text, hidden, str(self.request.options)):
            yield f"shows {mark.label}"

    def bad_mails(self) -> Iterator[str]:
        typed = self.typed_emails()
        for message in self.answer.mails:
            if message.from_email not in {None, settings.DEFAULT_FROM_EMAIL}:
                yield "sends an email in a user's name: use reply_to"
            if any(
                TEXT in str(alternative[0])
                for alternative in getattr(message, "alternatives", ())
            ):
                yield "sends HTML with unescaped text: render a template"
            parts = [message.subject, message.body, message.attachments]
            text = f"{parts}{getattr(message, 'alternatives', '')}"
            if WORD in text.lower() and typed.intersection(message.recipients()):
                yield f"sends a user's words to an address from a request: {INVITE}"
            is_invitation = any("invitation" in key for key in self.answer.limits)
            if OUTSIDER in message.recipients() and not is_invitation:
                yield f"sends an email to any address without its limits: {INVITE}"
            for mark in shown(text, self.hidden, str(self.request.options)):
                holder = User.objects.get(pk=mark.holder)
                if message.recipients() != [holder.email]:
                    yield f"sends {mark.label} to others"

    def typed_emails(self) -> set[str]:
        """Return the emails in the request, without that of the sender."""
        values = {value for value in self.request.sent.values() if "@" in str(value)}
        return values - {getattr(self.user, "email", None)}

    def bad_logs(self) -> Iterator[str]:
        logs = self.answer.logs
        if WORD in logs.lower() or OUTSIDER in logs or MARK.search(logs):
            yield "logs what a user sent: log ids only"

    def bad_files(self) -> Iterator[str]:
        page, photo, *_ = (upload.content for upload in UPLOADS)
        if self.allows("uploads"):
            return
        if page in self.answer.files:
            yield "stores a file of any kind: check its content"
        if photo in self.answer.files:
            yield "stores an image as it was sent: use a PhotoField"

    def endless_repetitions(self) -> Iterator[str]:
        if self.answer.limits or self.allows("repeats"):
            return
        if any(map(is_repeatable, self.new_rows())) or self.answer.mails:
            yield "may be repeated without end: it needs a rate limit"
        elif self.person == "anonym" and self.answer.changes:
            yield "lets visitors write without end: it needs a rate limit"

    def unchecked_values(self) -> Iterator[str]:
        for (model, _), (old, new) in self.answer.changes.items():
            for field in model._meta.concrete_fields:
                value = new.get(field.attname)
                name = f"{model.__name__}.{field.name}"
                if not isinstance(value, str) or value == old.get(field.attname):
                    continue
                if isinstance(field, URLField) and not URL.match(value):
                    yield f"stores what is no URL as {name}: save it by a form"
                is_limited = len(value) <= (field.max_length or 0)
                if len(value) >= len(LONG) and not is_limited:
                    yield f"stores a text of any length as {name}: set its max_length"

    def account_changes(self) -> Iterator[str]:
        for (model, _), (old, new) in self.answer.changes.items():
            names = ("email", "password") if new and model is User else ()
            if any(old.get(name) != new[name] for name in names):
                yield "makes an account or changes its log-in: leave both to allauth"

    def rights_taken(self) -> Iterator[str]:
        sent = self.request.sent
        for (model, _), (old, new) in self.answer.changes.items():
            for field in model._meta.concrete_fields:
                name = field.attname
                value = new.get(name)
                is_owner = field.related_model is User
                is_right = RIGHTS.match(name) or not field.editable
                if not (is_owner or is_right) or name not in sent:
                    continue
                is_sent = str(value) == str(sent[name]) and old.get(name) != value
                if not is_sent or self.allows(field.name):
                    continue
                if not self.is_set_without(field, value):
                    yield f"lets a user set {model.__name__}.{field.name}"

    def is_set_without(self, field: Any, value: Any) -> bool:
        """Return whether the view sets the value itself, as one that publishes does."""
        texts = {str(value)}
        if field.related_model is User:
            texts |= set(User.objects.filter(pk=value).values_list("email", flat=True))
        options = without(texts, self.request.options)
        answer = self.sender.send(self.user, self.url, self.request.method, **options)
        name = field.attname
        return any(
            model is field.model and new.get(name) == value != old.get(name)
            for (model, _), (old, new) in answer.changes.items()
        )

    def changes_of_others(self) -> Iterator[str]:
        theirs = {(type(row), row.pk): row for row in self.rows_of_others()}
        if not self.allows("writes"):
            for (model, pk), (old, new) in self.answer.changes.items():
                if (model, pk) in theirs:
                    yield f"changes {model.__name__} of the owner"
                for field in model._meta.concrete_fields:
                    value = new.get(field.attname)
                    used = field.related_model
                    is_new = old.get(field.attname) != value
                    if used and used is not User and is_new and (used, value) in theirs:
                        yield f"uses {used.__name__} of the owner"
        if self.is_own:
            return
        is_hidden = self.row.answers and self.row.answer(self.person) in REFUSALS
        if "<" in self.route and (is_hidden or self.is_mixed) and not self.is_refused:
            yield f"answers {self.answer.outcome}, not 404"

    def rows_of_others(self) -> list[Model]:
        world = self.world
        rows = [self.owner, *world.rows[app_of(self.route)]]
        key = getattr(self.user, "pk", None)
        return [row for row in rows if world.holder(row, app_of(self.route)) != key]


def is_repeatable(key: Key) -> bool:
    """Return whether a user can have more and more of such rows."""
    if key[0] in {Photo, Verdict}:
        return False  # UPLOADS_PER_HOUR limits photos
    fields = key[0]._meta.concrete_fields
    return not any(field.unique and field.related_model is User for field in fields)


@pytest.mark.control("V8.2.2")
@pytest.mark.parametrize("person", ["owner", "anonym", "other", "staff", *ROLES])
def test_nobody_changes_what_belongs_to_others(person: str, sender: Sender) -> None:
    """By POST, PUT, PATCH and DELETE; by GET, nobody changes anything."""
    findings = Findings()
    for route in OWN_ROUTES:
        if not is_asked(person, route):
            continue
        user = sender.world.person(person, route)
        hidden = sender.world.hidden_from(user)
        urls = [sender.world.url(route)]
        if person in {"other", *ROLES}:
            urls += sender.world.mixed_urls(route)
        if person == "other":
            urls += sender.world.own_urls(route)
        for url in urls:
            refused: set[str] = set()
            for request in requests(sender, route, url, user):
                if request.method in refused:
                    continue
                attempt = Attempt(sender, route, person, request, url, hidden)
                if attempt.answer.outcome == "405":
                    refused.add(request.method)
                for sentence in attempt.findings():
                    findings.add(f"{request.method.upper()} {route} {sentence}", person)
    findings.report(SEARCH, LIMIT, REASON)
