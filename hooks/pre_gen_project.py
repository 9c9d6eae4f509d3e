"""Reject invalid answers, with a line for each that says what to type instead.

Print a command with valid answers too.
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
from typing import Any

ANSWERS = json.loads(r"""{{ cookiecutter | jsonify }}""")
PROMPTS = json.loads(r"""{{ prompts }}""")  # with their defaults, in their order

SLUG = re.compile(r"[a-z0-9]+(?:[-._][a-z0-9]+)*")
LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
DOMAIN = re.compile(rf"(?:{LABEL}\.)+(?=[a-z]){LABEL}")
MAILBOX = re.compile(r"[\w!#$%&'*+/=?^`|~-]+(?:\.[\w!#$%&'*+/=?^`|~-]+)*", re.ASCII)
# Cookiecutter would render this when answers are replayed or the project is updated.
TEMPLATE_CODE = re.compile(r"\{[%#\{]|# %")
# Windows reserves these names, with any extension.
RESERVED = {
    "con",
    "prn",
    "aux",
    "nul",
    *(f"{port}{number}" for port in ("com", "lpt") for number in range(10)),
}
YES, NO = ("1", "on", "t", "true", "y", "yes"), ("0", "f", "false", "n", "no", "off")
# The project's own folders and all packages that it installs; a test compares this list
# with both.
TAKEN = set(
    """
    accounts config core deploy docs gallery manage media nginx reports scripts static
    templates test tests uploads users

    annotated-types argon2-cffi argon2-cffi-bindings asgiref ast-serialize attrs bandit
    certifi cffi charset-normalizer click cloudinary colorama cryptography django
    django-allauth execnet django-permissions-policy django-stubs django-stubs-ext fido2
    grimp gunicorn idna import-linter iniconfig jschema-to-python jsonpickle librt
    markdown-it-py mdurl mypy mypy-extensions packaging pastel pathspec pbr pillow
    pluggy poethepoet pre-commit psycopg psycopg-binary pwned-passwords-django pycparser
    pygments pyjwt pytest pytest-django pytest-xdist python-dotenv pyyaml qrcode redis
    requests rich ruff sarif-om six sqlparse stevedore types-pyyaml typing-extensions
    tzdata urllib3 whitenoise

    allauth argon2 dotenv importlinter jwt markdown_it nacl pil pip setuptools wheel
    yaml zizmor kingfisher-bin

    boto3 botocore dateutil django-storages jmespath python-dateutil s3transfer
    sentry-sdk storages
    """.split()
)


# What is wrong, and what to answer instead; without that, the default.
Problem = tuple[str, Any] | None


def corrected(answers: dict[str, Any]) -> tuple[list[str], dict[str, Any]]:
    """Return a line for each invalid answer, and the answers with others instead."""
    problems, good = [], dict(answers)
    for prompt in filter(answers.__contains__, PROMPTS):
        if problem := answer_problem(prompt, answers[prompt]):
            problems.append(f"{prompt}: {problem[0]}")
            good[prompt] = better_answer(prompt, problem[1], good)
    if any(Path(name).exists() for name in ("manage.py", ".env")):
        folder = Path.cwd().name
        problems.append(
            f"{folder}: holds a project already; "
            "type another project_slug, or run poe template-update there"
        )
        good["project_slug"] = f"my-{good['project_slug']}"[:64].rstrip("-._")
    return problems, good


def answer_problem(prompt: str, answer: object) -> Problem:
    """Return what makes an answer to a prompt of any kind invalid, and a better one."""
    default = PROMPTS[prompt]
    said = str(answer)
    # Cookiecutter checks neither what is replayed, nor a number or nothing in place of
    # yes or no.
    if isinstance(default, bool):
        meant = said.lower() in YES or (default and said.lower() not in NO)
        return (
            None
            if isinstance(answer, bool)
            else (f"is {answer!r}; type yes or no", meant)
        )
    if isinstance(default, list):
        near = [*difflib.get_close_matches(said, default, n=1), default[0]][0]
        return (
            None
            if answer in default
            else (f"is {answer!r}; type {' or '.join(default)}", near)
        )
    return text_problem(answer) or (CHECKS[prompt](said) if prompt in CHECKS else None)


def better_answer(prompt: str, suggestion: Any, good: dict[str, Any]) -> Any:  # noqa: ANN401 - of any kind
    """Return the suggestion if it is valid, or else the default."""
    if suggestion is not None and not answer_problem(prompt, suggestion):
        return suggestion
    rendered = re.sub(
        r"\{\{ cookiecutter\.(\w+) \}\}",
        lambda earlier: str(good[earlier[1]]),
        PROMPTS[prompt],
    )
    return slug_of(good["project_name"]) if "{" in rendered else rendered


def text_problem(answer: object) -> Problem:
    """Return what makes an answer invalid as a text, and what is valid of it."""
    if not isinstance(answer, str):  # a configuration file can say `true`, or nothing
        return "is not text; type it in quotes", None
    if not answer.strip():
        return "is empty; type at least one word", None
    if not answer.isprintable():
        return (
            "contains a line break or an invisible character; type it without",
            cleaned(answer),
        )
    if TEMPLATE_CODE.search(answer):
        return "contains template code; type it without braces", cleaned(answer)
    return None


def name_problem(name: str) -> Problem:
    """Return what makes the name invalid in double quotes, and what is valid of it.

    Python and TOML files have the name in double quotes.
    """
    if '"' in name or "\\" in name:
        return "contains a double quote or a backslash; type it without", cleaned(name)
    return None


def cleaned(text: str) -> str:
    """Return a text without what ends a line or a string, or starts template code."""
    spaced = " ".join("".join(it if it.isprintable() else " " for it in text).split())
    return re.sub(r"[{}#%\"\\]", "", spaced).strip()


def slug_of(text: str) -> str:
    """Return a text as a valid slug."""
    letters = (
        unicodedata.normalize("NFKD", text.casefold())
        .encode("ascii", "ignore")
        .decode()
    )
    slug = re.sub(r"[^a-z0-9]+", "-", letters)[:60].strip("-") or "secure-site"
    return f"my-{slug}" if is_reserved(slug) or is_taken(slug) else slug


def is_reserved(slug: str) -> bool:
    """Return whether Windows refuses a folder of this name."""
    return slug.partition(".")[0] in RESERVED


def is_taken(slug: str) -> bool:
    """Return whether Python or the project has a module or package of this name."""
    name = re.sub(r"[-._]", "_", slug)
    return name in sys.stdlib_module_names or name in {
        taken.replace("-", "_") for taken in TAKEN
    }


def slug_problem(slug: str) -> Problem:
    """Return what makes the slug invalid as a folder or package, and a valid one."""
    better = slug_of(slug)
    if not SLUG.fullmatch(slug):
        return f"is not a valid distribution name in lowercase; type {better}", better
    if len(slug) > 64:
        return f"is longer than 64 characters; type {better}", better
    if is_reserved(slug):
        better = slug_of(f"my-{slug}")
        return f"is a reserved Windows name; type {better}", better
    if is_taken(slug):
        return (
            f"is the name of a folder or package that the project uses; type {better}",
            better,
        )
    return None


def domain_problem(domain: str) -> Problem:
    """Return what makes the domain unusable for browsers and mail, and a better one."""
    if DOMAIN.fullmatch(domain) and len(domain) <= 253:
        return None
    better = re.sub(r"^\w+://|[:/].*", "", domain).strip(".").lower()
    try:
        better = better.encode("idna").decode()
    except UnicodeError:
        better = domain
    if better != domain and DOMAIN.fullmatch(better):
        return f"is not in the form that servers use; type {better}", better
    return (
        (
            "is not a valid domain name; "
            "type one like example.com, without scheme, port or path"
        ),
        None,
    )


def email_problem(email: str) -> Problem:
    """Return what makes the email address undeliverable."""
    mailbox, _, domain = email.rpartition("@")
    if MAILBOX.fullmatch(mailbox) and len(mailbox) <= 64 and not domain_problem(domain):
        return None
    return "is not a valid email address; type one like security@example.com", None


CHECKS: dict[str, Callable[[str], Problem]] = {
    "project_name": name_problem,
    "project_slug": slug_problem,
    "domain_name": domain_problem,
    "author_name": name_problem,
    "author_email": email_problem,
}


def quoted(argument: str) -> str:
    """Return an argument for the shell that the command is pasted into."""
    if os.name != "nt":
        return shlex.quote(argument)
    # In double quotes, so that cmd ignores & and |. A program reads two quotes as one.
    return '"' + re.sub(r'(\\+)(?="|$)', r"\1\1", argument).replace('"', '""') + '"'


def command_line(good: dict[str, Any]) -> str:
    """Return the command that generates the project from these answers."""
    words = ["uvx", "cookiecutter", ANSWERS["_template"], "--no-input"]
    if ANSWERS.get("_checkout"):
        words += ["--checkout", ANSWERS["_checkout"]]
    # The folder of the shell; Windows tells a program only its own.
    if ANSWERS["_output_dir"] != os.environ.get("PWD"):
        words += ["--output-dir", ANSWERS["_output_dir"]]
    words = [
        word if re.fullmatch(r"[\w./:@-]+", word) else quoted(word) for word in words
    ]
    return " ".join(
        [
            *words,
            *(
                f"{prompt}={quoted(str(good[prompt]))}"
                for prompt in PROMPTS
                if prompt in good
            ),
        ]
    )


if __name__ == "__main__":
    # A console that cannot show a character shows its code point.
    sys.stderr.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    found, answers = corrected(ANSWERS)
    if found:
        lines = ["Nothing was generated:", *(f"  {problem}" for problem in found)]
        sys.exit(
            "\n".join(
                [
                    *lines,
                    "",
                    "This command has all answers, corrected:",
                    "",
                    f"  {command_line(answers)}",
                    "",
                ]
            )
        )
