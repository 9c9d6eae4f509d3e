"""Refuse invalid answers, with a line for each that says what to type instead.

The end of the refusal is a command with valid answers.
"""

import difflib
import json
import os
import re
import shlex
import sys
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

# With their defaults, in their order.
PROMPTS: dict[str, Any] = {
    name: default
    for name, default in json.loads(
        Path(__file__).with_name("cookiecutter.json").read_text(encoding="utf-8")
    ).items()
    if not name.startswith("_")
}

SLUG = re.compile(r"[a-z0-9]+(?:[-._][a-z0-9]+)*")
LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
DOMAIN = re.compile(rf"(?:{LABEL}\.)+(?=[a-z]){LABEL}")
MAILBOX = re.compile(r"[\w!#$%&'*+/=?^`|~-]+(?:\.[\w!#$%&'*+/=?^`|~-]+)*", re.ASCII)
# Cookiecutter would render this when answers are replayed or the project is updated.
TEMPLATE_CODE = re.compile(r"\{[%#\{]|# %")
# An earlier answer in a default.
EARLIER_ANSWER = re.compile(r"\{\{ cookiecutter\.(\w+) \}\}")
# A word that no shell changes.
PLAIN_WORD = re.compile(r"[\w./:@-]+")
# In double quotes, PowerShell runs what follows `$`, and takes typographic quotes for
# plain ones.
POWERSHELL = re.compile(r"[$`\u201c-\u201e]")
# Windows reserves these names, with any extension.
RESERVED = {"con", "prn", "aux", "nul"}
RESERVED |= {f"{port}{number}" for port in ("com", "lpt") for number in range(10)}
YES = ("1", "on", "t", "true", "y", "yes")
NO = ("0", "f", "false", "n", "no", "off")
# The project's own folders and all packages that it installs; a test compares this list
# with both.
TAKEN = set(
    """
    config deploy docs gallery manage media nginx reports scans secure-django static
    templates test tests users vendor

    annotated-types argon2-cffi argon2-cffi-bindings asgiref ast-serialize attrs bandit
    certifi cffi charset-normalizer click cloudinary colorama cryptography django
    django-allauth django-anymail execnet django-permissions-policy django-stubs
    django-stubs-ext fido2 grimp gunicorn idna import-linter iniconfig
    jschema-to-python jsonpickle librt
    markdown-it-py mdurl model-bakery mypy mypy-extensions packaging pastel pathspec pbr
    pillow pluggy poethepoet pre-commit psycopg psycopg-binary pwned-passwords-django
    pycparser pygments pyjwt pytest pytest-django pytest-xdist python-dotenv pyyaml
    qrcode redis requests rich ruff sarif-om six sqlparse stevedore types-pyyaml
    typing-extensions
    tzdata urllib3 whitenoise

    allauth anymail argon2 dotenv importlinter jwt markdown_it nacl pil pip setuptools
    wheel yaml zizmor kingfisher-bin

    boto3 botocore dateutil django-storages jmespath python-dateutil s3transfer
    storages
    """.split()
)

REFUSAL = """\
Nothing was generated:
{problems}

This command has all answers, corrected:

  {command}"""


class Problem(NamedTuple):
    """What makes an answer invalid, and what to answer instead."""

    sentence: str
    suggestion: Any = None  # without one, the default


def refusal(answers: dict[str, Any], folder: Path) -> str:
    """Return why nothing is generated from these answers in a folder, or nothing."""
    problems, good = correct_answers(answers, folder)
    if not problems:
        return ""
    lines = "\n".join(f"  {problem}" for problem in problems)
    return REFUSAL.format(problems=lines, command=command_line(answers, good))


def correct_answers(
    answers: dict[str, Any], folder: Path | None = None
) -> tuple[list[str], dict[str, Any]]:
    """Return a line for each invalid answer, and the answers with others instead."""
    lines = []
    good = dict(answers)
    for prompt in filter(answers.__contains__, PROMPTS):
        problem = answer_problem(prompt, answers[prompt])
        if problem:
            lines.append(f"{prompt}: {problem.sentence}")
            good[prompt] = better_answer(prompt, problem.suggestion, good)
    if folder and any((folder / name).exists() for name in ("manage.py", ".env")):
        lines.append(
            f"{folder.name}: holds a project already; "
            "type another project_slug, or run poe template-update there"
        )
        good["project_slug"] = f"my-{good['project_slug']}"[:64].rstrip("-._")
    return lines, good


def answer_problem(prompt: str, answer: object) -> Problem | None:
    """Return what makes an answer to a prompt of any kind invalid."""
    default = PROMPTS[prompt]
    # Cookiecutter checks neither what is replayed, nor a number or nothing in place of
    # yes or no.
    if isinstance(default, bool):
        return switch_problem(answer, is_default=default)
    if isinstance(default, list):
        return choice_problem(answer, default)
    problem = text_problem(answer)
    if problem or prompt not in CHECKS:
        return problem
    return CHECKS[prompt](str(answer))


def switch_problem(answer: object, *, is_default: bool) -> Problem | None:
    """Return what makes the answer neither yes nor no."""
    if isinstance(answer, bool):
        return None
    word = str(answer).lower()
    suggestion = word in YES or (is_default and word not in NO)
    return Problem(f"is {answer!r}; type yes or no", suggestion)


def choice_problem(answer: object, choices: list[str]) -> Problem | None:
    """Return what makes the answer none of the choices."""
    if answer in choices:
        return None
    similar = difflib.get_close_matches(str(answer), choices, n=1)
    suggestion = similar[0] if similar else choices[0]
    return Problem(f"is {answer!r}; type {' or '.join(choices)}", suggestion)


def better_answer(prompt: str, suggestion: Any, good: dict[str, Any]) -> Any:  # noqa: ANN401 - of any kind
    """Return the suggestion if it is valid, or else the default."""
    if suggestion is not None and not answer_problem(prompt, suggestion):
        return suggestion
    default = EARLIER_ANSWER.sub(lambda match: str(good[match[1]]), PROMPTS[prompt])
    # The default of the slug is more than earlier answers.
    return make_slug(good["project_name"]) if "{" in default else default


def text_problem(answer: object) -> Problem | None:
    """Return what makes an answer invalid as a text."""
    if not isinstance(answer, str):  # a configuration file can say `true`, or nothing
        return Problem("is not text; type it in quotes")
    if not answer.strip():
        return Problem("is empty; type at least one word")
    if not answer.isprintable():
        sentence = "contains a line break or an invisible character; type it without"
        return Problem(sentence, clean_text(answer))
    if TEMPLATE_CODE.search(answer):
        sentence = "contains template code; type it without braces"
        return Problem(sentence, clean_text(answer))
    return None


def name_problem(name: str) -> Problem | None:
    """Return what makes the name invalid in double quotes.

    Python and TOML files have the name in double quotes.
    """
    if '"' not in name and "\\" not in name:
        return None
    sentence = "contains a double quote or a backslash; type it without"
    return Problem(sentence, clean_text(name))


def clean_text(text: str) -> str:
    """Return a text without what ends a line or a string, or starts template code."""
    printable = "".join(letter if letter.isprintable() else " " for letter in text)
    one_line = " ".join(printable.split())
    return re.sub(r"[{}#%\"\\]", "", one_line).strip()


def make_slug(text: str) -> str:
    """Return a text as a valid slug."""
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    letters = decomposed.encode("ascii", "ignore").decode()
    slug = re.sub(r"[^a-z0-9]+", "-", letters)[:60].strip("-") or "secure-site"
    return f"my-{slug}" if is_reserved(slug) or is_taken(slug) else slug


def is_reserved(slug: str) -> bool:
    """Return whether Windows refuses a folder of this name."""
    return slug.partition(".")[0] in RESERVED


def is_taken(slug: str) -> bool:
    """Return whether Python or the project has a module or package of this name."""
    module = re.sub(r"[-._]", "_", slug)
    taken = {name.replace("-", "_") for name in TAKEN}
    return module in sys.stdlib_module_names or module in taken


def slug_problem(slug: str) -> Problem | None:
    """Return what makes the slug invalid as a folder or package."""
    better = make_slug(slug)
    if not SLUG.fullmatch(slug):
        reason = "is not a valid distribution name in lowercase"
    elif len(slug) > 64:
        reason = "is longer than 64 characters"
    elif is_reserved(slug):
        reason = "is a reserved Windows name"
        better = make_slug(f"my-{slug}")
    elif is_taken(slug):
        reason = "is the name of a folder or package that the project uses"
    else:
        return None
    return Problem(f"{reason}; type {better}", better)


def domain_problem(domain: str) -> Problem | None:
    """Return what makes the domain unusable for browsers and mail."""
    if DOMAIN.fullmatch(domain) and len(domain) <= 253:
        return None
    better = re.sub(r"^\w+://|[:/].*", "", domain).strip(".").lower()
    try:
        better = better.encode("idna").decode()
    except UnicodeError:
        better = domain
    if better != domain and DOMAIN.fullmatch(better):
        return Problem(f"is not in the form that servers use; type {better}", better)
    return Problem(
        "is not a valid domain name; "
        "type one like example.com, without scheme, port or path"
    )


def email_problem(email: str) -> Problem | None:
    """Return what makes the email address undeliverable."""
    mailbox, _, domain = email.rpartition("@")
    is_mailbox = MAILBOX.fullmatch(mailbox) and len(mailbox) <= 64
    if is_mailbox and not domain_problem(domain):
        return None
    return Problem("is not a valid email address; type one like security@example.com")


CHECKS: dict[str, Callable[[str], Problem | None]] = {
    "project_name": name_problem,
    "project_slug": slug_problem,
    "domain_name": domain_problem,
    "author_name": name_problem,
    "author_email": email_problem,
}


def quote_argument(argument: str) -> str:
    """Return an argument for the shell that the command is pasted into."""
    if os.name != "nt":
        return shlex.quote(argument)
    # In double quotes, so that cmd ignores & and |. A program reads two quotes as one.
    # No quoting holds in both of its shells, so what only PowerShell reads is left out.
    argument = POWERSHELL.sub("", argument)
    escaped = re.sub(r'(\\+)(?="|$)', r"\1\1", argument).replace('"', '""')
    return f'"{escaped}"'


def command_line(answers: dict[str, Any], good: dict[str, Any]) -> str:
    """Return the command that generates the project from good answers."""
    words = ["uvx", "cookiecutter", answers["_template"], "--no-input"]
    if answers.get("_checkout"):
        words += ["--checkout", answers["_checkout"]]
    # The folder of the shell; Windows tells a program only its own.
    output_dir = answers.get("_output_dir")
    if output_dir and output_dir != os.environ.get("PWD"):
        words += ["--output-dir", output_dir]
    words = [
        word if PLAIN_WORD.fullmatch(word) else quote_argument(word) for word in words
    ]
    for prompt in filter(good.__contains__, PROMPTS):
        words.append(f"{prompt}={quote_argument(str(good[prompt]))}")
    return " ".join(words)
