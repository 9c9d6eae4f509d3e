"""Refuse answers that cannot work, each with one line that says what to type instead."""

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
# The engine would run this when the answers are replayed or the project is updated.
TEMPLATE_CODE = re.compile(r"\{[%#\{]|# %")
# Windows reserves these, with any extension.
DEVICES = {"con", "prn", "aux", "nul", *(f"{port}{number}" for port in ("com", "lpt") for number in range(10))}
# The project's own folders and every package it installs; a test compares this with what is installed.
TAKEN = set(
    """
    accounts config manage media reports scripts static templates test tests uploads users

    annotated-types argon2-cffi argon2-cffi-bindings asgiref ast-serialize attrs bandit certifi cffi
    charset-normalizer cloudinary colorama cryptography dj-database-url dj-email-url django django-allauth
    django-axes django-cache-url django-permissions-policy django-stubs django-stubs-ext environs fido2 gunicorn
    idna iniconfig jschema-to-python jsonpickle librt markdown-it-py marshmallow mdurl mypy mypy-extensions
    packaging pastel pathspec pbr pillow pluggy poethepoet pre-commit psycopg psycopg-binary pwned-passwords-django
    pycparser pygments pyjwt pytest pytest-django python-dotenv pyyaml qrcode redis requests rich ruff sarif-om six
    sqlparse stevedore types-pyyaml typing-extensions tzdata urllib3 whitenoise

    allauth argon2 axes dotenv environ jwt markdown_it nacl pil pip setuptools wheel yaml zizmor kingfisher-bin
    """.split()
)


def problems() -> Iterator[str]:
    """Say what is wrong, one line for each answer that cannot work."""
    for prompt, check in CHECKS.items():
        answer = ANSWERS[prompt]
        problem = refused_text(answer) or check(answer)
        if problem:
            yield f"{prompt}: {problem}"
    if any(Path(name).exists() for name in ("manage.py", ".env")):
        yield f"{Path.cwd().name}: holds a project already; type another project_slug, or update it with cruft"


def refused_text(answer: str) -> str | None:
    """Return why no answer can be like this."""
    if not answer.strip():
        return "is empty; type at least one word"
    if not answer.isprintable():
        return "holds a line break or an invisible character; type it without"
    if TEMPLATE_CODE.search(answer):
        return "holds template code; type it without braces"
    return None


def refused_name(name: str) -> str | None:
    """Return why the name cannot stand between double quotes, in Python as in TOML."""
    if '"' in name or "\\" in name:
        return "holds a double quote or a backslash; type it without"
    return None


def refused_slug(slug: str) -> str | None:
    """Return why no folder or no distribution can be called so."""
    letters = unicodedata.normalize("NFKD", slug.casefold()).encode("ascii", "ignore").decode()
    better = re.sub(r"[^a-z0-9]+", "-", letters)[:60].strip("-") or "secure-site"
    if not SLUG.fullmatch(slug):
        return f"is no distribution name in lower case; type {better}"
    if len(slug) > 64:
        return f"is longer than 64 characters; type {better}"
    if slug.partition(".")[0] in DEVICES:
        return f"is a device on Windows; type my-{better}"
    name = re.sub(r"[-._]", "_", slug)
    if name in sys.stdlib_module_names or name in {taken.replace("-", "_") for taken in TAKEN}:
        return f"is the name of something that the project uses; type my-{better}"
    return None


def refused_domain(domain: str) -> str | None:
    """Return why browsers and mail servers would not find this domain."""
    if DOMAIN.fullmatch(domain) and len(domain) <= 253:
        return None
    try:
        better = domain.lower().encode("idna").decode()
    except UnicodeError:
        better = domain
    if better != domain and DOMAIN.fullmatch(better):
        return f"is not written as servers write it; type {better}"
    return "is no domain name; type one like example.com, without scheme, port and path"


def refused_email(address: str) -> str | None:
    """Return why mail would not arrive."""
    mailbox, _, domain = address.rpartition("@")
    if MAILBOX.fullmatch(mailbox) and len(mailbox) <= 64 and not refused_domain(domain):
        return None
    return "is no e-mail address; type one like security@example.com"


CHECKS = {
    "project_name": refused_name,
    "project_slug": refused_slug,
    "description": lambda _: None,
    "domain_name": refused_domain,
    "author_name": refused_name,
    "author_email": refused_email,
}

if __name__ == "__main__":
    # A console that cannot show a character shows its number.
    sys.stderr.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    found = list(problems())
    if found:
        sys.exit("\n".join(["Nothing was generated:", *(f"  {problem}" for problem in found)]))
