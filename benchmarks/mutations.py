"""Mutation testing of the controls: break one at a time, and run the tests.

A control of the package is broken in a copy of this repository, and one of a team's own
files in a generated project. A mutation is detected if a test fails that is marked with
the control; in a project, also if a check of the settings or their lock fails.
"""

import argparse
import ast
import difflib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from textwrap import dedent
from typing import NamedTuple, Self

from benchmarks import print_table
from benchmarks.covering import (
    PACKAGE,
    Coverage,
    Subject,
    count_lines,
    package,
    project,
    tested_by,
    trace,
)
from tests.support.baking import RAW, REMOVED, ROOT, run
from tests.support.features import removed_owner

LIMIT = 1200  # seconds; a mutation that makes the tests endless is not detected
FAILED_TEST = re.compile(r"^(?:FAILED|ERROR) \S*?/?(\w+\.py)(?:::(\w+))?", re.MULTILINE)
# The checks of a project's settings that `poe check` runs, and what names a problem.
CHECK_DEPLOY = (
    sys.executable,
    "manage.py",
    "check",
    "--fail-level=WARNING",
    "--deploy",
)
WRITE_LOCK = (sys.executable, "-m", "secure_django.conf.lock")
CHECKS = {
    CHECK_DEPLOY: r"\w+\.[EW]\d+",
    (*WRITE_LOCK, "--check"): r"settings\.lock",
}
CHECK_ENVIRONMENT = {"DJANGO_SETTINGS_MODULE": "tests.settings"}

SETTINGS = "config/settings.py"
DEFAULTS = "src/secure_django/conf/defaults.py"
ACCOUNT_DEFAULTS = "src/secure_django/accounts/defaults.py"
ADAPTERS = "src/secure_django/login/adapters.py"
MAIL = "src/secure_django/mail/outbox.py"
INVITATIONS = "src/secure_django/mail/invitations.py"
PROVIDERS = "src/secure_django/mail/providers.py"
SUPPRESSIONS = "src/secure_django/mail/suppressions.py"
MIDDLEWARE = "src/secure_django/web/middleware.py"
ENVIRONMENT = "src/secure_django/conf/environment.py"
LOGS = "src/secure_django/logging.py"
IMAGES = "src/secure_django/photos/images.py"
DECODER = "src/secure_django/photos/decoder.py"
LIMITS = "src/secure_django/photos/limits.py"
TURNS = "src/secure_django/turns.py"
FORM_TURNS = "src/secure_django/login/middleware.py"
DEVICES = "src/secure_django/login/devices.py"
SESSIONS = "src/secure_django/sessions.py"
PROXIES = "src/secure_django/web/proxies.py"
UNAVAILABLE = "src/secure_django/web/unavailable.py"
DRIVER = "src/secure_django/postgresql/driver.py"
CLIENT = "src/secure_django/web/client.py"
GUESSES = "src/secure_django/web/guesses.py"
SETTINGS_CHECKS = "src/secure_django/conf/checks.py"
HEALTH = "src/secure_django/web/health.py"
MODELS = "src/secure_django/photos/models.py"
RULES = "src/secure_django/photos/moderation/rules.py"
SERVICES = "src/secure_django/photos/services.py"
BACKUPS = "src/secure_django/commands/backups.py"
CACHING = "src/secure_django/web/caching.py"
FETCH = "src/secure_django/fetch.py"
CSV = "src/secure_django/csv.py"
STATUS = "src/secure_django/management/commands/status.py"
STATUS_LINES = "src/secure_django/status.py"
WORKER = "src/secure_django/management/commands/worker.py"
TASKS = "src/secure_django/jobs/tasks.py"
QUEUES = "src/secure_django/jobs/queues.py"
JOBS = "src/secure_django/photos/jobs.py"
VIEWS = "src/secure_django/photos/views.py"
ADMIN = "src/secure_django/photos/admin.py"
NOTICES = "src/secure_django/photos/notices.py"
STORAGE = "src/secure_django/photos/storage.py"
FOLDER = "src/secure_django/storage.py"
PHOTO_LINES = "src/secure_django/photos/status.py"
FORMS = "src/secure_django/photos/forms.py"
FORM_FIELDS = "src/secure_django/photos/form_fields.py"
PURPOSES = "src/secure_django/photos/purposes.py"
BREACHED = "secure_django.accounts.password_validation.BreachedPasswordValidator"
GALLERY = "gallery/views.py"
CLOUDINARY = "src/secure_django/photos/cloudinary"

# The tokens of Python. `tokenize` refuses fragments that leave a bracket open.
STRING = r"""
    (?i:[rbftu]{0,2})
    (?:
        \"{3} (?:\\.|[^\\])*? \"{3}
        | '{3} (?:\\.|[^\\])*? '{3}
        | " (?:\\.|[^"\\\n])* "
        | ' (?:\\.|[^'\\\n])* '
    )
"""
NUMBER = r"""
    0[xXoObB]\w+
    | (?: \d[\d_]*\.?[\d_]* | \.\d[\d_]* ) (?:[eE][+-]?[\d_]+)? [jJ]?
"""
OPERATOR = r"""
    \*\*= | //= | >>= | <<= | \.{3} | -> | := | \*\* | // | >> | <<
    | [-+*/%@&|^=<>!]= | .
"""
SPACE = r"(?: \s | \\\n | \#[^\n]* )"
TOKEN = re.compile(
    rf"""
    (?P<space> {SPACE}+ )
    | (?P<strings> {STRING} (?: {SPACE}* {STRING} )* )
    | [^\W\d]\w*
    | {NUMBER}
    | {OPERATOR}
    """,
    re.DOTALL | re.VERBOSE,
)
COMMA = re.compile(rf"{SPACE}*,", re.VERBOSE)
OPENING = {"(", "[", "{"}
CLOSING = {")", "]", "}"}
# A formatter puts parentheses around an expression, or a tuple, between these.
NEW_STATEMENT = "a new statement"
BEFORE_TUPLE = {NEW_STATEMENT, "=", "return", "yield", "with", "import", "del"}
KEYWORDS = {"if", "elif", "while", "in", "assert", "raise", "except"}
SIGNS = {"+=", "-=", "|=", "&=", "->", ":", ","}
BEFORE_EXPRESSION = BEFORE_TUPLE | KEYWORDS | SIGNS | OPENING
AFTER_EXPRESSION = CLOSING | {":", ",", "="}


class Token(NamedTuple):
    """A token at its place in a text. Adjacent strings are one token."""

    text: str  # of strings: their meaning
    start: int
    end: int
    indentation: int | None = None  # of a token that starts a statement

    @property
    def is_implied(self) -> bool:
        """Tell whether it is a comma that a text leaves out."""
        return self.start == self.end

    def is_like(self, other: Self) -> bool:
        """Tell whether it is the same token at another place."""
        return (self.text, self.indentation, self.is_implied) == (
            other.text,
            other.indentation,
            other.is_implied,
        )


class Span(NamedTuple):
    """A part of a text."""

    start: int
    end: int


class Shared(NamedTuple):
    """The number of tokens that two fragments share at their ends."""

    at_start: int
    at_end: int

    def between(self, tokens: list[Token]) -> list[Token]:
        """Return the tokens that are not shared."""
        return tokens[self.at_start : len(tokens) - self.at_end]


class Pair(NamedTuple):
    """An opening and a closing parenthesis."""

    opening: Token
    closing: Token
    is_tuple: bool


class Code:
    """A Python module, or a fragment of one, without what depends on its format."""

    def __init__(self, text: str, *, keep_parentheses: bool = False) -> None:
        """Read a text."""
        tokens = lex(text)
        self.text = text
        self.pairs = [] if keep_parentheses else optional_pairs(tokens)
        self.tokens = unify_commas(tokens, self.pairs)

    def find(self, pattern: Self) -> list[int]:
        """Return the numbers of the tokens where a pattern begins."""
        texts = [token.text for token in self.tokens]
        wanted = [token.text for token in pattern.tokens]
        if not wanted:
            return []
        return [
            number
            for number in range(len(texts))
            if texts[number : number + len(wanted)] == wanted
        ]

    def margin(self, number: int) -> str:
        """Return the indentation of the statement that a token belongs to."""
        for token in reversed(self.tokens[: number + 1]):
            if token.indentation is not None:
                return " " * token.indentation
        return ""

    def span(self, tokens: list[Token], *, with_tuples: bool = True) -> Span:
        """Return the place of tokens, and of optional parentheses around them."""
        start = tokens[0].start
        end = tokens[-1].end
        for opening, closing, is_tuple in self.pairs:
            if is_tuple and not with_tuples:
                continue
            opens = start <= opening.start < end or self.is_empty(opening.end, start)
            closes = start < closing.end <= end or self.is_empty(end, closing.start)
            if opens and closes:
                start = min(start, opening.start)
                end = max(end, closing.end)
        return Span(start, end)

    def skip_comma(self, place: int) -> int:
        """Return the place behind a comma that only optional parentheses need."""
        match = COMMA.match(self.text, place)
        if match and self.is_empty(place, match.end()):
            return match.end()
        return place

    def is_empty(self, start: int, end: int) -> bool:
        """Tell whether no token begins in a span that does not run backwards."""
        if start > end:
            return False
        return not any(start <= token.start < end for token in self.tokens)

    def text_between(self, shared: Shared) -> str:
        """Return the text between the tokens that are shared."""
        start = 0
        end = len(self.text)
        if shared.at_start:
            start = self.tokens[shared.at_start - 1].end
        if shared.at_end:
            end = self.tokens[-shared.at_end].start
        return self.text[start:end]


def lex(text: str) -> list[Token]:
    """Return the tokens of a text, whose brackets need no partner."""
    tokens = []
    depth = 0
    for match in TOKEN.finditer(text):
        if match["space"]:
            continue
        line_start = text.rfind("\n", 0, match.start()) + 1
        before = text[line_start : match.start()]
        indentation = None
        if depth <= 0 and not before.strip():
            indentation = len(before)
        content = match[0]
        if match["strings"]:
            content = meaning(content)
        if content in OPENING:
            depth += 1
        if content in CLOSING:
            depth -= 1
        tokens.append(Token(content, match.start(), match.end(), indentation))
    return tokens


@cache
def meaning(strings: str) -> str:
    """Return the same text for the same strings in other quotes or other parts."""
    try:
        tree = ast.parse(f"({strings}\n)", mode="eval")
    except SyntaxError:
        return strings
    return ast.dump(tree)


def optional_pairs(tokens: list[Token]) -> list[Pair]:
    """Return the parentheses that a formatter adds and removes."""
    pairs = []
    open_numbers = []
    for number, token in enumerate(tokens):
        if token.text in OPENING:
            open_numbers.append(number)
        if token.text in CLOSING and open_numbers:
            opening = open_numbers.pop()
            if is_optional(tokens, opening, number):
                inside = outer_texts(tokens[opening + 1 : number])
                pairs.append(Pair(tokens[opening], token, "," in inside))
    return pairs


def is_optional(tokens: list[Token], opening: int, closing: int) -> bool:
    """Tell whether two brackets only enclose a whole expression or tuple."""
    if tokens[opening].text != "(" or opening == 0:
        return False
    before = tokens[opening - 1].text
    if tokens[opening].indentation is not None:
        before = NEW_STATEMENT
    inside = outer_texts(tokens[opening + 1 : closing])
    if not inside or "for" in inside:
        return False
    if "," in inside and before not in BEFORE_TUPLE:
        return False
    if before not in BEFORE_EXPRESSION:
        return False
    if closing + 1 == len(tokens):
        return True
    after = tokens[closing + 1]
    return after.text in AFTER_EXPRESSION or after.indentation is not None


def outer_texts(tokens: list[Token]) -> set[str]:
    """Return the texts of tokens that are in no brackets."""
    texts = set()
    depth = 0
    for token in tokens:
        if token.text in CLOSING:
            depth -= 1
        if depth == 0:
            texts.add(token.text)
        if token.text in OPENING:
            depth += 1
    return texts


def unify_commas(tokens: list[Token], optional: list[Pair]) -> list[Token]:
    """Leave optional parentheses out, and put a comma before each closing bracket."""
    left_out = {pair.opening for pair in optional}
    left_out |= {pair.closing for pair in optional}
    kept: list[Token] = []
    previous_end = 0
    for token in tokens:
        last = kept[-1].text if kept else ""
        if token.text in CLOSING and token in left_out and last == ",":
            kept.pop()
        if token not in left_out:
            if token.text in CLOSING and last not in {"", ",", *OPENING}:
                kept.append(Token(",", previous_end, previous_end))
            kept.append(token)
        previous_end = token.end
    return kept


@cache
def read_module(source: str) -> Code:
    """Return the code of a module, which many mutations change."""
    return Code(source)


def compare(old: list[Token], new: list[Token]) -> Shared:
    """Return what two fragments share."""
    at_start = count_alike(old, new)
    # A list in the module may end without this comma.
    while at_start and old[at_start - 1].text == ",":
        at_start -= 1
    old_rest = reversed(old[at_start:])
    new_rest = reversed(new[at_start:])
    return Shared(at_start, count_alike(old_rest, new_rest))


def count_alike(tokens: Iterable[Token], others: Iterable[Token]) -> int:
    """Return how many tokens are the same before the first that differs."""
    count = 0
    for token, other in zip(tokens, others, strict=False):
        if not token.is_like(other):
            break
        count += 1
    return count


def replace_code(source: str, old: str, new: str) -> str | None:
    """Replace a fragment that a module has once, whatever the format of both.

    What the fragments share at their ends stays in the module as it is.
    """
    module = read_module(source)
    pattern = Code(dedent(old).strip())
    replacement = Code(dedent(new).strip(), keep_parentheses=True)
    places = module.find(pattern)
    if len(places) != 1:
        return None
    place = places[0]
    matched = module.tokens[place : place + len(pattern.tokens)]
    shared = compare(pattern.tokens, replacement.tokens)
    removed = shared.between(matched)
    text = replacement.text_between(shared)
    if removed:
        start, end = module.span(removed)
        if removed[0].text == ",":
            end = module.skip_comma(end)
        text = text.strip()
    else:
        added = shared.between(replacement.tokens)
        start = end = insertion_place(module, matched, shared, added)
    text = text.replace("\n", "\n" + module.margin(place))
    return source[:start] + text + source[end:]


def insertion_place(
    module: Code, matched: list[Token], shared: Shared, added: list[Token]
) -> int:
    """Return where a module gets tokens without losing any.

    A statement goes behind optional parentheses; so does an argument, but not another
    value of a tuple.
    """
    before = matched[: shared.at_start]
    if not before:
        return matched[0].start
    if added and added[0].indentation is not None:
        return module.span(before).end
    if added and added[0].text == ",":
        return module.span(before, with_tuples=False).end
    return before[-1].end


def replace_text(source: str, old: str, new: str) -> str | None:
    """Replace a text that a file has once, whatever its white space."""
    words = map(re.escape, old.split())
    matches = list(re.finditer(r"\s+".join(words), source))
    if len(matches) != 1:
        return None
    start, end = matches[0].span()
    return source[:start] + new.strip() + source[end:]


@dataclass(frozen=True)
class Mutation:
    """A change that breaks a control: `new` replaces `old`, which the file has once.

    In a Python file, both are tokens: spaces, line ends and comments do not matter, and
    nor do commas, quotes and parentheses that only depend on the format. Lines of `new`
    are indented like the statement where `old` begins.
    """

    name: str
    path: str
    old: str
    new: str = ""
    feature: str = ""  # whose lines of a project's file it breaks

    @property
    def is_of_package(self) -> bool:
        """Tell whether it breaks the package, and not what a team owns."""
        return self.path.startswith(f"{PACKAGE}/")

    @property
    def is_removed(self) -> bool:
        """Tell whether a fork has removed the feature that it is about."""
        return self.feature in REMOVED or bool(removed_owner(self.path))

    def fits(self, folder: Path) -> bool:
        """Tell whether the file has `old` once, and the change is valid and matters."""
        file = folder / self.path
        if not file.is_file():
            return False
        source = file.read_text(encoding="utf-8")
        broken = self.replace(source)
        if broken is None:
            return False
        try:
            return self.what_counts(source) != self.what_counts(broken)
        except SyntaxError:  # any test would notice it
            return False

    def replace(self, source: str) -> str | None:
        """Return the changed source, or None unless it has `old` exactly once."""
        if self.path.endswith(".py"):
            return replace_code(source, self.old, self.new)
        return replace_text(source, self.old, self.new)

    def changed_lines(self, source: str) -> Span:
        """Return the first and the last line of Python that change."""
        before = source.splitlines()
        after = (self.replace(source) or "").splitlines()
        matcher = difflib.SequenceMatcher(None, before, after, autojunk=False)
        changes = [change for change in matcher.get_opcodes() if change[0] != "equal"]
        return Span(changes[0][1] + 1, max(changes[-1][2], changes[0][1] + 1))

    def what_counts(self, source: str) -> str:
        """Return a file without comments and docstrings, and without its format."""
        if not self.path.endswith(".py"):
            without_comments = re.sub(
                r"<!--.*?-->|{#.*?#}", "", source, flags=re.DOTALL
            )
            return "".join(without_comments.split())
        tree = ast.parse(source)
        for node in ast.walk(tree):
            body = getattr(node, "body", None)
            if isinstance(body, list):
                code = [statement for statement in body if not is_text(statement)]
                body[:] = code or [ast.Pass()]
        return ast.unparse(tree)

    def is_about(self, files: list[str]) -> bool:
        """Tell whether a file is the one that is changed, or a test beside it."""
        return self.path in files or any(is_near(file, self.path) for file in files)

    def apply(self, folder: Path) -> None:
        """Change the file."""
        file = folder / self.path
        broken = self.replace(file.read_text(encoding="utf-8"))
        if broken is None:
            message = f"{self.path} does not have this once: {self.old}"
            raise ValueError(message)
        file.write_text(broken, encoding="utf-8")


def is_text(statement: ast.stmt) -> bool:
    """Tell whether a statement is nothing but a docstring."""
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


MUTATIONS = [
    # Headers and cookies
    Mutation(
        "CSP middleware removed",
        SETTINGS,
        '"django.middleware.csp.ContentSecurityPolicyMiddleware",',
    ),
    Mutation(
        "CSP allows inline scripts",
        SETTINGS,
        "[CSP.SELF, CSP.NONCE]",
        "[CSP.SELF, CSP.UNSAFE_INLINE]",
    ),
    Mutation("CSP allows frames", SETTINGS, '"frame-ancestors": [CSP.NONE],'),
    Mutation(
        "CSP only reports",
        SETTINGS,
        "SECURE_CSP = {} if CSP_REPORT_ONLY else CSP_POLICY",
        "SECURE_CSP = {}",
    ),
    Mutation(
        "framing middleware removed",
        SETTINGS,
        '"django.middleware.clickjacking.XFrameOptionsMiddleware",',
    ),
    Mutation("HSTS switched off", SETTINGS, '"31536000"', '"0"'),
    Mutation(
        "HSTS without subdomains",
        DEFAULTS,
        '"SECURE_HSTS_INCLUDE_SUBDOMAINS", boolean, "on"',
        '"SECURE_HSTS_INCLUDE_SUBDOMAINS", boolean, "off"',
    ),
    Mutation(
        "HTTP not redirected to HTTPS",
        SETTINGS,
        "SECURE_SSL_REDIRECT = not DEBUG",
        "SECURE_SSL_REDIRECT = False",
    ),
    Mutation(
        "full referrer sent to other sites",
        DEFAULTS,
        "CSRF_COOKIE_HTTPONLY = True",
        'CSRF_COOKIE_HTTPONLY = True\nSECURE_REFERRER_POLICY = "unsafe-url"',
    ),
    Mutation(
        "permissions policy removed",
        SETTINGS,
        '"django_permissions_policy.PermissionsPolicyMiddleware",',
    ),
    Mutation(
        "security middleware removed",
        SETTINGS,
        '"django.middleware.security.SecurityMiddleware",',
    ),
    Mutation(
        "static files served without headers",
        SETTINGS,
        "MIDDLEWARE = [",
        'MIDDLEWARE = ["whitenoise.middleware.WhiteNoiseMiddleware",',
    ),
    Mutation(
        "session cookie sent over HTTP",
        SETTINGS,
        "SESSION_COOKIE_SECURE = not DEBUG",
        "SESSION_COOKIE_SECURE = False",
    ),
    Mutation(
        "CSRF cookie readable by scripts",
        DEFAULTS,
        "CSRF_COOKIE_HTTPONLY = True",
        "CSRF_COOKIE_HTTPONLY = False",
    ),
    Mutation(
        "session cookie sent with cross-site requests",
        DEFAULTS,
        "CSRF_COOKIE_HTTPONLY = True",
        'CSRF_COOKIE_HTTPONLY = True\nSESSION_COOKIE_SAMESITE = "None"',
    ),
    Mutation(
        "cookies without the __Host- prefix",
        DEFAULTS,
        'SESSION_COOKIE_NAME = "sessionid" if env.debug else "__Host-sessionid"',
        'SESSION_COOKIE_NAME = "sessionid"',
    ),
    Mutation(
        "messages in a cookie",
        DEFAULTS,
        'MESSAGE_STORAGE = "django.contrib.messages.storage.session.SessionStorage"',
    ),
    Mutation(
        "any method allowed",
        MIDDLEWARE,
        "if request.method in KNOWN_METHODS:",
        "if True:",
    ),
    Mutation(
        "view that takes every method",
        "src/secure_django/web/views.py",
        "@require_safe\ndef security_txt",
        "def security_txt",
    ),
    Mutation(
        "admin that takes every method",
        "src/secure_django/admin.py",
        'require_http_methods(["GET", "HEAD", "POST"])(checked_view)',
        "checked_view",
    ),
    Mutation(
        "log-in form that takes PUT",
        "src/secure_django/login/urls.py",
        "restrict_methods(urlpatterns)",
    ),
    Mutation(
        "resources embeddable by other sites",
        MIDDLEWARE,
        '"Cross-Origin-Resource-Policy", "same-origin"',
        '"Cross-Origin-Resource-Policy", "cross-origin"',
    ),
    Mutation(
        "no Clear-Site-Data after log-out",
        MIDDLEWARE,
        'if getattr(request, "logged_out", False):',
        "if False:",
    ),
    Mutation(
        "private pages may be stored",
        MIDDLEWARE,
        'if "Cache-Control" not in response.headers:',
        "if False:",
    ),
    Mutation(
        "pages that do not say who may keep them",
        MIDDLEWARE,
        'response.headers.setdefault("Cache-Control", "private, no-cache")',
        "pass",
    ),
    Mutation(
        "CSRF middleware removed",
        SETTINGS,
        '"django.middleware.csrf.CsrfViewMiddleware",',
    ),
    Mutation(
        "X-Forwarded-Proto trusted without a proxy",
        DEFAULTS,
        '("HTTP_X_FORWARDED_PROTO", "https") if TRUSTED_PROXY_COUNT else None',
        '("HTTP_X_FORWARDED_PROTO", "https")',
    ),
    Mutation(
        "leftmost IP address in X-Forwarded-For trusted",
        CLIENT,
        "entries[-count].strip()",
        "entries[0].strip()",
    ),
    # Starting
    Mutation(
        "DEBUG on",
        SETTINGS,
        "DEBUG = env.debug",
        "DEBUG = True",
    ),
    Mutation(
        "DEBUG on by default",
        ENVIRONMENT,
        'self.read("DEBUG", boolean, "off")',
        'self.read("DEBUG", boolean, "on")',
    ),
    Mutation(
        "DEBUG allowed with a public host",
        ENVIRONMENT,
        "if self.debug and not all(",
        "if False and not all(",
    ),
    Mutation(
        "short secret key accepted",
        ENVIRONMENT,
        "if len(value) < 50 or len(set(value)) < 5 or is_made_by_django:",
        "if False:",
    ),
    Mutation(
        "placeholder accepted as a secret",
        ENVIRONMENT,
        "if value.startswith(PLACEHOLDER):",
        "if False:",
    ),
    Mutation(
        "invalid values shown in error messages",
        ENVIRONMENT,
        '"Must be on or off."',
        'f"Must not be {value}."',
    ),
    Mutation(
        "default value for the secret key",
        SETTINGS,
        'env.read("SECRET_KEY", conf.secret_key)',
        'env.read("SECRET_KEY", conf.secret_key, bytes(range(48, 123)).decode())',
    ),
    # Sessions and log-in
    Mutation(
        "keys of sessions stored as they are",
        SESSIONS,
        "return None if key is None else hash_key(key)",
        "return key",
    ),
    Mutation(
        "hash of a session's key taken for its key",
        SESSIONS,
        "if isinstance(key, KeyHash):",
        "if len(key) == HASH_LENGTH:",
    ),
    Mutation(
        "data of sessions not encrypted",
        "src/secure_django/models.py",
        "session_data = EncryptedTextField()",
        "session_data = models.TextField()",
    ),
    Mutation(
        "keys in the list of sessions stored as they are",
        "src/secure_django/web/user_sessions.py",
        "instance.session_key = stored_hash(instance.session_key)",
        "pass",
    ),
    Mutation(
        "Django's store of sessions",
        DEFAULTS,
        'SESSION_ENGINE = "secure_django.sessions"',
        'SESSION_ENGINE = "django.contrib.sessions.backends.db"',
    ),
    Mutation(
        "session timeout middleware removed",
        SETTINGS,
        '"secure_django.web.middleware.SessionTimeoutMiddleware",',
    ),
    Mutation(
        "session without an absolute timeout",
        MIDDLEWARE,
        "min(now + idle, started + settings.SESSION_ABSOLUTE_AGE)",
        "now + idle",
    ),
    Mutation(
        "idle session of two weeks",
        SETTINGS,
        "SESSION_COOKIE_AGE = 30 * 60",
        "SESSION_COOKIE_AGE = 14 * 24 * 3600",
    ),
    Mutation(
        "common passwords accepted",
        SETTINGS,
        '{"NAME": f"{RULES}.CommonPasswordValidator"},',
        "",
    ),
    Mutation(
        "short passwords accepted", SETTINGS, '{"min_length": 12}', '{"min_length": 8}'
    ),
    Mutation(
        "site's name accepted in passwords",
        SETTINGS,
        '{"NAME": "secure_django.login.password_validation.SiteNameValidator"},',
    ),
    Mutation(
        "weak password hash",
        "src/secure_django/login/hashers.py",
        "memory_cost = 19_456",
        "memory_cost = 1_024",
    ),
    Mutation(
        "MD5 accepted for passwords",
        DEFAULTS,
        '"secure_django.login.hashers.Argon2idHasher",',
        '"secure_django.login.hashers.Argon2idHasher", '
        '"django.contrib.auth.hashers.MD5PasswordHasher",',
    ),
    Mutation(
        "log-in attempts not limited",
        SETTINGS,
        '"login_failed": "5/5m/key"',
        '"login_failed": "500/5m/key"',
    ),
    Mutation(
        "guesses of an account in another project not limited",
        GUESSES,
        "is_refused = count(account) > MOST_OF_ACCOUNT",
        "count(account)",
    ),
    Mutation(
        "guesses from a network in another project not limited",
        GUESSES,
        "is_refused |= count(network) > MOST_OF_NETWORK",
        "count(network)",
    ),
    Mutation(
        "guesses of an account in another project counted by spelling",
        GUESSES,
        ".strip().casefold()",
        ".strip()",
    ),
    Mutation(
        "right password accepted over the limit of another project",
        GUESSES,
        "raise PermissionDenied",
        "return",
    ),
    Mutation(
        "settings of another project not checked",
        SETTINGS_CHECKS,
        "if is_of_django and rule.setting not in OWN_VALUES:",
        "if is_of_django and rule.setting in OWN_VALUES:",
    ),
    Mutation(
        "old passwords guessed in a session",
        DEFAULTS,
        '"change_password": "5/m/user,20/h/user"',
        '"change_password": "500/m/user"',
    ),
    Mutation(
        "password resets not limited per email",
        DEFAULTS,
        '"reset_link": "3/30m/key"',
        '"reset_link": "99/m/key"',
    ),
    Mutation(
        "owner locked out by resets",
        DEFAULTS,
        '"reset_password": "20/m/ip",',
        '"reset_password": "20/m/ip,5/h/key",',
    ),
    Mutation(
        "links end before the limit does",
        SETTINGS,
        "PASSWORD_RESET_TIMEOUT = 60 * 60",
        "PASSWORD_RESET_TIMEOUT = 25 * 60",
    ),
    Mutation(
        "reset leaves the owner before the log-in",
        DEFAULTS,
        "ACCOUNT_LOGIN_ON_PASSWORD_RESET = True",
        "ACCOUNT_LOGIN_ON_PASSWORD_RESET = False",
    ),
    Mutation(
        "log-in attempts counted per Host header",
        ADAPTERS,
        "_get_login_attempts_cache_key",
        "_unused",
    ),
    Mutation(
        "log-in attempts counted per spoofed IP address",
        ADAPTERS,
        "return client_ip(request)",
        'return request.headers.get("X-Forwarded-For", "192.0.2.1")',
    ),
    Mutation(
        "log-in allowed while attempts cannot be counted",
        MIDDLEWARE,
        "return unavailable_page(request, exception)",
        "return None",
    ),
    Mutation(
        "blocked log-ins not logged",
        ADAPTERS,
        'log_event("authn_login_lock", self.request)',
        "pass",
    ),
    Mutation(
        "URL that cannot be parsed fails",
        ADAPTERS,
        "except ValueError:",
        "except ZeroDivisionError:",
    ),
    Mutation(
        "emails sent by the request",
        ENVIRONMENT,
        'if server == CONSOLE:\n    return {"server": server',
        'if True:\n    return {"server": server',
    ),
    Mutation(
        "no work for an email without an account",
        "src/secure_django/login/forms.py",
        "if not settings.ACCOUNT_EMAIL_UNKNOWN_ACCOUNTS and not self.users:",
        "if False:",
    ),
    Mutation("unlimited number of emails waits", MAIL, "[budget : budget + 1]", "[:0]"),
    Mutation(
        "user printed as an email",
        "src/secure_django/login/models.py",
        'return self.name or gettext("a user without a name")',
        "return self.email",
    ),
    Mutation(
        "email of another user on a page",
        "src/secure_django/templates/home.html",
        "name=user.name",
        "name=owner.email",
    ),
    Mutation(
        "second row of an owner before others",
        "src/secure_django/due.py",
        "self.order_by(*turn)",
        'self.order_by("due_at")',
    ),
    Mutation(
        "first owner always first",
        "src/secure_django/due.py",
        "if last_owner is not None:",
        "if False:",
    ),
    Mutation(
        "objects of an owner not counted",
        FORMS,
        "if self.is_new: self.check_number() return self.stored",
        "if self.is_new: return\nself.stored",
    ),
    Mutation(
        "object over the limit no error of the form",
        FORMS,
        "if not self.is_of_formset and self.adds_row():",
        "if False:",
    ),
    Mutation(
        "emails to anyone",
        MAIL,
        'if hasattr(message, "kind"):',
        "if True:",
    ),
    Mutation(
        "copies of emails to anyone",
        MAIL,
        "for recipient in message.recipients()",
        "for recipient in message.to",
    ),
    Mutation(
        "mailbox flooded by tags",
        INVITATIONS,
        'local = local.partition("+")[0]',
    ),
    Mutation(
        "mailbox flooded by dots",
        INVITATIONS,
        'local.replace(".", "") + "@gmail.com"',
        'local + "@gmail.com"',
    ),
    Mutation(
        "mailbox flooded by other characters",
        INVITATIONS,
        'unicodedata.normalize("NFKC", email).lower()',
        "email.lower()",
    ),
    Mutation(
        "invitations not limited per sender",
        DEFAULTS,
        '"20/d/user"',
        '"20000/d/user"',
    ),
    Mutation(
        "invitations not limited per network",
        DEFAULTS,
        '"invitation": "40/d/ip,2/d/key"',
        '"invitation": "2/d/key"',
    ),
    Mutation(
        "invitations of visitors limited with those of users",
        INVITATIONS,
        'action = "invitation_by_visitor"',
        'action = "invitation"',
    ),
    Mutation(
        "mailbox used up by a refused network",
        DEFAULTS,
        '"invitation_by_visitor": "40/d/ip,2/d/key"',
        '"invitation_by_visitor": "2/d/key,40/d/ip"',
    ),
    Mutation(
        "invitations of visitors sent with those of users",
        INVITATIONS,
        "if is_user else Mail.Kind.VISITOR_INVITATION",
        "if is_user else Mail.Kind.INVITATION",
    ),
    Mutation(
        "waiting invitations without a budget",
        INVITATIONS,
        "if waiting.count() >= budget.total:",
        "if False:",
    ),
    Mutation(
        "waiting invitations of one network without a budget",
        INVITATIONS,
        "waiting.filter(network_hash=network_hash).count() < budget.network",
        "True",
    ),
    Mutation(
        "emails to a blocked address",
        SUPPRESSIONS,
        "if not find(recipient)]",
        "if find(recipient)]",
    ),
    Mutation(
        "complaint lifted by a person",
        SUPPRESSIONS,
        "lifted_at=None, reason=Suppression.Reason.BOUNCE",
        "lifted_at=None",
    ),
    Mutation(
        "webhook of emails without a secret",
        "src/secure_django/mail/views.py",
        "if not secret or not has_provider():",
        "if not has_provider():",
    ),
    Mutation(
        "webhook of emails without a check of the secret",
        PROVIDERS,
        "        view.run_validators(request)\n",
        "",
    ),
    Mutation(
        "old signatures of Mailgun accepted",
        PROVIDERS,
        "if not -SIGNATURE_SECONDS < age < SIGNATURE_SECONDS:",
        "if False:",
    ),
    Mutation(
        "signature of Mailgun valid for each body",
        PROVIDERS,
        "if cache.get(key) != body:",
        "if False:",
    ),
    Mutation(
        "signature of Mailgun valid for another division of the text",
        PROVIDERS,
        """f"mailgun-{signature['signature']}\"""",
        """f"mailgun-{signature['token']}\"""",
    ),
    Mutation(
        "addresses of soft bounces blocked",
        PROVIDERS,
        'PASSING = {"SoftBounce", "SpamNotification"}',
        "PASSING = set()",
    ),
    Mutation(
        "visitors told whose emails come back",
        INVITATIONS,
        "is_refused = is_user and ",
        "is_refused = ",
    ),
    Mutation(
        "number of questions about addresses without a limit",
        INVITATIONS,
        "        is_refused = is_user",
        "        if suppressions.find(address):\n"
        "            raise ValidationError('Ask for another one')\n"
        "        is_refused = is_user",
    ),
    Mutation(
        "email lost by the refusal of one recipient",
        PROVIDERS,
        "if not answer.status & TAKEN:",
        "if False:",
    ),
    Mutation(
        "line breaks in headers of a provider",
        PROVIDERS,
        r"""re.sub(r"[\r\n]+", " ", str(value))""",
        "str(value)",
    ),
    Mutation(
        "links of emails through the provider",
        PROVIDERS,
        "    rebuilt.track_clicks = rebuilt.track_opens = False\n",
        "",
    ),
    Mutation(
        "emails lost by an account without credit",
        PROVIDERS,
        'return SMTPResponseException(status, b"")',
        "return ValueError()",
    ),
    Mutation(
        "network of an invitation stored in clear",
        INVITATIONS,
        'salted_hmac(__name__, network, algorithm="sha256").hexdigest()',
        "network",
    ),
    Mutation(
        "emails that expire over a weekend",
        MAIL,
        "LIFETIME = timedelta(days=5)",
        "LIFETIME = timedelta(days=2)",
    ),
    Mutation(
        "invitations by GET, which no limit counts",
        INVITATIONS,
        'request.method == "GET"',
        "False",
    ),
    Mutation(
        "words of a sender in the link of an invitation",
        INVITATIONS,
        "if not all(ARGUMENT.fullmatch(str(argument)) for argument in arguments):",
        "if False:",
    ),
    Mutation(
        "invitations before other emails",
        INVITATIONS,
        "message.kind = kind",
        "message.kind = Mail.Kind.NORMAL",
    ),
    Mutation(
        "emails sent in the order of their time alone",
        MAIL,
        'Mail.objects.order_by("kind").claim',
        "Mail.objects.claim",
    ),
    Mutation(
        "email without its key discarded",
        MAIL,
        "isinstance(error, json.JSONDecodeError)",
        "False",
    ),
    Mutation(
        "task of a killed worker lost",
        QUEUES,
        "rows.claim(1, CLAIM)",
        "rows.claim(1, timedelta(days=9))",
    ),
    Mutation(
        "result of a worker that has lost its claim",
        QUEUES,
        "return claimed.filter(attempts=row.attempts)",
        "return claimed",
    ),
    Mutation(
        "claim of a long task not renewed",
        QUEUES,
        "while renew_once(row) and not stop.wait(RENEWAL):",
        "while not stop.wait(RENEWAL):",
    ),
    Mutation(
        "arguments of a task in clear",
        "src/secure_django/models.py",
        "arguments = EncryptedTextField(",
        "arguments = models.TextField(",
    ),
    Mutation(
        "row that runs any function",
        TASKS,
        "return found if is_itself else None",
        "return found",
    ),
    Mutation(
        "account whose tasks delay all others",
        TASKS,
        "max(present, last + queue.seconds)",
        "present",
    ),
    Mutation(
        "tasks of a queue beyond its limit",
        QUEUES,
        "count_claims(queue) > queue.at_once",
        "False",
    ),
    Mutation(
        "task that always ends its worker repeated for ever",
        QUEUES,
        "row.tries > queue.attempts",
        "False",
    ),
    Mutation(
        "task of a newer release given up at once",
        QUEUES,
        "now > since + UNKNOWN_FOR",
        "True",
    ),
    Mutation(
        "repeated task with numbers of old claims",
        QUEUES,
        'earlier_attempts=F("attempts")',
        "attempts=0",
    ),
    Mutation(
        "tasks that ended kept for ever",
        QUEUES,
        "QueuedTask.objects.filter(finished_at__lt=old).delete()",
        "pass",
    ),
    Mutation(
        "task that anyone who sees it repeats",
        "src/secure_django/jobs/admin.py",
        'permissions=["change"]',
        'permissions=["view"]',
    ),
    Mutation(
        "email of a killed worker lost",
        MAIL,
        "claim(1, CLAIM)",
        "claim(1, timedelta(days=9))",
    ),
    Mutation(
        "email sent by each worker",
        "src/secure_django/due.py",
        "**claim)]",
        '**{"attempts": 1})]',
    ),
    Mutation(
        "email sent again under another id",
        MAIL,
        "return message_from_bytes",
        "return super().message() or message_from_bytes",
    ),
    Mutation(
        "emails lost with the mail server",
        MAIL,
        "Mail.objects.due(CLAIM).update(due_at=",
        "Mail.objects.due(CLAIM).delete() or (",
    ),
    Mutation(
        "expired emails sent",
        MAIL,
        "number, _ = expired.delete()",
        "number = 0",
    ),
    Mutation(
        "emails stored in plain text",
        "src/secure_django/models.py",
        "content = EncryptedTextField(",
        "content = models.TextField(",
    ),
    Mutation(
        "email that is refused stops all others",
        MAIL,
        "if not isinstance(error, EMAIL_ERRORS):",
        "if isinstance(error, EMAIL_ERRORS):",
    ),
    Mutation(
        "email that is refused stays for good",
        MAIL,
        "mail.attempts >= REFUSALS",
        "False",
    ),
    Mutation(
        "slow job holds emails up",
        WORKER,
        "if job.lane == lane]",
        'if lane == ""]',
    ),
    Mutation(
        "lane that hangs stays unnoticed",
        WORKER,
        "min(deadlines.values())",
        "max(deadlines.values())",
    ),
    Mutation(
        "one limit for all jobs",
        WORKER,
        "watch_lane(job.lane, job.limit)",
        "watch_lane(job.lane, jobs.LIMIT)",
    ),
    Mutation(
        "account changes without an email",
        DEFAULTS,
        "ACCOUNT_EMAIL_NOTIFICATIONS = True",
        "ACCOUNT_EMAIL_NOTIFICATIONS = False",
    ),
    Mutation(
        "old email keeps its access",
        DEFAULTS,
        "ACCOUNT_PASSWORD_RESET_TOKEN_GENERATOR = "
        '"django.contrib.auth.tokens.PasswordResetTokenGenerator"',
    ),
    Mutation(
        "all pages of allauth",
        "src/secure_django/login/urls.py",
        'if pattern.name.removeprefix("account_") in NAMES]',
        "]",
    ),
    Mutation(
        "admin with a log-in of its own",
        "src/secure_django/login/admin.py",
        "admin.site.login = require_safe(secure_admin_login(admin.site.login))",
    ),
    Mutation(
        "log-in not required",
        SETTINGS,
        '"django.contrib.auth.middleware.LoginRequiredMiddleware",',
    ),
    Mutation(
        "log-ins without turns",
        SETTINGS,
        '"secure_django.login.middleware.FormTurnMiddleware",',
    ),
    Mutation(
        "every log-in waits",
        FORM_TURNS,
        "turns_of_unknown = Turns(1,",
        "turns_of_unknown = Turns(99,",
    ),
    Mutation(
        "first network to come is next",
        FORM_TURNS,
        "turns_of_unknown.hold(used)",
        "turns_of_unknown.hold(0)",
    ),
    Mutation(
        "forms free of charge",
        FORM_TURNS,
        "seconds_used()[user] += time.monotonic() - started",
        "pass",
    ),
    Mutation(
        "seconds of a network are forgotten at once",
        FORM_TURNS,
        "int(time.monotonic() // 60)",
        "int(time.monotonic() * 60)",
    ),
    Mutation(
        "known devices wait for unknown ones",
        FORM_TURNS,
        "turns_of_known.hold(used, name=device.pk)",
        "turns_of_unknown.hold(used)",
    ),
    Mutation(
        "cookie that a new password does not end",
        DEVICES,
        "and has_digest(device.user, password_digest)",
        "",
    ),
    Mutation(
        "device with attempts without end",
        "src/secure_django/login/models.py",
        "failures__lt=MOST_FAILURES",
        "failures__lt=99",
    ),
    Mutation(
        "shared computer is kept",
        "src/secure_django/login/forms.py",
        'if self.cleaned_data["shared"]:',
        "if False:",
    ),
    Mutation(
        "devices without a limit",
        DEVICES,
        "MOST_DEVICES = 5",
        "MOST_DEVICES = 50",
    ),
    Mutation(
        "second factors change and devices stay",
        "src/secure_django/accounts/signals.py",
        "forget_devices(user)",
    ),
    Mutation(
        "sessions end everywhere and devices stay",
        "src/secure_django/accounts/views.py",
        "forget_devices(self.request.user)",
    ),
    Mutation(
        "request for a link waits for its turn",
        FORM_TURNS,
        '"/accounts/password/reset/",',
    ),
    Mutation(
        "forged form takes a turn",
        SETTINGS,
        '"django.middleware.csrf.CsrfViewMiddleware",\n'
        '"django.contrib.messages.middleware.MessageMiddleware",\n'
        '"allauth.account.middleware.AccountMiddleware",\n'
        '"secure_django.web.middleware.UnavailableMiddleware",\n'
        '"secure_django.login.middleware.FormTurnMiddleware",',
        '"secure_django.login.middleware.FormTurnMiddleware",\n'
        '"django.middleware.csrf.CsrfViewMiddleware",\n'
        '"django.contrib.messages.middleware.MessageMiddleware",\n'
        '"allauth.account.middleware.AccountMiddleware",\n'
        '"secure_django.web.middleware.UnavailableMiddleware",',
    ),
    Mutation("busy page rendered each time", FORM_TURNS, "@cache"),
    Mutation(
        "office of thirty",
        DEFAULTS,
        '"unknown_device": "600/m/ip",',
        '"unknown_device": "30/m/ip",',
    ),
    Mutation(
        "notices delay links",
        ADAPTERS,
        "Mail.Kind.AWAITED",
        "Mail.Kind.NORMAL",
    ),
    Mutation(
        "count of proxies that is too small stays unnoticed",
        PROXIES,
        "self.more_in_a_row >= MORE_LIMIT and now > self.fits_until",
        "False",
    ),
    Mutation(
        "forged entries raise an alarm",
        PROXIES,
        "self.more_in_a_row >= MORE_LIMIT and now > self.fits_until",
        "self.more_in_a_row",
    ),
    Mutation(
        "forged entries raise an alarm at a quiet time",
        PROXIES,
        "and now > self.fits_until",
        "and True",
    ),
    Mutation(
        "forged entries hide a count that is too small",
        PROXIES,
        "if surplus > 0 or is_loop:",
        "if surplus == 1 or is_loop:",
    ),
    Mutation(
        "count of proxies that is too large stays unnoticed",
        PROXIES,
        "if self.fewer == FEWER_LIMIT:",
        "if False:",
    ),
    Mutation(
        "forged entries hide a count that is too large",
        PROXIES,
        "if surplus < 0:\n    self.fewer += 1",
        "if surplus < 0:\n    self.fewer += 1\nelse:\n    self.fewer = 0",
    ),
    Mutation(
        "alarm of a forger stays",
        PROXIES,
        "self.withdraw_finding(TOO_SMALL)",
        "pass",
    ),
    Mutation(
        "status without the count of proxies",
        STATUS_LINES,
        "finding = proxies.present_finding()",
        'finding = ""',
    ),
    Mutation(
        "SCRIPT_NAME of a client believed",
        "gunicorn.conf.py",
        'forwarder_headers = ""',
    ),
    Mutation(
        "scheme of a client believed",
        "gunicorn.conf.py",
        "secure_scheme_headers: dict[str, str] = {}",
    ),
    Mutation(
        "staff set passwords",
        "src/secure_django/login/admin.py",
        "if not request.user.is_superuser:\n    raise PermissionDenied",
        "pass",
    ),
    Mutation(
        "staff see hashes of passwords",
        "src/secure_django/login/admin.py",
        'if field != "password"]',
        "]",
    ),
    Mutation(
        "titles on the page where staff delete an account",
        "src/secure_django/admin.py",
        "names = [staff_label(user) for user in objs]",
        "pass",
    ),
    Mutation(
        "edit undoes what others saved before the form was made",
        FORMS,
        "if is_as_at_start(self.instance, name): return False",
        "pass",
    ),
    Mutation(
        "rights named for the profile are not refused",
        "src/secure_django/login/checks.py",
        "if name in RESERVED or not has_form",
        "if not has_form",
    ),
    Mutation(
        "download of all data without the password",
        "src/secure_django/profile/views.py",
        "@reauthentication_required(enabled=asks_again)\n",
        "",
    ),
    Mutation(
        "download of rows that are about the user",
        "src/secure_django/profile/exports.py",
        'for key in keys if key.name == "owner")',
        "for key in keys)",
    ),
    Mutation(
        "download of rows that name others",
        "src/secure_django/profile/exports.py",
        'if getattr(model, "not_exported", ""):',
        "if False:",
    ),
    Mutation(
        "download of rows below the things of others",
        "src/secure_django/profile/exports.py",
        ".exclude(is_of_others)",
        "",
    ),
    Mutation(
        "account deleted with what others share",
        "src/secure_django/deletion.py",
        "if deletion.is_refused:",
        "if False:",
    ),
    Mutation(
        "account page that deletes nothing",
        "src/secure_django/accounts/views.py",
        "deletion = delete_user(user)",
        "deletion = plan_deletion(user)",
    ),
    Mutation(
        "account deleted by staff with what others share",
        "src/secure_django/admin.py",
        "protected = needed_rows(deletion)",
        "protected = []",
    ),
    Mutation(
        "download of fields that no form has",
        "src/secure_django/profile/exports.py",
        "(field.editable or is_time) and",
        "",
    ),
    Mutation(
        "photo of a profile has a turn of the log-ins",
        FORM_TURNS,
        '"/accounts/profile/",  # whose',
        "# whose",
    ),
    Mutation(
        "new user with an empty password",
        "src/secure_django/login/admin.py",
        "obj.set_unusable_password()",
        "pass",
    ),
    Mutation(
        "owner not told of a new password",
        "src/secure_django/login/admin.py",
        '"email", "password", "is_active"',
        '"email", "is_active"',
    ),
    Mutation(
        "owner told at the new email",
        "src/secure_django/login/admin.py",
        '{"changes": labels}, before.email',
        '{"changes": labels}, after.email',
    ),
    Mutation(
        "change by staff not logged",
        "src/secure_django/login/admin.py",
        'log_event("user_updated", request, owner=after.pk, changed=changed)',
        "pass",
    ),
    Mutation(
        "link to reset sent without an event",
        "src/secure_django/login/admin.py",
        'log_event("authn_password_reset_sent", request, owner=user.pk)',
        "pass",
    ),
    Mutation(
        "staff may change a superuser's account",
        "src/secure_django/login/admin.py",
        "return allowed and (request.user.is_superuser",
        "return allowed or (request.user.is_superuser",
    ),
    # Logs, errors, encryption
    Mutation(
        "log lines not escaped",
        LOGS,
        "json.dumps(shortened, default=str)",
        "str(line['event'])",
    ),
    Mutation(
        "request id accepted from any client",
        MIDDLEWARE,
        "if not settings.TRUSTED_PROXY_COUNT:",
        "if False:",
    ),
    Mutation(
        "any text accepted as request id",
        MIDDLEWARE,
        "sent_id if REQUEST_ID.fullmatch(sent_id)",
        "sent_id if sent_id",
    ),
    Mutation(
        "path with query string logged",
        MIDDLEWARE,
        '"method": request.method',
        '"method": request.get_full_path()',
    ),
    Mutation(
        "log lines without request id",
        LOGS,
        "if present_id:",
        "if False:",
    ),
    Mutation(
        "log reads the user of images",
        LOGS,
        "session is None or not session.accessed",
        "session is None",
    ),
    Mutation(
        "CSP violations reported nowhere", SETTINGS, '"report-uri": ["/csp-report/"],'
    ),
    Mutation(
        "CSP report endpoint not named",
        MIDDLEWARE,
        'response.headers["Reporting-Endpoints"] = \'csp="/csp-report/"\'',
        "pass",
    ),
    Mutation(
        "query strings of CSP reports logged",
        "src/secure_django/web/csp.py",
        're.split("[?#]", str(violation[name]))[0]',
        "str(violation[name])",
    ),
    Mutation(
        "size of CSP reports not limited",
        "src/secure_django/web/csp.py",
        "read_body(request, REPORT_MAX_BYTES, REPORT_TYPES)",
        "read_body(request, 2**30, REPORT_TYPES)",
    ),
    Mutation(
        "number of CSP reports not limited",
        "src/secure_django/web/csp.py",
        '@rate_limit(20, seconds=60, per="ip")',
    ),
    Mutation(
        "only POST limited",
        "src/secure_django/ratelimit.py",
        'methods: Collection[str] = ("POST", "PUT", "PATCH", "DELETE")',
        'methods: Collection[str] = ("POST",)',
    ),
    Mutation(
        "views not limited",
        "src/secure_django/ratelimit.py",
        "limited_view if request.method in counted_methods else view",
        "view",
    ),
    Mutation(
        "IPv6 addresses limited one by one",
        DEFAULTS,
        "CSRF_COOKIE_HTTPONLY = True",
        "CSRF_COOKIE_HTTPONLY = True\nALLAUTH_RATE_LIMIT_IPV6_PREFIX = 128",
    ),
    Mutation(
        "inline event handler in a page",
        "src/secure_django/templates/base.html",
        '<main id="main"',
        '<main id="main" onclick="x()"',
    ),
    Mutation(
        "text shown as HTML",
        "src/secure_django/templates/base.html",
        "{{ project_name }}</title>",
        "{{ project_name|safe }}</title>",
    ),
    Mutation(
        "script that shows text as HTML",
        "src/secure_django/photos/static/secure_django/photos/upload.js",
        "status.textContent =",
        "status.innerHTML =",
    ),
    Mutation(
        "TLS 1.1 offered",
        "deploy/site.conf",
        "ssl_protocols TLSv1.2",
        "ssl_protocols TLSv1.1 TLSv1.2",
    ),
    Mutation(
        "ciphers without forward secrecy",
        "deploy/site.conf",
        "ECDHE+CHACHA20;",
        "ECDHE+CHACHA20:kRSA;",
    ),
    Mutation(
        "query read in another charset",
        "src/secure_django/conf/wsgi.py",
        "if OTHER_CHARSET.search(content_type):",
        "if False:",
    ),
    Mutation(
        "query read before any middleware",
        "src/secure_django/conf/wsgi.py",
        'UTF_8.sub("", content_type)',
        "content_type",
    ),
    Mutation("history in the image", ".dockerignore", ".git*"),
    Mutation("image run by root", "Dockerfile", "USER 10001:10001", "USER root"),
    Mutation(
        "packages that no lock names",
        "Dockerfile",
        "uv sync --locked --no-dev",
        "uv sync --no-dev",
    ),
    Mutation(
        "published port of the database",
        "compose.yaml",
        "image: postgres:18-trixie",
        'image: postgres:18-trixie\n    ports: ["5432:5432"]',
    ),
    Mutation(
        "database in reach of the internet",
        "compose.yaml",
        "inside: { internal: true }",
        "inside:",
    ),
    Mutation(
        "container with a capability",
        "compose.yaml",
        "hostname: worker",
        "hostname: worker\n    cap_add: [SYS_ADMIN]",
    ),
    Mutation(
        "containers that gain rights",
        "compose.yaml",
        'security_opt: ["no-new-privileges:true"]\n',
    ),
    Mutation(
        "containers that stay down",
        "compose.yaml",
        "x-service: &service\n  restart: unless-stopped",
        "x-service: &service\n  restart: on-failure",
    ),
    Mutation(
        "worker that nothing watches",
        "compose.yaml",
        "    healthcheck:\n      test: [CMD, python, manage.py, status, --worker]",
        "    x-healthcheck:\n      test: [CMD, python, manage.py, status, --worker]",
    ),
    Mutation(
        "secret in the environment of a container",
        "compose.yaml",
        "SECRET_KEY_FILE: /run/secrets/secret_key",
        "SECRET_KEY: secret",
    ),
    Mutation(
        "worker that stays down",
        "deploy/site-worker.service",
        "Restart=always\n",
    ),
    Mutation(
        "code that the proxy can change",
        "compose.yaml",
        "./deploy:/srv/deploy:ro",
        "./deploy:/srv/deploy",
    ),
    Mutation(
        "backup once a week",
        "deploy/site-backup.timer",
        "OnCalendar=*-*-*",
        "OnCalendar=Mon *-*-*",
    ),
    Mutation(
        "unit that writes everywhere",
        "deploy/site-.service.d/hardening.conf",
        "ProtectSystem=strict\n",
    ),
    Mutation(
        "worker run by root",
        "deploy/site-worker.service",
        "Type=notify",
        "Type=notify\nUser=root",
    ),
    Mutation(
        "script that goes on after an error",
        "deploy/install-certificate",
        "set -eu",
        "set -u",
    ),
    Mutation(
        "photos served by nginx",
        "deploy/site.conf",
        "    location / {\n        if",
        "    location /media/ {\n        alias /var/lib/site/media/;\n    }\n"
        "    location / {\n        if",
    ),
    Mutation(
        "address of the visitor's own choice",
        "deploy/site.conf",
        "X-Forwarded-For $remote_addr;",
        "X-Forwarded-For $proxy_add_x_forwarded_for;",
    ),
    Mutation(
        "slow bodies passed on to the site",
        "deploy/site.conf",
        "proxy_request_buffering on;",
        "proxy_request_buffering off;",
    ),
    Mutation(
        "network without a limit of large bodies",
        "deploy/site.conf",
        "    limit_conn large 20;\n",
    ),
    Mutation(
        "reset link in nginx's log",
        "deploy/site.conf",
        "        error_log /dev/null emerg;\n",
    ),
    Mutation(
        "pages by plain HTTP",
        "deploy/site.conf",
        "return 301 https://",
        "return 301 http://",
    ),
    Mutation(
        "password managers kept out",
        "src/secure_django/login/forms.py",
        '.attrs["autocomplete"] = "username"',
        '.attrs["autocomplete"] = "username"\n'
        'self.fields["password"].widget.attrs["autocomplete"] = "off"',
    ),
    Mutation(
        "password shown while it is typed",
        "src/secure_django/login/forms.py",
        '.attrs["autocomplete"] = "username"',
        '.attrs["autocomplete"] = "username"\n'
        'self.fields["password"].widget.input_type = "text"',
    ),
    Mutation(
        "violations in a CSP report not limited",
        "src/secure_django/web/csp.py",
        "report[:MAX_VIOLATIONS]",
        "report",
    ),
    Mutation(
        "any host accepted everywhere",
        MIDDLEWARE,
        "if request.path_info in HEALTH_PATHS:",
        "if True:",
    ),
    Mutation(
        "health checks need the site's Host",
        MIDDLEWARE,
        "if request.path_info in HEALTH_PATHS:",
        "if False:",
    ),
    Mutation(
        "readiness of a release confirmed by another one",
        "src/secure_django/web/live_release.py",
        'request.headers.get("X-Release", name) == name',
        "True",
    ),
    Mutation(
        "health checks need HTTPS",
        DEFAULTS,
        '= [r"^health/(live|ready)/\\Z"]',
        "= []",
    ),
    Mutation(
        "health subpages answer over plain HTTP",
        DEFAULTS,
        'r"^health/(live|ready)/\\Z"',
        'r"^health/"',
    ),
    Mutation(
        "storage not checked by readiness",
        HEALTH,
        'if not default_storage.exists(""):',
        "if False:",
    ),
    Mutation(
        "manifest not checked by readiness",
        HEALTH,
        '"static files": lambda: staticfiles_storage.url("site.css"),',
    ),
    Mutation("full disk is ready", HEALTH, ".free < FREE_BYTES", ".free < 0"),
    Mutation(
        "read-only disk is ready",
        HEALTH,
        "TemporaryFile(dir=folder).close()",
    ),
    Mutation(
        "silent worker stays unnoticed",
        STATUS_LINES,
        "all(is_recent(run.at, SILENCE) for run in runs)",
        "True",
    ),
    Mutation(
        "one hung worker of several stays unnoticed",
        STATUS_LINES,
        "all(is_recent(run.at, SILENCE) for run in runs)",
        "any(is_recent(run.at, SILENCE) for run in runs)",
    ),
    Mutation(
        "clock that was ahead hides a dead worker",
        STATUS_LINES,
        "< moment < now + CLOCK_DIFFERENCE",
        "< moment",
    ),
    Mutation(
        "job that hangs stays unnoticed",
        STATUS_LINES,
        "if not kind and not is_recent(run.at, timedelta(seconds=job.limit)):",
        "if False:",
    ),
    Mutation(
        "start of a job left unrecorded",
        WORKER,
        'LastRun.objects.get_or_create(name=job.row, defaults={"at": timezone.now()})',
        "pass",
    ),
    Mutation(
        "job that hung hangs first again",
        WORKER,
        "sorted(jobs.JOBS, key=lambda job: job.row in names)",
        "list(jobs.JOBS)",
    ),
    Mutation(
        "job that hangs seems to start anew",
        WORKER,
        "LastRun.objects.get_or_create(",
        "LastRun.objects.update_or_create(",
    ),
    Mutation(
        "worker deaf to signals",
        WORKER,
        "signal.signal(name, stop_in_time)",
        "pass",
    ),
    Mutation(
        "worker that keeps a broken connection",
        WORKER,
        "close_old_connections()",
        "pass",
    ),
    Mutation(
        "site that visitors do not reach stays unnoticed",
        STATUS_LINES,
        "return Finding(False, text, advice)",
        "return Finding(True, text, advice)",
    ),
    Mutation(
        "certificate that browsers refuse stays unnoticed",
        STATUS_LINES,
        'Finding(False, text, "Renew it, and reload the proxy that shows it.")',
        "Finding(True, text)",
    ),
    Mutation(
        "start page with an error stays unnoticed",
        STATUS_LINES,
        "if status not in {200, 302}:",
        "if False:",
    ),
    Mutation(
        "certificate that ends stays unnoticed",
        STATUS_LINES,
        "end > timezone.now() + CERTIFICATE_LEFT",
        "True",
    ),
    Mutation(
        "old backup stays unnoticed",
        STATUS_LINES,
        "is_recent(last.at, BACKUP_AGE)",
        "True",
    ),
    Mutation(
        "email that was never tried stays unnoticed",
        STATUS_LINES,
        "not has_untried and",
    ),
    Mutation(
        "emails of anyone stop the heartbeat",
        STATUS_LINES,
        "late.filter(kind__lte=Mail.Kind.NORMAL)",
        "late",
    ),
    Mutation(
        "missing migration stays unnoticed",
        STATUS_LINES,
        "Finding(not missing, text",
        "Finding(True, text",
    ),
    Mutation(
        "values of errors in the status",
        STATUS_LINES,
        'f"failed with {type(error).__name__}"',
        'f"{error}"',
    ),
    Mutation(
        "bad status has no exit code and a heartbeat",
        STATUS,
        "sys.exit(1)",
        "pass",
    ),
    Mutation(
        "heartbeat after a look at the worker alone",
        STATUS,
        'if settings.HEARTBEAT_URL and not options["worker"]:',
        "if settings.HEARTBEAT_URL:",
    ),
    Mutation(
        "heartbeat that is redirected counts as arrived",
        STATUS,
        "has_arrived = 200 <= status < 300",
        "has_arrived = 200 <= status < 400",
    ),
    Mutation(
        "heartbeat that fails stays unnoticed", STATUS, "if not has_arrived:", "if 0:"
    ),
    Mutation(
        "heartbeat over plain HTTP",
        ENVIRONMENT,
        'rf"(https://{HOST}(:{PORT})?(/[!-~]*)?)?"',
        'rf"(https?://{HOST}(:{PORT})?(/[!-~]*)?)?"',
    ),
    Mutation(
        "hung worker looks alive to systemd",
        "src/secure_django/jobs/keepalive.py",
        r'b"READY=1\nWATCHDOG=1"',
        r'b"READY=1\nSTATUS=ok"',
    ),
    Mutation(
        "restart of the worker counts as its end",
        "src/secure_django/jobs/__init__.py",
        '("worker", WORKER_HERE):',
        "(WORKER_HERE,):",
    ),
    Mutation(
        "backup leaves no sign",
        BACKUPS,
        "record(site, datetime.now(UTC))",
        "pass",
    ),
    Mutation(
        "services asked by each check of readiness",
        HEALTH,
        "if now >= checked_at + CHECK_SECONDS:",
        "if True:",
    ),
    Mutation(
        "signed URLs given before the access check",
        VIEWS,
        "photo = visible_photo(request, photo_id, photos_with_use())",
        "photo = Photo.objects.get(pk=photo_id)",
    ),
    Mutation(
        "signed URLs stored by caches", VIEWS, '{"Cache-Control": "no-store"}', "{}"
    ),
    Mutation(
        "start without a missing extra",
        ENVIRONMENT,
        'or not is_installed("storages")',
        "",
    ),
    Mutation(
        "error messages logged",
        LOGS,
        '"error": type(error).__name__',
        '"error": str(error)',
    ),
    Mutation(
        "token of an app's link logged",
        LOGS,
        'r"(/reset/)\\S+|(/)[\\w-]{40,}"',
        'r"(/reset/)\\S+()"',
    ),
    Mutation(
        "tracebacks of any length logged",
        LOGS,
        "first_and_last(places, FRAMES)",
        "places",
    ),
    Mutation(
        "causes of errors not logged",
        LOGS,
        "if causes:",
        "if not causes:",
    ),
    Mutation(
        "CSRF failures not logged",
        "src/secure_django/web/error_pages.py",
        'log_event("malicious_csrf", request, level=logging.WARNING)',
    ),
    Mutation(
        "rejected files not logged",
        FORMS,
        'log_event("upload_validation", user=self.owner.pk, code=error.code)',
        "pass",
    ),
    Mutation(
        "health check fails with a traceback",
        HEALTH,
        'except Exception: logger.exception("not ready: %s"',
        'except ZeroDivisionError: logger.exception("not ready: %s"',
    ),
    Mutation(
        "file names not encrypted",
        "src/secure_django/encryption.py",
        "return None if text is None else encrypt(text, self.context)",
        "return text",
    ),
    Mutation(
        "ciphertext shown for a wrong key",
        "src/secure_django/encryption.py",
        'Unreadable(_("(cannot be decrypted)"))',
        "Unreadable(token)",
    ),
    Mutation(
        "value whose key is missing overwritten",
        "src/secure_django/encryption.py",
        "return token_of(text, self.context)",
        "return encrypt(text, self.context)",
    ),
    Mutation(
        "sessions in a backup",
        BACKUPS,
        '"|secure_django_session|usersessions_usersession"',
        '"|usersessions_usersession"',
    ),
    Mutation(
        "dump that was killed taken for whole",
        BACKUPS,
        "if process.returncode:",
        "if process.returncode > 0:",
    ),
    Mutation(
        "dump of a failed backup left as plain text",
        BACKUPS,
        "finally:\nsite.delete_dump()",
        "finally:\npass",
    ),
    Mutation(
        "dump of a killed backup left as plain text",
        BACKUPS,
        "lock(site.folder):\nsite.delete_dump()",
        "lock(site.folder):",
    ),
    Mutation("dump that others read", BACKUPS, 'f"umask 077 && cat > {DUMP}"', "'cat'"),
    Mutation("dump restored among the photos", BACKUPS, ', f"--exclude={DUMP}"', ""),
    Mutation("restore that hides the backups", BACKUPS, "record(site, newest)", "pass"),
    Mutation("backup restored by a superuser", BACKUPS, "CHECK + CLEAR", "CLEAR"),
    Mutation(
        "new database of a failed restore kept",
        BACKUPS,
        "stack.callback(site.psql, CLEAR)",
        "pass",
    ),
    Mutation(
        "database replaced before its backup is read",
        BACKUPS,
        "CLEAR + CREATE)",
        "CLEAR + CREATE + SWAP)",
    ),
    Mutation(
        "damaged backup restored",
        BACKUPS,
        '"--target=/dev/null", snapshot',
        "snapshot",
    ),
    Mutation(
        "links in a backup restored",
        BACKUPS,
        'not in {"dir", "file"}:',
        'in {"nothing"}:',
    ),
    Mutation(
        "backup restored without its keys", BACKUPS, "keys - site.tags", "keys & set()"
    ),
    Mutation(
        "older backups deleted before the repository is checked",
        BACKUPS,
        'site.run(restic("check", f"--read-data-subset={part}/{PARTS}"))',
        "pass",
    ),
    Mutation(
        "backups on another machine deleted",
        BACKUPS,
        "if not REMOTE.match(site.repository):",
        "if True:",
    ),
    Mutation(
        "backups of each folder kept apart",
        BACKUPS,
        '"--quiet", *OWN, GROUP, *RETENTION',
        '"--quiet", *OWN, *RETENTION',
    ),
    Mutation(
        "deleted photos left in the repository", BACKUPS, ', "--max-unused=0"', ""
    ),
    Mutation(
        "two backups write one dump",
        BACKUPS,
        "fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)",
        "pass",
    ),
    # Upload validation
    Mutation(
        "any image format decoded",
        IMAGES,
        'raise upload_error("unsupported_type", advice',
        'return 10**8\nraise upload_error("unsupported_type", advice',
    ),
    Mutation(
        "pixels not counted",
        DECODER,
        "if width * height > max_pixels:",
        "if False:",
    ),
    Mutation(
        "pixels of a WebP counted once memory is reserved",
        DECODER,
        "width, height = webp_size(content)",
        "width, height = 0, 0",
    ),
    Mutation(
        "frames not counted",
        DECODER,
        'if getattr(image, "n_frames", 1) != 1:',
        "if False:",
    ),
    Mutation(
        "arithmetic coding decoded",
        DECODER,
        "JpegImagePlugin.MARKER.pop(marker)",
        "pass",
    ),
    Mutation("CPU time of a decoder not limited", DECODER, '"CPU": cpu_seconds,'),
    Mutation("memory of a decoder not limited", DECODER, '"AS": memory_bytes,'),
    Mutation("files open to a decoder", DECODER, ', "NOFILE": 0'),
    Mutation("wall-clock time of a decoder not limited", IMAGES, "timer.start()"),
    Mutation(
        "photo decoded for longer than its server may take to end",
        IMAGES,
        "min(WALL_SECONDS, decoding_ends_at.get() - started)",
        "WALL_SECONDS",
    ),
    Mutation(
        "system calls of a decoder not filtered",
        DECODER,
        "if not has_filter():",
        "if True:",
    ),
    Mutation(
        "refused filter of system calls replaced by less",
        DECODER,
        "return filter_system_calls(libc)",
        "return filter_system_calls(libc) or has_landlock",
    ),
    Mutation("decoder outlives its parent", DECODER, "end_with_parent(parent)", "pass"),
    Mutation("decoder slows pages down", DECODER, "os.nice(NICENESS)", "pass"),
    Mutation(
        "filter of system calls allows others",
        DECODER,
        "Step(BPF_RETURN, 0, 0, SECCOMP_REFUSE),",
        "Step(BPF_RETURN, 0, 0, SECCOMP_ALLOW),",
    ),
    Mutation(
        "failed filter of system calls not noticed",
        DECODER,
        "return not libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, pointer)",
        "libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, pointer)\nreturn True",
    ),
    Mutation(
        "decoder runs unconfined", DECODER, "and not may_be_unconfined:", "and False:"
    ),
    Mutation(
        "failing decoder not reported",
        "src/secure_django/photos/checks.py",
        "if not settings.DEBUG:",
        "if False:",
    ),
    Mutation(
        "length of a decoder's answer not limited",
        IMAGES,
        "length > edge**2 for",
        "False for",
    ),
    Mutation(
        "size of a decoder's answer not checked",
        IMAGES,
        "0 < size <= VARIANTS",
        "True or 0 < size <= VARIANTS",
    ),
    Mutation(
        "more than a decoder's answer accepted",
        IMAGES,
        "if answer and stream.read(1):",
        "if False:",
    ),
    Mutation(
        "any file accepted from a decoder",
        IMAGES,
        "file.startswith(JPEG_START) for",
        "True for",
    ),
    Mutation(
        "environment given to a decoder",
        IMAGES,
        "env=environment,",
        "env=None,",
    ),
    Mutation(
        "crash of a decoder not noticed",
        IMAGES,
        "if decoder.returncode or not answer:",
        "if False:",
    ),
    Mutation(
        "photo blamed for a decoder that others end",
        IMAGES,
        "decoder.returncode in INTERRUPTED and",
        "False and",
    ),
    Mutation(
        "sleeping decoder free of charge",
        IMAGES,
        "max(seconds, 1) if is_interrupted else seconds",
        "seconds",
    ),
    Mutation(
        "time charged instead of CPU",
        IMAGES,
        "usage.ru_utime + usage.ru_stime",
        "time.monotonic() - started",
    ),
    Mutation(
        "decoders not limited",
        TURNS,
        "self.is_taken = True",
        "pass",
    ),
    Mutation(
        "endless queue for the decoder",
        TURNS,
        "self.waiting.pop()  # refuses the one that used most",
        "pass",
    ),
    Mutation(
        "first come, first decoded",
        TURNS,
        "insort(self.waiting, place)",
        "self.waiting.append(place)",
    ),
    Mutation(
        "network not charged",
        LIMITS,
        "charge(network_key, seconds_used(network_key), sum(used))",
        "pass",
    ),
    Mutation(
        "early return rewarded",
        LIMITS,
        "cache.set(refusal_key(owner), True, RETRY_SECONDS - 1)",
        "pass",
    ),
    Mutation(
        "uploads of an account in parallel",
        LIMITS,
        "if not cache.add(",
        "if False and not cache.add(",
    ),
    Mutation(
        "decoding time not counted",
        LIMITS,
        "if sum(steps.values()) < settings.UPLOAD_DECODE_SECONDS:",
        "if True:",
    ),
    Mutation(
        "refused uploads not counted",
        LIMITS,
        "charge(account_key, account_steps, sum(used))",
        "charge(account_key, account_steps, 0)",
    ),
    Mutation(
        "uploads unlimited while nothing is counted",
        LIMITS,
        "if cache.get(key) != charged:",
        "if False:",
    ),
    Mutation(
        "metadata kept",
        DECODER,
        '"JPEG", quality=85, optimize=True',
        '"JPEG", quality=85, optimize=True, comment=content[:1000]',
    ),
    Mutation(
        "file size not checked",
        IMAGES,
        "if len(content) > settings.UPLOAD_MAX_BYTES:",
        "if False:",
    ),
    Mutation(
        "truncated file passed off as the whole one",
        "src/secure_django/photos/uploadhandler.py",
        "if file_size > settings.UPLOAD_MAX_BYTES:",
        "if False:",
    ),
    Mutation(
        "bodies unlimited", MIDDLEWARE, "int(size) > settings.BODY_MAX_BYTES", "False"
    ),
    Mutation(
        "service that is down taken for an error",
        UNAVAILABLE,
        "page = unavailable_page(request, error) if isinstance(error, Exception)"
        " else None",
        "page = None",
    ),
    Mutation(
        "session read after its store failed",
        UNAVAILABLE,
        "session.accessed = False",
        "pass",
    ),
    Mutation(
        "upload unread while a service is down",
        UNAVAILABLE,
        'discard_body(request)\nresponse = error_page(request, name="503")',
        'response = error_page(request, name="503")',
    ),
    Mutation(
        "read-only disk taken for an error",
        UNAVAILABLE,
        "errno.EROFS, ",
        "",
    ),
    Mutation(
        "wait for PostgreSQL without a limit",
        DRIVER,
        "return super().wait(gen, interval, limit)",
        "return super().wait(gen, interval)",
    ),
    Mutation(
        "query not cancelled at the limit",
        DRIVER,
        "self.cancel_safe(timeout=CANCEL_SECONDS)",
        "pass",
    ),
    Mutation(
        "lock of an account outlives its process",
        LIMITS,
        "LEASE_SECONDS = 4",
        "LEASE_SECONDS = 75",
    ),
    Mutation(
        "lock of an account not renewed",
        LIMITS,
        "cache.touch(lock_key, LEASE_SECONDS)",
        "pass",
    ),
    Mutation(
        "upload unlocks the next one",
        LIMITS,
        "ended.set()\nwith suppress(Exception):\nif cache.get(lock_key) == holder:",
        "ended.set()\nwith suppress(Exception):\n    if True:",
    ),
    Mutation(
        "lack of memory called busy",
        IMAGES,
        "if exit_code == -SIGKILL and not is_late:",
        "if False:",
    ),
    Mutation(
        "redirect to itself not counted",
        PROXIES,
        "is_loop = is_of_a_loop(request)",
        "is_loop = False",
    ),
    Mutation(
        "forged redirect raises an alarm",
        PROXIES,
        'return scheme == "https" and not is_public(peer)',
        'return scheme == "https"',
    ),
    Mutation(
        "large body unread",
        "src/secure_django/web/error_pages.py",
        "while request.read(2**16):",
        "while False:",
    ),
    Mutation(
        "file stored under its uploaded name",
        MODELS,
        'f"photos/{folder}/{self.id}-{variant}.jpg"',
        'f"photos/{folder}/{self.original_name}-{variant}.jpg"',
    ),
    # Photos
    Mutation(
        "quota not counted", LIMITS, "+ new > settings.UPLOADS_PER_HOUR", "> 10**9"
    ),
    Mutation(
        "quota not checked when a photo is stored",
        SERVICES,
        "check_quota(owner, len(photos))",
        "pass",
    ),
    Mutation(
        "hidden photos visible to other users",
        VIEWS,
        "if photo.is_visible_to(request.user):",
        "if photo:",
    ),
    Mutation(
        "objects of hidden photos visible to other users",
        VIEWS,
        "if photo and photo.is_visible_to(request.user, [instance]):",
        "if photo:",
    ),
    Mutation(
        "photos that no object refers to shown",
        VIEWS,
        "When(Q(purpose=purpose.name) & ~purpose.unused(), then=True)",
        "When(Q(purpose=purpose.name), then=True)",
    ),
    # Photos of objects
    Mutation(
        "purpose of a photo ignored",
        MODELS,
        "any(purpose.visible_to(instance, user) for instance in instances)",
        "instances",
    ),
    Mutation(
        "photo visible without its object",
        MODELS,
        "self.is_moderated and bool(instances) and",
        "self.is_moderated and",
    ),
    Mutation(
        "photo of an unknown purpose published",
        PURPOSES,
        "visible_to=no_one)",
        "visible_to=everyone)",
    ),
    Mutation(
        "unknown purposes not reported",
        "src/secure_django/photos/checks.py",
        "sorted(used_names - PURPOSES.keys())",
        "[]",
    ),
    Mutation(
        "private photo visible to reviewers",
        MODELS,
        "return self.is_moderated and",
        "return",
    ),
    Mutation(
        "private photo shown in the review",
        ADMIN,
        "if not photo.is_moderated:",
        "if False:",
    ),
    Mutation(
        "field without visible_to",
        "src/secure_django/photos/fields.py",
        "if visible_to is None:",
        "if False:",
    ),
    Mutation(
        "photos without an object in the review",
        ADMIN,
        "Photo.objects.not_deleted().used().defer",
        "Photo.objects.not_deleted().defer",
    ),
    Mutation(
        "photos without an object wait for review",
        MODELS,
        "self.used().filter(status__in=WAITING)",
        "self.filter(status__in=WAITING)",
    ),
    Mutation(
        "owner told of a photo without its object",
        NOTICES,
        "not_deleted().used()",
        "not_deleted()",
    ),
    Mutation(
        "photo without its object sent to Cloudinary",
        f"{CLOUDINARY}/outbox.py",
        "if must_upload and not Photo.objects.used().filter(pk=photo.pk).exists():",
        "if False:",
    ),
    Mutation(
        "private photo for every user",
        "src/secure_django/photos/fields.py",
        "if not self.moderated and self.visible_to is logged_in:",
        "if False:",
    ),
    Mutation(
        "private photo waits for review",
        SERVICES,
        "if photo.is_moderated:",
        "if True:",
    ),
    Mutation(
        "private photo kept in caches",
        VIEWS,
        "if photo.status == Status.APPROVED and purpose_of(photo).is_public:",
        "if photo.status == Status.APPROVED:",
    ),
    Mutation(
        "photos stored before all are decoded",
        FORMS,
        "photo.image = validate_and_reencode(content, used)",
        "photo.image = validate_and_reencode(content, used)\n"
        "store_files(self.owner, {name: photo})",
    ),
    Mutation(
        "files of a photo that was not saved kept",
        SERVICES,
        "if not committed:",
        "if False:",
    ),
    Mutation(
        "files of a photo that could not be stored kept",
        SERVICES,
        "for photo in photos.values(): delete_files(photo) raise return photos",
        "raise\nreturn photos",
    ),
    Mutation("refused files kept in memory", FORMS, "error.with_traceback(None)"),
    Mutation(
        "clock kills whoever has the number",
        IMAGES,
        "if decoder.returncode is None:",
        "if True:",
    ),
    Mutation(
        "files that are no photos take turns",
        FORM_FIELDS,
        "check_file(value.read())",
    ),
    Mutation(
        "replaced photo kept",
        FORMS,
        "delete_unused(old_photos)",
    ),
    Mutation(
        "photo of an edit meanwhile kept",
        FORMS,
        "getattr(self.stored, name, None) for name in",
        "getattr(self.original, name, None) for name in",
    ),
    Mutation(
        "deleted object comes back with an edit",
        FORMS,
        "if not (self.original and self.stored): raise ObjectDeletedError",
        "if not (self.original and self.stored): return",
    ),
    Mutation(
        "object deleted meanwhile no error of the form",
        FORMS,
        "if not is_there: raise ObjectDeletedError",
        "pass",
    ),
    Mutation(
        "object deleted while decoding no error of the form",
        FORMS,
        "is_there = self.rows.exists()",
        "pass",
    ),
    Mutation(
        "read-only disk no error of the form",
        FORMS,
        'errno.EROFS: ("unavailable", "the storage of photos is read-only"),',
    ),
    Mutation(
        "full database an error of the site",
        FORMS,
        "elif is_full(error):",
        "elif False:",
    ),
    Mutation(
        "form that cannot be saved an error of the site",
        "src/secure_django/web/middleware.py",
        "if isinstance(exception, UnavailableError):",
        "if False:",
    ),
    Mutation(
        "objects of a formset counted one by one",
        "src/secure_django/photos/formsets.py",
        "present + len(adding) > most",
        "present + 1 > most",
    ),
    Mutation(
        "photos of a formset counted one by one",
        "src/secure_django/photos/formsets.py",
        "check_quota(self.owner, photos)",
        "pass",
    ),
    Mutation(
        "change of others taken back by an edit",
        FORMS,
        "setattr(self.instance, name, getattr(self.stored, name))",
        "pass",
    ),
    Mutation(
        "change by code lost with an edit",
        FORMS,
        "in form_names or self.is_changed_by_code(name)",
        "in form_names",
    ),
    Mutation(
        "disabled field takes a change back",
        FORMS,
        "field.disabled or isinstance",
        "isinstance",
    ),
    # Power failures
    Mutation(
        "file not written to the disk",
        FOLDER,
        "self.sync(saved, os.O_RDWR)",
        "pass",
    ),
    Mutation(
        "release in use before it is on the disk",
        "deploy/release",
        "sync # or after a power failure",
        "true # or after a power failure",
    ),
    Mutation(
        "release of containers remembered before it is on the disk",
        "deploy/release-containers",
        "sync .env.new && mv .env.new .env",
        "mv .env.new .env",
    ),
    Mutation(
        "folders not written to the disk",
        FOLDER,
        "self.sync(str(folder), os.O_RDONLY)",
        "pass",
    ),
    Mutation(
        "folders of the folder not written to the disk",
        FOLDER,
        "PurePath(saved).parents:",
        "PurePath(saved).parents[:1]:",
    ),
    Mutation(
        "another storage that writes nothing to the disk",
        DEFAULTS,
        '"secure_django.storage.SyncedFileSystemStorage"',
        '"django.core.files.storage.FileSystemStorage"',
    ),
    Mutation(
        "file that is not whole used",
        MODELS,
        'if file.size != getattr(self, f"{variant}_size"):',
        "if not file.size:",
    ),
    Mutation(
        "thumbnail that is not whole used",
        MODELS,
        'getattr(self, f"{variant}_size")',
        '(file.size if variant == "thumbnail" else self.display_size)',
    ),
    Mutation(
        "lost file not logged",
        VIEWS,
        'logger.error("the file of a photo is missing or not whole: %s", photo_id)',
        "pass",
    ),
    Mutation(
        "damaged newest photo stays unnoticed",
        PHOTO_LINES,
        "[:NEWEST]",
        "[:0]",
    ),
    Mutation(
        "damaged older photo stays unnoticed",
        PHOTO_LINES,
        "[:NEIGHBORS]\n"
        'neighbors_before = photos.filter(pk__lt=start).order_by("-pk")[:NEIGHBORS]',
        '[:0]\nneighbors_before = photos.filter(pk__lt=start).order_by("-pk")[:0]',
    ),
    Mutation(
        "deleted photo raises an alarm",
        PHOTO_LINES,
        "and photos.filter(pk=photo.pk).exists()",
    ),
    Mutation(
        "rows restored before photos are on the disk", BACKUPS, "os.sync()", "pass"
    ),
    Mutation(
        "unused photos kept",
        JOBS,
        "not_deleted().filter(pk__range",
        "none().filter(pk__range",
    ),
    Mutation("used photos deleted", JOBS, "filter(purpose.unused(),", "filter("),
    Mutation(
        "new photo deleted before its object is saved",
        JOBS,
        "=id_range, created_at__lt=hour_ago())",
        "=id_range)",
    ),
    Mutation(
        "other files in the folders of photos deleted",
        MODELS,
        'r"photos/[0-9a-f]{2}/'
        r'([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})-[a-z]+\.jpg"',
        'r"photos/[0-9a-f]{2}/'
        r'([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})[-.].+"',
    ),
    Mutation(
        "files outside the folders of photos deleted",
        JOBS,
        "default_storage.delete(path)",
        "default_storage.delete(path)\n"
        'default_storage.delete(path.removeprefix("photos/"))',
    ),
    Mutation(
        "files in the bucket shown as pages",
        STORAGE,
        ', "ContentDisposition": "attachment"',
    ),
    Mutation(
        "any file in the bucket shown as an image",
        STORAGE,
        "if FILE.fullmatch(name):",
        "if True:",
    ),
    Mutation(
        "objects missing in an access table",
        "src/secure_django/photos/access.py",
        "def objects(",
        "def unused(",
    ),
    Mutation(
        "view that takes requests of other sites",
        "src/secure_django/web/views.py",
        "@login_not_required\n@require_safe\ndef security_txt",
        "from django.views.decorators.csrf import csrf_exempt\n"
        "@csrf_exempt\n@login_not_required\n@require_safe\ndef security_txt",
    ),
    # Pages and files of photos
    Mutation("page kept for visitors with a cookie", CACHING, "request.COOKIES,"),
    Mutation("page kept for any query", CACHING, 'request.META.get("QUERY_STRING"),'),
    Mutation(
        "page kept for a request with credentials",
        CACHING,
        ', request.headers.get("Authorization")',
    ),
    Mutation("page kept for a form", CACHING, 'request.method in {"GET", "HEAD"} and'),
    Mutation("page with a nonce kept", CACHING, "get_nonce(request),"),
    Mutation(
        "page with a CSRF token kept",
        CACHING,
        'request.META.get("CSRF_COOKIE_NEEDS_UPDATE"),',
    ),
    Mutation("page with a message kept", CACHING, ", len(get_messages(request))"),
    Mutation("page that sets a cookie kept", CACHING, "page.cookies,"),
    Mutation(
        "page that filled a session kept",
        CACHING,
        "and request.session.is_empty()",
    ),
    Mutation("page for one visitor kept", CACHING, 'and "Cache-Control" not in page'),
    Mutation(
        "page that is rendered later kept",
        CACHING,
        "type(page) is HttpResponse",
        "True",
    ),
    Mutation("error kept", CACHING, "page.status_code == 200 and"),
    Mutation(
        "title with several lines stored",
        SERVICES,
        're.sub(CONTROL_CHARACTERS, " ", title)[:120]',
        "title[:120]",
    ),
    Mutation(
        "page kept for minutes",
        CACHING,
        '"max-age=0, s-maxage=1"',
        '"max-age=0, s-maxage=600"',
    ),
    Mutation(
        "304 for hidden photos",
        VIEWS,
        "if photo.status == Status.APPROVED and purpose_of(",
        "if purpose_of(",
    ),
    Mutation(
        "photos served without the CSP sandbox",
        VIEWS,
        '@csp_override({"default-src": [CSP.NONE], "sandbox": True})',
        "@csp_override({})",
    ),
    Mutation(
        "photos served as HTML",
        VIEWS,
        'content, content_type="image/jpeg"',
        'content, content_type="text/html"',
    ),
    Mutation(
        "published before all kinds approved",
        RULES,
        "or distinct_results == {Result.APPROVED}:",
        "or Result.APPROVED in distinct_results:",
    ),
    Mutation(
        "rejection overruled by another approval",
        RULES,
        "if Result.REJECTED in distinct_results:",
        "if distinct_results == {Result.REJECTED}:",
    ),
    Mutation(
        "review without the permission",
        ADMIN,
        'return request.user.has_perm("secure_django_photos.review_photo")',
        "return True",
    ),
    Mutation(
        "reviewer not recorded",
        SERVICES,
        '"decided_by": reviewer}',
        '"decided_by": None}',
    ),
    Mutation(
        "files kept after a rejection",
        SERVICES,
        "photo.has_files = False\n"
        "photo.must_delete_files = True\n"
        "photo.auto_rejected_at = None",
        "pass",
    ),
    Mutation(
        "photos kept when their owner is deleted",
        "src/secure_django/photos/receivers.py",
        "delete_photos(instance.photos.exclude(pk__in=staying))",
        "pass",
    ),
    Mutation(
        "files of deleted photos kept",
        JOBS,
        "delete_files(photo)",
        "pass",
    ),
    Mutation(
        "files forgotten when the storage fails",
        JOBS,
        "break",
        "pass",
    ),
    Mutation(
        "expired sessions kept",
        "src/secure_django/jobs/__init__.py",
        'call_command("clearsessions")',
        "pass",
    ),
    Mutation(
        "expired rows of the cache kept",
        "src/secure_django/jobs/__init__.py",
        '"DELETE FROM django_cache WHERE expires < %s"',
        '"DELETE FROM django_cache WHERE expires IS NULL AND expires < %s"',
    ),
    Mutation(
        "upload of a deleted account fails",
        FORMS,
        "except User.DoesNotExist:",
        "except ZeroDivisionError:",
    ),
    Mutation(
        "title of a deleted photo kept in the record",
        ADMIN,
        "Photo(pk=photo.pk), label",
        "photo, label",
    ),
    Mutation(
        "texts of verdicts kept after deletion",
        SERVICES,
        'Verdict.objects.filter(photo__in=photos).update(detail="")',
        "pass",
    ),
    Mutation(
        "malformed selection of photos decides",
        "src/secure_django/admin.py",
        "self.opts.pk.to_python(key)",
        "pass",
    ),
    Mutation(
        "form of the admin saves a row from before another change",
        "src/secure_django/admin.py",
        "return lock_row(instance)",
        "return instance",
    ),
    Mutation(
        "account of former staff deleted with its record",
        "src/secure_django/login/models.py",
        "return not LogEntry.objects.filter(user_id=self.pk).exists()",
        "return True",
    ),
    Mutation(
        "hidden photos visible to former reviewers",
        MODELS,
        "user.is_staff and user.has_perm",
        "user.has_perm",
    ),
    Mutation(
        "hidden photo told by its headers",
        VIEWS,
        "level=logging.WARNING, user=request.user.pk)",
        "level=logging.WARNING)",
    ),
    Mutation(
        "each readiness check waits for a service that hangs",
        HEALTH,
        "if not checking.acquire(blocking=False):",
        "if not checking.acquire():",
    ),
    Mutation("orphaned files kept", JOBS, "and match[1] not in kept_ids", "and False"),
    Mutation("files of photos deleted", JOBS, "and match[1] not in kept_ids"),
    Mutation(
        "new file deleted before its photo is saved",
        JOBS,
        "if default_storage.get_modified_time(path) < hour_ago():",
        "if True:",
    ),
    Mutation(
        "files of rejected photos kept for ever",
        SERVICES,
        "timezone.now() if is_rejected else None",
        "None",
    ),
    Mutation(
        "files of photos that a reviewer approves expire",
        SERVICES,
        "timezone.now() if is_rejected else None",
        "photo.auto_rejected_at or timezone.now()",
    ),
    Mutation(
        "change during a rotation of keys overwritten",
        "src/secure_django/management/commands/rotate_encryption.py",
        "with transaction.atomic():",
        "if True:",
    ),
    Mutation(
        "failed job stops the others",
        WORKER,
        'except BaseException:\nlogger.exception("a job failed: %s", job)',
        'except OSError:\n    logger.exception("a job failed: %s", job)',
    ),
    Mutation(
        "job with more to do starves the others",
        WORKER,
        "has_more = run_job(job)\nif has_more:\ndel last_periods[job]",
        "has_more = run_job(job)\nwhile has_more:\n    has_more = run_job(job)",
    ),
    Mutation(
        "decision reported again at each pass",
        NOTICES,
        ".update(notify_at=None)",
        ".count()",
    ),
    Mutation(
        "deleted photo told", NOTICES, "Photo.objects.not_deleted()", "Photo.objects"
    ),
    Mutation("disabled owner told", NOTICES, "owner.is_active and"),
    Mutation("owner told who wants no emails", NOTICES, "and wants_emails"),
    Mutation(
        "other users' photos told",
        NOTICES,
        "list(notices().filter(owner=owner)",
        "list(notices()",
    ),
    Mutation(
        "email for each decision",
        SERVICES,
        "timezone.now() + timedelta(hours=1)",
        "timezone.now()",
    ),
    Mutation(
        "automatic approval told",
        SERVICES,
        "reviewer and photo.status == Status.APPROVED",
        "True",
    ),
    Mutation(
        "repeated decision told",
        SERVICES,
        "if (photo.status, photo.reason) != (old_status, old_reason):",
        "if True:",
    ),
    Mutation("quota not checked before decoding", LIMITS, "check_quota(owner, photos)"),
    Mutation(
        "session timestamps kept at log-in",
        "src/secure_django/login/signals.py",
        "request.session.pop(name, None)",
        "pass",
    ),
    Mutation(
        "public view added",
        "src/secure_django/urls.py",
        'path("health/live/"',
        'path("everything/", views.security_txt), path("health/live/"',
    ),
    Mutation(
        "CSP allows images from anywhere",
        SETTINGS,
        '"img-src": [CSP.SELF, *PHOTO_HOSTS],',
        '"img-src": ["*"],',
    ),
    Mutation(
        "no Cross-Origin-Opener-Policy",
        DEFAULTS,
        "CSRF_COOKIE_HTTPONLY = True",
        "CSRF_COOKIE_HTTPONLY = True\nSECURE_CROSS_ORIGIN_OPENER_POLICY = None",
    ),
    Mutation(
        "console email backend in production",
        ENVIRONMENT,
        'if not self.debug and self.values.get("EMAIL_URL") == CONSOLE:',
        'if False and self.values.get("EMAIL_URL") == CONSOLE:',
    ),
    Mutation(
        "reset links valid for three days",
        SETTINGS,
        "PASSWORD_RESET_TIMEOUT = 60 * 60",
        "PASSWORD_RESET_TIMEOUT = 3 * 24 * 3600",
    ),
    Mutation(
        "numeric passwords accepted",
        SETTINGS,
        '{"NAME": f"{RULES}.NumericPasswordValidator"},',
        "",
    ),
    Mutation(
        "session of 24 hours",
        SETTINGS,
        "SESSION_ABSOLUTE_AGE = timedelta(hours=8)",
        "SESSION_ABSOLUTE_AGE = timedelta(hours=24)",
    ),
    Mutation(
        "plain text log in production",
        DEFAULTS,
        '"text" if env.debug else "json"',
        '"text"',
    ),
    Mutation(
        "403 responses not logged",
        "src/secure_django/web/error_pages.py",
        'log_event("authz_fail", request, level=logging.WARNING)',
    ),
    Mutation(
        "stored files readable by all system users",
        DEFAULTS,
        '"file_permissions_mode": 0o600',
        '"file_permissions_mode": 0o666',
    ),
    Mutation(
        "cache database without immediate transactions",
        ENVIRONMENT,
        '"transaction_mode": "IMMEDIATE",',
    ),
    Mutation(
        "photos stored by shared caches",
        VIEWS,
        '"private, max-age=600"',
        '"public, max-age=600"',
    ),
    Mutation(
        "rejection without the permission",
        ADMIN,
        '_("Reject selected photos…"), permissions=["review"]',
        '_("Reject selected photos…")',
    ),
    Mutation(
        "photos without files can be approved",
        SERVICES,
        "can_decide = locked.has_files and expected_status in",
        "can_decide = expected_status in",
    ),
    Mutation(
        "decision of another reviewer overwritten",
        SERVICES,
        'and expected_status in ("", locked.status)',
    ),
    Mutation(
        "decision on the photo's page without the permission",
        ADMIN,
        'if request.method == "POST" and not self.has_review_permission(request):',
        "if False:",
    ),
    Mutation(
        "decision by a link",
        ADMIN,
        'if "approve" in request.POST:',
        'if "approve" in {**request.POST, **request.GET}:',
    ),
    Mutation(
        "emails stored in two spellings",
        "src/secure_django/login/models.py",
        "self.email = self.email.lower()\nsuper()",
        "super()",
    ),
    Mutation(
        "answer byte by byte without an end",
        FETCH,
        "end - time.monotonic()",
        "5.0",  # from each byte to the next
    ),
    Mutation("chunks of any size read", FETCH, "[: self.bytes_left]"),
    Mutation(
        "URL fetched whatever stands behind it",
        FETCH,
        "URL.fullmatch(url)",
        "URL.match(url)",
    ),
    Mutation(
        "any port fetched",
        FETCH,
        'or int(match["port"] or 443) not in ports',
    ),
    Mutation(
        "internal address fetched beside a public one",
        FETCH,
        "not all(map(is_public, ips))",
        "not any(map(is_public, ips))",
    ),
    Mutation(
        "host resolved again for the connection",
        FETCH,
        "plain = connect(public_addresses(host, port), end)",
        """
        public_addresses(host, port)
        plain = socket.create_connection((host, port))
        """,
    ),
    Mutation(
        "IPv6 addresses that contain internal ones fetched",
        FETCH,
        "if ip.version == 6 and ip not in IPV6_UNICAST:",
        "if False:",
    ),
    Mutation(
        "metadata of a cloud fetched",
        FETCH,
        "if any(ip in network for network in NOT_PUBLIC):",
        "if False:",
    ),
    Mutation("private addresses fetched", FETCH, "ip.is_global and not", "not"),
    Mutation("multicast addresses fetched", FETCH, "and not ip.is_multicast"),
    Mutation(
        "certificates of other sites not checked",
        FETCH,
        "TLS = ssl.create_default_context()",
        "TLS = ssl._create_unverified_context()",
    ),
    Mutation(
        "redirect of another site followed",
        FETCH,
        "return Answer(response.status, response.headers, content)",
        """
        if response.headers["Location"]:
            return fetch(response.headers["Location"])
        return Answer(response.status, response.headers, content)
        """,
    ),
    Mutation(
        "answer of any size fetched", FETCH, "if len(content) > max_bytes:", "if False:"
    ),
    Mutation("cut answer taken for a whole one", FETCH, "response.length or"),
    Mutation(
        "compressed answer fetched", FETCH, 'or response.headers["Content-Encoding"]'
    ),
    Mutation(
        "formula behind another separator",
        CSV,
        "SEPARATORS.split(text)",
        "[text]",
    ),
    Mutation(
        "formula behind spaces or quotes, or with wide signs",
        CSV,
        "if FORMULA.match(part)",
        'if part.startswith(("=", "+", "-", "@"))',
    ),
    Mutation(
        "cell begins with a tab or a line end",
        CSV,
        """return f"'{safe}" if safe.startswith(CONTROLS) else safe""",
        "return safe",
    ),
    Mutation(
        "cells written as they are", CSV, "[as_text(value) for value in row]", "row"
    ),
    Mutation(
        "HEAD evades a limit of GET",
        "src/secure_django/ratelimit.py",
        'counted_methods.add("HEAD")',
        "pass",
    ),
    Mutation(
        "lists ordered by any column, such as the owner's password",
        "src/secure_django/web/lists.py",
        "if name not in order:",
        "if False:",
    ),
    # The gallery
    Mutation(
        "form without a token",
        "gallery/templates/gallery/upload.html",
        "{% csrf_token %}",
    ),
    Mutation(
        "other users' photos can be deleted",
        GALLERY,
        "get_object_or_404(own(request), pk=pk)",
        "get_object_or_404(Picture, pk=pk)",
    ),
    Mutation(
        "other users' photos listed under My photos",
        GALLERY,
        "Picture.objects.filter(owner=request.user)",
        "Picture.objects",
    ),
    Mutation(
        "photo deleted by a GET request",
        GALLERY,
        'if request.method != "POST":',
        'if request.method == "PUT":',
    ),
    Mutation(
        "photos that wait shown to every visitor",
        "gallery/models.py",
        "return self.filter(photo__status=Status.APPROVED)",
        "return self",
    ),
    Mutation(
        "setting changed by a GET request",
        "src/secure_django/accounts/views.py",
        'if request.method != "POST":\n'
        '        return render(request, "secure_django/accounts/notifications.html")',
    ),
    Mutation(
        "view made public",
        GALLERY,
        "@require_safe\ndef mine",
        "@login_not_required\n@require_safe\ndef mine",
    ),
    Mutation(
        "upload page made public",
        GALLERY,
        '@require_http_methods(["GET", "HEAD", "POST"])\ndef upload',
        '@login_not_required\n@require_http_methods(["GET", "HEAD", "POST"])\n'
        "def upload",
    ),
    Mutation(
        "texts of a deleted photo kept until the worker finds it",
        GALLERY,
        "delete_photo(picture.photo)",
        "pass",
    ),
    # Cloudinary
    Mutation(
        "webhook signature not checked",
        f"{CLOUDINARY}/views.py",
        "if not has_valid_signature(request):",
        "if False:",
    ),
    Mutation(
        "webhook timestamp not checked",
        f"{CLOUDINARY}/views.py",
        "<= WINDOW",
        "<= 10**12",
    ),
    Mutation(
        "webhook body length not limited",
        "src/secure_django/web/bodies.py",
        "if int(length) > limit:",
        "if False:",
    ),
    Mutation(
        "webhook signature compared partly",
        f"{CLOUDINARY}/views.py",
        "hmac.compare_digest(expected.hexdigest().encode(), signature.encode())",
        "expected.hexdigest()[:8] == signature[:8]",
    ),
    Mutation(
        "webhook ignores the previous secret",
        f"{CLOUDINARY}/views.py",
        ", *settings.CLOUDINARY_API_SECRET_FALLBACKS]",
        "]",
    ),
    Mutation(
        "webhook approves photos",
        f"{CLOUDINARY}/views.py",
        "Asset.objects.filter(pk=public_id, photo__has_files=True)"
        ".update(due_at=timezone.now())",
        '[photo.__class__.objects.update(status="approved") '
        "for photo in [Asset.objects.get(pk=public_id).photo]]",
    ),
    Mutation(
        "due photos claimed twice",
        "src/secure_django/due.py",
        "if manager.filter(free, pk=key).update(**claim)",
        "if True",
    ),
    Mutation(
        "photo not sent to Cloudinary",
        SERVICES,
        "backend.schedule(",
        "len(",
    ),
    Mutation(
        "photo at Cloudinary forgotten with its row",
        f"{CLOUDINARY}/backend.py",
        "return photos.filter(asset=None)",
        "return photos",
    ),
    Mutation(
        "change during a call to Cloudinary forgotten",
        "src/secure_django/due.py",
        "self.filter(pk=row.pk, due_at=row.due_at)",
        "self.filter(pk=row.pk)",
    ),
    Mutation(
        "Cloudinary assets public",
        f"{CLOUDINARY}/client.py",
        '{"type": TYPE, "timestamp"',
        '{"type": "upload", "timestamp"',
    ),
    Mutation(
        "negative lengths end a batch",
        f"{CLOUDINARY}/client.py",
        "OSError, ValueError):",
        "OSError):",
    ),
    Mutation(
        "Cloudinary assets overwritten",
        f"{CLOUDINARY}/client.py",
        '"overwrite": "0"',
        '"overwrite": "1"',
    ),
    Mutation(
        "Cloudinary URLs not signed",
        f"{CLOUDINARY}/client.py",
        '"sign_url": True',
        '"sign_url": False',
    ),
    Mutation(
        "Cloudinary URL shown before approval",
        f"{CLOUDINARY}/backend.py",
        "photo.status == Status.APPROVED and purpose_of(",
        "purpose_of(",
    ),
    Mutation(
        "Cloudinary URL shown for photos of some",
        f"{CLOUDINARY}/backend.py",
        "is_public = photo.status == Status.APPROVED and purpose_of(photo).is_public",
        "is_public = photo.status == Status.APPROVED",
    ),
    Mutation(
        "private photo sent to Cloudinary",
        f"{CLOUDINARY}/backend.py",
        ", is_moderated=True)",
        ")",
    ),
    Mutation(
        "unknown results approve a photo",
        f"{CLOUDINARY}/outbox.py",
        "RESULTS.get(statuses[0], Result.UNKNOWN)",
        "RESULTS.get(statuses[0], Result.APPROVED)",
    ),
    Mutation(
        "missing results approve a photo",
        f"{CLOUDINARY}/outbox.py",
        'or ["none"]',
        'or ["approved"]',
    ),
    Mutation(
        "only the first kind of moderation required",
        f"{CLOUDINARY}/backend.py",
        "in settings.CLOUDINARY_MODERATION)\n\ndef schedule",
        "in settings.CLOUDINARY_MODERATION[:1])\n\ndef schedule",
    ),
    Mutation(
        "stuck photos not reported to reviewers",
        f"{CLOUDINARY}/outbox.py",
        "if asset.photo.created_at < timezone.now() - stuck_after:",
        "if False:",
    ),
    Mutation(
        "Cloudinary asset kept after deletion",
        f"{CLOUDINARY}/outbox.py",
        "if asset.sent: client.destroy(str(asset.pk))",
    ),
    Mutation(
        "invalid kinds of moderation accepted",
        f"{CLOUDINARY}/environment.py",
        "if not all(map(KIND.fullmatch, entries)):",
        "if False:",
    ),
    Mutation(
        "form takes a title with several lines",
        "gallery/models.py",
        "validators=[validate_one_line],",
    ),
    Mutation(
        "model takes a title with several lines",
        MODELS,
        ", validators=[validate_one_line]",
    ),
    # Accounts
    Mutation(
        "factor removed by staff without an email",
        "src/secure_django/accounts/admin.py",
        "get_adapter().send_notification_mail("
        '"secure_django/login/email/changed_by_staff", obj.user, changes)',
        "pass",
    ),
    Mutation(
        "emails not verified",
        ACCOUNT_DEFAULTS,
        'ACCOUNT_EMAIL_VERIFICATION = "mandatory"',
        'ACCOUNT_EMAIL_VERIFICATION = "none"',
    ),
    Mutation(
        "email codes valid for 15 minutes",
        ACCOUNT_DEFAULTS,
        "ACCOUNT_EMAIL_VERIFICATION_BY_CODE_TIMEOUT = 600",
        "ACCOUNT_EMAIL_VERIFICATION_BY_CODE_TIMEOUT = 900",
    ),
    Mutation(
        "email replaced by staff keeps access",
        "src/secure_django/login/admin.py",
        "EmailAddress.objects.filter(user=obj).delete()",
        "pass",
    ),
    Mutation(
        "rows of ended sessions kept",
        "src/secure_django/accounts/jobs.py",
        "filter(created_at__lt=cutoff).delete()",
        "filter(created_at__lt=cutoff)",
    ),
    Mutation(
        "sessions stored in number by passkey log-ins",
        "src/secure_django/accounts/urls.py",
        "limit_challenges(login_webauthn)",
        "login_webauthn",
    ),
    Mutation(
        "former staff delete their account",
        "src/secure_django/accounts/views.py",
        "if not user.is_deletable:",
        "if user.is_staff:",
    ),
    Mutation(
        "sensitive changes without reauthentication",
        ACCOUNT_DEFAULTS,
        "ACCOUNT_REAUTHENTICATION_REQUIRED = True",
        "ACCOUNT_REAUTHENTICATION_REQUIRED = False",
    ),
    Mutation(
        "password or mailbox removes a second factor",
        "src/secure_django/accounts/adapters.py",
        'allowed = ["mfa_reauthenticate",',
        'allowed += ["mfa_reauthenticate",',
    ),
    Mutation(
        "new way to reauthenticate offered",
        "src/secure_django/accounts/adapters.py",
        'if method["id"] in allowed]',
        "]",
    ),
    Mutation(
        "all pages of allauth, of accounts too",
        "src/secure_django/accounts/urls.py",
        'if getattr(pattern, "name", None) in NAMES]',
        'if hasattr(pattern, "name")]',
    ),
    Mutation(
        "emailed codes counted in the session only",
        "src/secure_django/accounts/forms.py",
        'if not ratelimit.consume(context.request, action="emailed_code", key=key):',
        "if False:",
    ),
    Mutation(
        "requested emails not limited",
        "src/secure_django/accounts/adapters.py",
        'if "user_agent" in context:',
        "if True:",
    ),
    Mutation(
        "links to the owner used up by sign-ups",
        "src/secure_django/accounts/adapters.py",
        "if template_prefix in "
        '{"account/email/password_reset_key", "account/email/unknown_account"}:',
        "if False:",
    ),
    Mutation(
        "second code limited for some emails alone",
        "src/secure_django/accounts/adapters.py",
        'return page is None or page.url_name != "account_email_verification_sent"',
        "return True",
    ),
    Mutation(
        "set-up of a second factor leads to another site",
        "src/secure_django/accounts/middleware.py",
        "if url_has_allowed_host_and_scheme("
        "url, {request.get_host()}, require_https=request.is_secure()):",
        "if url:",
    ),
    Mutation(
        "reset does not verify the email",
        "src/secure_django/accounts/signals.py",
        "@receiver(account.password_reset)",
    ),
    Mutation(
        "unverified sign-ups kept",
        "src/secure_django/accounts/jobs.py",
        "delete_user(user)",
        "pass",
    ),
    Mutation(
        "emails sent in a loop",
        "src/secure_django/accounts/urls.py",
        "limited = rate_limit(20, seconds=3600)(pattern.callback)",
        "limited = pattern.callback",
    ),
    Mutation(
        "emails sent to people without an account in a loop",
        ACCOUNT_DEFAULTS,
        '"manage_email": "10/m/user,20/h/user",',
    ),
    Mutation(
        "service that is away asked each time",
        "src/secure_django/accounts/password_validation.py",
        "cache.set(PAUSE, time.time(), PAUSE_SECONDS)",
        "pass",
    ),
    Mutation(
        "verified users deleted",
        "src/secure_django/accounts/jobs.py",
        ", ~has_verified_email",
    ),
    Mutation(
        "users whom staff added deleted",
        "src/secure_django/accounts/jobs.py",
        "filter(primary=True)",
        "filter()",
    ),
    Mutation(
        "sign-ups deleted at once",
        "src/secure_django/accounts/jobs.py",
        "date_joined__lt=cutoff,",
    ),
    Mutation(
        "notices limited",
        "src/secure_django/accounts/adapters.py",
        'if "user_agent" in context:',
        "if False:",
    ),
    Mutation(
        "second factors not encrypted",
        "src/secure_django/accounts/adapters.py",
        "return encryption.encrypt(text, FACTOR_CONTEXT)",
        "return text",
    ),
    Mutation(
        "second factor not required for staff",
        SETTINGS,
        '"secure_django.accounts.middleware.SecondFactorMiddleware",',
        feature="auth_app",
    ),
    Mutation(
        "second factor not required for superusers",
        "src/secure_django/accounts/middleware.py",
        "if not (user.is_staff or user.is_superuser):",
        "if not user.is_staff:",
    ),
    Mutation(
        "second factor not required for each session",
        "src/secure_django/accounts/middleware.py",
        'return None if is_proved else "mfa_reauthenticate"',
        "return None",
    ),
    Mutation(
        "second factor added after any log-in",
        "src/secure_django/accounts/adapters.py",
        "and not is_mfa_enabled(user):",
        "and user:",
    ),
    Mutation(
        "answers of a passkey accepted twice",
        "src/secure_django/accounts/forms.py",
        "is_own and cache.add(key, True, settings.SESSION_COOKIE_AGE):",
        "is_own:",
    ),
    Mutation(
        "answers of a passkey accepted from subdomains",
        "src/secure_django/accounts/forms.py",
        "if is_own and cache.add",
        "if cache.add",
    ),
    Mutation(
        "malformed answers of a passkey fail",
        "src/secure_django/accounts/forms.py",
        "except MALFORMED:",
        "except OSError:",
    ),
    Mutation(
        "ids of passkeys logged",
        ACCOUNT_DEFAULTS,
        '"fido2": {"level": "WARNING"}',
        '"fido2": {"level": "INFO"}',
    ),
    Mutation(
        "session kept for the second step",
        "src/secure_django/accounts/stages.py",
        "self.request.session.cycle_key()",
        "pass",
    ),
    Mutation(
        "log-in counts forever",
        "src/secure_django/accounts/adapters.py",
        "is_old = age >=",
        "is_old = age < 0 *",
    ),
    Mutation(
        "breached passwords accepted",
        SETTINGS,
        f'{{"NAME": "{BREACHED}"}},',
        feature="auth_app",
    ),
    Mutation(
        "any number of sessions of an account",
        "src/secure_django/accounts/signals.py",
        "get_adapter().end_sessions(sessions[MOST_SESSIONS:])",
        "pass",
    ),
    Mutation(
        "other users' sessions can be ended",
        "src/secure_django/accounts/views.py",
        "get_object_or_404(UserSession, pk=pk, user=request.user)",
        "get_object_or_404(UserSession, pk=pk)",
    ),
    Mutation(
        "switch for emails changes every user",
        "src/secure_django/accounts/views.py",
        "objects.filter(pk=request.user.pk).update",
        "objects.update",
    ),
    Mutation(
        "account pages that take PUT",
        "src/secure_django/accounts/urls.py",
        "restrict_methods(urlpatterns)",
    ),
    Mutation(
        "account deleted without reauthentication",
        "src/secure_django/accounts/views.py",
        "@reauthentication_required",
    ),
]
# Those of a feature that a fork has removed have nothing to break.
MUTATIONS = [mutation for mutation in MUTATIONS if not mutation.is_removed]


def run_tests(subject: Subject, tests: list[str]) -> str:
    """Run tests of controls until one fails, and return their output."""
    try:
        done = subject.run_tests(tests, LIMIT, "-m", "control")
    except subprocess.TimeoutExpired:
        return f"The tests did not end within {LIMIT} seconds."
    return done.stdout + done.stderr


class SubjectTests:
    """The tests of a subject, and the lines that they run."""

    def __init__(self, subject: Subject) -> None:
        """Run the tests, which must pass.

        The lines of a project count for nothing: most of what it decides, it decides at
        import.
        """
        self.subject = subject
        self.coverage: Coverage = {}
        if subject.is_package:
            self.coverage = trace(subject, "-m", "control")
        else:
            run(subject.folder, *subject.command, "-m", "control")
        self.lines = count_lines(self.coverage)

    def likely(self, mutation: Mutation) -> list[str]:
        """Return the tests that run what a mutation changes, the most specific first.

        Those beside it come before others. Of what runs at import, such as a decorator,
        those that run the function or the class below count.
        """
        if not mutation.path.endswith(".py"):
            return []
        source = (self.subject.folder / mutation.path).read_text(encoding="utf-8")
        changed = mutation.changed_lines(source)
        tests: set[str] = set()
        for lines in enclosing_lines(source, changed):
            tests = {
                test
                for line in lines
                for test in self.coverage.get((mutation.path, line), ())
                if test
            }
            if tests:
                break
        return sorted(
            tests,
            key=lambda test: (
                not is_near(test, mutation.path),
                self.lines[test],
                test,
            ),
        )

    def modules(self, mutation: Mutation) -> list[str]:
        """Return all modules of tests, those beside the mutation first.

        Among them, those whose tests run the most lines are last, since they take long.
        A project's are all that pytest finds, with those of the package.
        """
        if not self.subject.is_package:
            return []
        most_lines: Counter[str] = Counter()
        for test, lines in self.lines.items():
            module = test.partition("::")[0]
            most_lines[module] = max(most_lines[module], lines)
        return sorted(
            self.subject.modules(),
            key=lambda test: (
                not is_near(test, mutation.path),
                most_lines[test],
                test,
            ),
        )


def enclosing_lines(source: str, changed: Span) -> list[range]:
    """Return the lines of the statements around a change, the smallest first."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.stmt):
            continue
        decorators = getattr(node, "decorator_list", [])
        start = min(part.lineno for part in [node, *decorators])
        end = node.end_lineno or node.lineno
        if start <= changed.start and changed.end <= end:
            found.append(range(start, end + 1))
    return sorted(found, key=len)


def is_near(test: str, path: str) -> bool:
    """Tell whether a test, or a module of tests, is beside a file."""
    place = tested_by(test)
    return bool(place) and path.startswith(place)


def detect(mutation: Mutation, tests: SubjectTests) -> list[object]:
    """Apply a mutation to a copy, and return a row of the table.

    It has the mutation's name, the test that fails, and the control. All tests run if
    those that run the changed lines pass; in a project, its checks run then.
    """
    original = tests.subject.folder
    with tempfile.TemporaryDirectory() as folder:
        broken = shutil.copytree(original, Path(folder) / original.name)
        subject = replace(tests.subject, folder=broken)
        mutation.apply(broken)
        likely = tests.likely(mutation)
        everything = tests.modules(mutation)
        for chosen in [likely, everything] if likely else [everything]:
            output = run_tests(subject, chosen)
            test = FAILED_TEST.search(output)
            red = re.search(r"^\d+ red: (.+)$", output, re.MULTILINE)
            if test and red:
                return [mutation.name, f"`{test[2]}`", red[1]]
            if test:
                return [mutation.name, f"`{test[1]}` does not start", ""]
        if not subject.is_package:
            return [mutation.name, *failed_check(broken)]
    return [mutation.name, "not detected", ""]


def failed_check(folder: Path) -> tuple[str, str]:
    """Return the check of a project that fails, and its id; or that none does."""
    for command, expression in CHECKS.items():
        try:
            run(folder, *command, **CHECK_ENVIRONMENT)
        except AssertionError as error:
            found = re.search(expression, str(error))
            return f"`{command[-1]}`", found[0] if found else ""
    return "not detected", ""


def detect_all(mutations: list[Mutation], subject: Subject) -> Iterator[list[object]]:
    """Yield a row for each mutation of a subject whose tests pass without them."""
    outdated = [
        mutation.name for mutation in mutations if not mutation.fits(subject.folder)
    ]
    if outdated:
        sys.exit(f"These mutations do not fit the code: {', '.join(outdated)}.")
    if not subject.is_package:
        run(subject.folder, *WRITE_LOCK)
    tests = SubjectTests(subject)
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        yield from threads.map(lambda mutation: detect(mutation, tests), mutations)


def changed_since(commit: str) -> list[str]:
    """Return the files that differ from a commit, those of a project as it has them."""
    output = run(ROOT, "git", "diff", "--name-only", "-z", commit)
    return [path.removeprefix(f"{RAW}/") for path in output.split("\0") if path]


def parse_arguments() -> argparse.Namespace:
    """Return the options of the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "words", nargs="*", help="run only mutations whose name has one of these words"
    )
    parser.add_argument(
        "--part", default="1/1", help="run only one of several parts, such as 2/4"
    )
    parser.add_argument(
        "--changed",
        metavar="COMMIT",
        help="run only those of files that differ from the commit",
    )
    return parser.parse_args()


def choose(options: argparse.Namespace) -> list[Mutation]:
    """Return the mutations that the command line asks for."""
    part, parts = map(int, options.part.split("/"))
    chosen = MUTATIONS[part - 1 :: parts]
    if options.words:
        chosen = [
            mutation
            for mutation in chosen
            if any(word in mutation.name for word in options.words)
        ]
    if options.changed:
        files = changed_since(options.changed)
        chosen = [mutation for mutation in chosen if mutation.is_about(files)]
    return chosen


def main() -> None:
    """Print the table and the count; fail if a mutation is not detected."""
    chosen = choose(parse_arguments())
    started = time.monotonic()
    rows: list[list[object]] = []
    for make_subject, is_package in ((package, True), (project, False)):
        own = [mutation for mutation in chosen if mutation.is_of_package == is_package]
        if not own:
            continue
        with make_subject() as subject:
            for row in detect_all(own, subject):
                rows.append(row)
                print(*row, sep="  ", file=sys.stderr, flush=True)
    detected = [row for row in rows if row[2]]
    if rows:
        print_table(["mutation", "first test that fails", "control"], rows)
    seconds = time.monotonic() - started
    count = f"{len(detected)} of {len(rows)} mutations"
    print(f"\n{count} are detected ({seconds:.0f} seconds).")
    if len(detected) < len(rows):
        sys.exit(1)


if __name__ == "__main__":
    main()
