"""What a sentence of the guard is about, and which of two is worse.

A sentence begins with a method or a route, or names a route somewhere:

    POST /notes/<pk>/delete/ changes Note of the owner
    Once Note.is_public is True, /notes/<pk>/ shows Note.text
    no access rule for /notes/
"""

import re
from typing import NamedTuple

METHOD = re.compile(r"^(Once .+?, )?(DELETE|GET|HEAD|OPTIONS|PATCH|POST|PUT) (?=/)")
ROUTE = re.compile(r"(?:^|\s)(/[^\s?]*?)(?=\?|[,:]?(?:\s|$))")
QUERY = re.compile(r"(?<=\S)\?\w+=\S*")
CONDITION = re.compile(r"^Once (.+?), ")
BY_PATH = " by its path"
# Lines of code move, and errors have values of one run.
LINE_NUMBER = re.compile(r"(?<=\.py):\d+")
NOT_ASKED = re.compile(r"( was not asked: \w+).*")
MODEL_FIELD = re.compile(r"\b([A-Z]\w*)\.\w+")
BY_GET = "do so by POST"
ERROR = r"answers 500|enqueues a task that fails"
EXCEPTION = re.compile(rf"^({ERROR}) \(.+?\): ")
FUNCTION = re.compile(rf"^(?:(?:{ERROR}) \(\w+ |changes \w+ \()in (.+?)\): ")


class Severity(NamedTuple):
    """What a group of findings is about."""

    name: str
    title: str
    pattern: str  # of what a sentence says
    level: str  # as the Code Quality reports of GitLab write it


# Worst first. A sentence belongs to the first one whose pattern it has.
SEVERITIES = [
    Severity(
        "changes",
        "others change what is the owner's",
        r"(changes|uses) \w+ of the owner",
        "blocker",
    ),
    Severity(
        "reads",
        "others read what is the owner's",
        r"shows \w+\.\w+|sends \w+\.\w+ to others|gives others|mixes the numbers"
        r"|can be guessed|answers (200|away), not (40\d|log-in|reauth)",
        "critical",
    ),
    Severity(
        "scripts",
        "scripts, requests of other sites, and redirects to any site",
        rf"unescaped|javascript|redirects to (any|another) site|{BY_GET}"
        r"|is csrf_exempt",
        "critical",
    ),
    Severity(
        "rights",
        "rights and log-ins",
        r"lets a user set|makes an account|calls a?check_password",
        "critical",
    ),
    Severity(
        "files",
        "files",
        r"opens a file|stores (a file|an image)",
        "major",
    ),
    Severity(
        "deletion",
        "what an account takes with it, and what it leaves",
        r"goes with an account|stays when its owner is deleted",
        "major",
    ),
    Severity("emails", "emails", r"sends ", "major"),
    Severity(
        "errors",
        "errors",
        rf"{ERROR}|calculates for over|takes all memory",
        "major",
    ),
    Severity("guard", "errors of the guard itself", r"was not asked", "major"),
    Severity(
        "table",
        "what is missing in the table",
        r"no access rule|has no table|is in the table of|objects\(\) of|nobody finds"
        r"|needs a row|matches no page|has \d+ answers|is no column|reason is missing"
        r"|lead to the same user|cannot be copied|answers .+, not |says \?|makes no"
        r"|was not (made|filled)|was made only once|\(\) of \S+ failed|has no file"
        r"|is never reached|no key leads",
        "minor",
    ),
]
RULES = Severity("rules", "house rules", "", "minor")
# Before the table: what is missing there is said last.
ORDER = [*SEVERITIES[:-1], RULES, SEVERITIES[-1]]
PATTERNS = {severity: re.compile(severity.pattern) for severity in SEVERITIES}


class Sentence(NamedTuple):
    """A sentence, and what it is about."""

    text: str  # as guard_accepted.txt has it, whatever the method
    route: str  # empty if the sentence is about no page
    what: str  # without the route
    requests: frozenset[str]  # methods, and other ways that lead to it
    condition: str  # such as "Note.is_public is True"


def parse(sentence: str) -> Sentence:
    """Return what a sentence is about."""
    line = " ".join(sentence.split())
    text = shorten(line)
    route = find_route(text)
    condition = CONDITION.match(text)
    return Sentence(
        text=text,
        route=route,
        what=without_route(text, route),
        requests=frozenset(find_requests(line)),
        condition=condition[1] if condition else "",
    )


def shorten(line: str) -> str:
    """Return a sentence without what differs between requests, or between runs."""
    text = METHOD.sub(lambda match: match[1] or "", line)
    text = LINE_NUMBER.sub("", text.replace(BY_PATH, ""))
    return NOT_ASKED.sub(r"\1", text)


def find_route(text: str) -> str:
    match = ROUTE.search(text)
    return match[1] if match else ""


def without_route(text: str, route: str) -> str:
    """Return what a sentence says of a page, if it begins with its route."""
    text = CONDITION.sub("", text)
    if not route or not text.startswith(route):
        return text
    query = QUERY.search(text)
    rest = text.removeprefix(route).removeprefix(query[0] if query else "")
    return rest.removeprefix(":").strip()


def find_requests(line: str) -> set[str]:
    """Return the method of a sentence, its query, and whether it names a path."""
    method = METHOD.match(line)
    query = QUERY.search(line)
    requests = {method[2]} if method else set()
    if query:
        requests.add(query[0])
    if BY_PATH in line:
        requests.add("by the path of a file")
    return requests


def severity_of(what: str) -> Severity:
    """Return the severity of what a sentence says."""
    fault = without_advice(what)
    for severity, pattern in PATTERNS.items():
        if pattern.search(fault):
            return severity
    return RULES


def without_advice(what: str) -> str:
    """Return the fault alone, without names of functions, which may be any words."""
    if what.endswith(BY_GET):
        return what  # only this advice says that the fault is the method
    return EXCEPTION.sub(r"\1: ", what).partition(": ")[0]


def function_to_blame(what: str) -> str:
    """Return the function that has failed or written, and its file, or nothing."""
    match = FUNCTION.match(what)
    return match[1] if match else ""


def rank(sentence: str) -> tuple[int, bool, str]:
    """Return a key that sorts sentences: the worst first.

    What is so now comes before what is so once a switch is turned.
    """
    parsed = parse(sentence)
    order = ORDER.index(severity_of(parsed.what))
    return order, bool(parsed.condition), sentence


def topic(sentence: Sentence) -> str:
    """Return what the sentences of one weakness of a page have in common.

    That is access to what others read or change there, or else the whole sentence
    without the names of fields.
    """
    condition = "once " if sentence.condition else ""
    if severity_of(sentence.what).name in {"changes", "reads"}:
        # A page shows an email for another reason than what it is about.
        is_about_users = " User." in f" {sentence.what}"
        return f"{condition}access to {'users' if is_about_users else 'objects'}"
    if EXCEPTION.match(sentence.what):
        return f"{condition}error"
    if sentence.what.endswith(BY_GET):
        return f"{condition}changes by GET"
    return condition + MODEL_FIELD.sub(r"\1", sentence.what)


def is_consequence(what: str) -> bool:
    """Return whether a sentence says only that a page is open, not what it shows."""
    return bool(re.match(r"answers (?!500)|gives others", what))
