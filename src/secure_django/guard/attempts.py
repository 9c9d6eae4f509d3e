"""A request of a person to a page that may change something, and what it led to."""

from collections.abc import Iterator
from typing import Any

from django.db.models import Model

from secure_django.guard.access import REFUSALS, ROLES, app_of, rule
from secure_django.guard.findings import shown
from secure_django.guard.marks import Mark
from secure_django.guard.requests import Request, requests
from secure_django.guard.retries import reduced
from secure_django.guard.sending import Answer, Sender
from secure_django.guard.users import email_of
from secure_django.guard.world import World

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

    def shown(self, text: str, hidden: list[Mark]) -> Iterator[Mark]:
        """Yield the hidden marks in a text that the request did not contain."""
        return shown(text, hidden, str(self.request.options))

    def typed_emails(self) -> set[str]:
        """Return the emails in the request, without that of the sender."""
        values = self.request.sent.values()
        emails = {value for value in values if "@" in str(value)}
        return emails - {email_of(self.user)}

    def rows_of_others(self) -> list[Model]:
        app = app_of(self.route)
        own_key = getattr(self.user, "pk", None)
        rows = [self.owner, *self.world.rows[app]]
        return [row for row in rows if self.world.holder(row, app) != own_key]


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
        if attempt.answer.is_cut_short:
            smaller = reduced(sender, user, url, request)
            if smaller:
                yield Attempt(sender, route, person, smaller, url, hidden)
        # The questions about it have sent others, and the next request depends on it.
        sender.last = attempt.answer
