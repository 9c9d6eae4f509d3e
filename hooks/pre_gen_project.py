"""Reject invalid answers, each with one line that says what to type instead."""

import json
import re
import sys
import unicodedata
from collections.abc import Iterator
from pathlib import Path

ANSWERS = json.loads(r"""{{ cookiecutter | jsonify }}""")

SLUG = re.compile(r"[a-z0-9]+(?:[-._][a-z0-9]+)*")
LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
DOMAIN = re.compile(rf"(?:{LABEL}\.)+(?=[a-z]){LABEL}")
MAILBOX = re.compile(r"[\w!#$%&'*+/=?^`|~-]+(?:\.[\w!#$%&'*+/=?^`|~-]+)*", re.ASCII)
# Cookiecutter would render this when answers are replayed or the project is updated.
TEMPLATE_CODE = re.compile(r"\{[%#\{]|# %")
# Windows reserves these names, with any extension.
RESERVED = {"con", "prn", "aux", "nul", *(f"{port}{number}" for port in ("com", "lpt") for number in range(10))}
# The project's own folders and all packages that it installs; a test compares this list with both.
TAKEN = set(
    """
    accounts config core deploy docs manage media reports scripts static templates test tests uploads users

    annotated-types argon2-cffi argon2-cffi-bindings asgiref ast-serialize attrs bandit certifi cffi
    charset-normalizer click cloudinary colorama cryptography dj-database-url dj-email-url django django-allauth
    django-cache-url django-permissions-policy django-stubs django-stubs-ext environs fido2 grimp gunicorn
    idna import-linter iniconfig jschema-to-python jsonpickle librt markdown-it-py marshmallow mdurl mypy
    mypy-extensions packaging pastel pathspec pbr pillow pluggy poethepoet pre-commit psycopg psycopg-binary
    pwned-passwords-django pycparser pygments pyjwt pytest pytest-django python-dotenv pyyaml qrcode redis requests
    rich ruff sarif-om six sqlparse stevedore types-pyyaml typing-extensions tzdata urllib3 whitenoise

    allauth argon2 dotenv environ importlinter jwt markdown_it nacl pil pip setuptools wheel yaml zizmor
    kingfisher-bin

    boto3 botocore dateutil django-storages jmespath python-dateutil s3transfer sentry-sdk storages
    """.split()
)


def problems() -> Iterator[str]:
    """Yield one line for each invalid answer."""
    for prompt, check in CHECKS.items():
        answer = ANSWERS[prompt]
        problem = text_problem(answer) or check(answer)
        if problem:
            yield f"{prompt}: {problem}"
    if any(Path(name).exists() for name in ("manage.py", ".env")):
        yield f"{Path.cwd().name}: holds a project already; type another project_slug, or run poe template-update there"


def text_problem(answer: str) -> str | None:
    """Return what makes this text invalid as any answer."""
    if not answer.strip():
        return "is empty; type at least one word"
    if not answer.isprintable():
        return "contains a line break or an invisible character; type it without"
    if TEMPLATE_CODE.search(answer):
        return "contains template code; type it without braces"
    return None


def name_problem(name: str) -> str | None:
    """Return what makes the name invalid in double quotes, in Python and TOML."""
    if '"' in name or "\\" in name:
        return "contains a double quote or a backslash; type it without"
    return None


def slug_problem(slug: str) -> str | None:
    """Return what makes the slug invalid as a folder or distribution name."""
    letters = unicodedata.normalize("NFKD", slug.casefold()).encode("ascii", "ignore").decode()
    better = re.sub(r"[^a-z0-9]+", "-", letters)[:60].strip("-") or "secure-site"
    if not SLUG.fullmatch(slug):
        return f"is not a valid distribution name in lowercase; type {better}"
    if len(slug) > 64:
        return f"is longer than 64 characters; type {better}"
    if slug.partition(".")[0] in RESERVED:
        return f"is a reserved Windows name; type my-{better}"
    name = re.sub(r"[-._]", "_", slug)
    if name in sys.stdlib_module_names or name in {taken.replace("-", "_") for taken in TAKEN}:
        return f"is the name of a folder or package that the project uses; type my-{better}"
    return None


def domain_problem(domain: str) -> str | None:
    """Return what makes the domain unusable for browsers and mail servers."""
    if DOMAIN.fullmatch(domain) and len(domain) <= 253:
        return None
    try:
        better = domain.lower().encode("idna").decode()
    except UnicodeError:
        better = domain
    if better != domain and DOMAIN.fullmatch(better):
        return f"is not in the form that servers use; type {better}"
    return "is not a valid domain name; type one like example.com, without scheme, port or path"


def email_problem(email: str) -> str | None:
    """Return what makes the email address undeliverable."""
    mailbox, _, domain = email.rpartition("@")
    if MAILBOX.fullmatch(mailbox) and len(mailbox) <= 64 and not domain_problem(domain):
        return None
    return "is not a valid email address; type one like security@example.com"


CHECKS = {
    "project_name": name_problem,
    "project_slug": slug_problem,
    "description": lambda _: None,
    "domain_name": domain_problem,
    "author_name": name_problem,
    "author_email": email_problem,
}

if __name__ == "__main__":
    # A console that cannot show a character shows its code point.
    sys.stderr.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    found = list(problems())
    if found:
        sys.exit("\n".join(["Nothing was generated:", *(f"  {problem}" for problem in found)]))
