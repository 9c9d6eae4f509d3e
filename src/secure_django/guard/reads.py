"""What a person reads on a page, and by asking it for what is the owner's."""

from pathlib import Path

from django.conf import settings

from secure_django.guard.access import OWN_ROUTES, REFUSALS, ROLES, is_asked, rule
from secure_django.guard.findings import (
    Findings,
    changes_by_get,
    faults,
    shown,
    weak_cookies,
)
from secure_django.guard.marks import Mark
from secure_django.guard.nobody import url_of_nobody
from secure_django.guard.queries import NOTHING, Query, followed, queries
from secure_django.guard.retries import reduced_query
from secure_django.guard.sending import Answer, Sender
from secure_django.guard.tables import CONFIG
from secure_django.guard.typed import EVIL


class Visit:
    """What a person reads on a page, and by asking it for what is the owner's."""

    def __init__(
        self, sender: Sender, route: str, person: str, findings: Findings
    ) -> None:
        self.sender = sender
        self.world = sender.world
        self.route = route
        self.person = person
        self.findings = findings
        self.user = self.world.person(person, route)
        self.url = self.world.url(route)
        self.hidden = self.world.hidden_from(self.user)

    def add(self, sentence: str) -> None:
        self.findings.add(sentence, self.person)

    def search(self, page: Answer, url: str) -> None:
        """Look in every way for what is the owner's."""
        if self.route not in OWN_ROUTES or not is_asked(self.person, self.route):
            self.follow_page(page, url)
            return
        self.ask_page(page, url)
        self.ask_caches(page, url)
        if self.person in {"other", *ROLES}:
            self.mix_owners()
        if self.person == "other":
            self.look_from_own_object()

    def open_page(self, url: str) -> Answer:
        page = self.sender.send(self.user, url)
        self.read(page, self.route)
        return page

    def ask_page(self, page: Answer, url: str) -> None:
        for query in queries(self.sender, self.route, url, page):
            self.ask(query)

    def follow_page(self, page: Answer, url: str) -> None:
        for query in followed(page, url, NOTHING):
            self.ask(query)

    def ask_caches(self, page: Answer, url: str) -> None:
        """Open a page once more, just after its owner has opened it."""
        if not self.is_kept():
            return
        owner = self.world.people_of(self.route)["owner"]
        cached = self.sender.send(self.user, url, after=owner)
        hidden = self.hidden_on(self.route)
        usual_marks = set(shown(page.text, hidden))
        for mark in set(shown(cached.text, hidden)) - usual_marks:
            sentence = f"{self.route} shows {mark.label} from a cache"
            self.add(f"{sentence}: name the user in its key")

    def is_kept(self) -> bool:
        """Return whether the cache has anything after the owner has opened the page."""
        kept = self.sender.kept_pages
        if self.route not in kept:
            owner = self.world.people_of(self.route)["owner"]
            page = self.sender.send(owner, self.world.url(self.route))
            kept[self.route] = page.is_kept
        return kept[self.route]

    def ask(self, query: Query) -> None:
        answer = self.send(query)
        smaller = None
        if answer.is_cut_short:
            smaller = reduced_query(self.sender, self.user, query)
        if smaller:
            self.send(smaller)

    def send(self, query: Query) -> Answer:
        answer = self.sender.send(self.user, query.url)
        route = self.world.route_of(query.url, self.route)
        self.read(answer, route, query.asked)
        return answer

    def mix_owners(self) -> None:
        for url, name in self.world.mixed_urls(self.route).items():
            outcome = self.sender.send(self.user, url).outcome
            if outcome in {*REFUSALS, "500"}:
                continue
            other_url = url_of_nobody(self.world, self.route, name)
            # Who finds nothing by the number of nobody has looked for it.
            if self.sender.send(self.user, other_url).outcome != outcome:
                self.add(
                    f"{self.route} mixes the numbers of two owners: it takes any {name}"
                )

    def look_from_own_object(self) -> None:
        """Open the page of an own object, whose forms may name what is the owner's."""
        owner_key = self.world.people_of(self.route)["owner"].pk
        self.hidden = [mark for mark in self.hidden if mark.holder == owner_key]
        for url in self.world.own_urls(self.route):
            self.ask_page(self.open_page(url), url)

    def hidden_on(self, route: str) -> list[Mark]:
        row = rule(route)
        known_url = self.world.url(route)  # with the token of a link
        secret_marks = [mark for mark in self.hidden if mark.text not in known_url]
        return [
            mark for mark in secret_marks if not row.allows(self.person, mark.field)
        ]

    def read(self, answer: Answer, route: str, asked: str = "") -> None:
        """Add each mark in an answer that the person may not read."""
        row = rule(route)
        hidden = self.hidden_on(route)
        means = " by its path" if Path(asked).is_absolute() else ""
        for mark in shown(answer.text, hidden, asked):
            self.add(f"{route} shows {mark.label}{means}")
        if "logs" in CONFIG.rules:
            self.read_logs(answer, route, asked)
        may_leave = route not in OWN_ROUTES or row.allows(self.person, "leaves")
        for fault in faults(answer, may_leave=may_leave):
            self.add(f"{route} {fault}")
        if route in OWN_ROUTES:
            self.add_effects(answer, route)

    def read_logs(self, answer: Answer, route: str, asked: str) -> None:
        for mark in shown(answer.logs, self.hidden_on(route), asked):
            self.add(f"{route} logs {mark.label}: log ids only")
        if EVIL in answer.logs:
            self.add(f"{route} logs a parameter: log ids only")

    def add_effects(self, answer: Answer, route: str) -> None:
        for fault in weak_cookies(answer):
            self.add(f"{route} {fault}")
        if logs_out(answer):
            self.add(f"GET {route} logs out: do so by POST")
        for change in changes_by_get(answer, route):
            self.add(f"GET {route} {change}")


def logs_out(answer: Answer) -> bool:
    """Return whether an answer ends the session: it deletes its cookie."""
    cookie = answer.response.cookies.get(settings.SESSION_COOKIE_NAME)
    return cookie is not None and not cookie.value
