"""The work of a team on its project, as updates and switches of features find it.

Two apps, and an edit of each kind of file, at the places where teams insert lines: at
the end of a list, beside the entry that theirs is about, and where `uv add` writes.
"""

import re
from pathlib import Path
from typing import NamedTuple

from tests.support.baking import run
from tests.support.releases import Edit, change

POE = ("poe", "--quiet", "--executor", "simple")
APPS = {
    "events": ("start:date", "price:number", "cover:photo", "remarks:text"),
    "rooms": ("seats:number", "open_to_all:yesno", "cover:photo"),
}
# Files of the team beside those of its apps.
FILES = {
    "config/hours.py": """\
OPEN_HOURS = {"monday": "", "tuesday": "10-18"}


def main() -> None:
    print(OPEN_HOURS)


if __name__ == "__main__":
    main()
""",
    "config/middleware.py": """\
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

type Answer = Callable[[HttpRequest], HttpResponse]


def add_header(get_response: Answer) -> Answer:
    def answer(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        response["X-Team"] = "museum"
        return response

    return answer


def add_user(get_response: Answer) -> Answer:
    def answer(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        response["X-Known"] = str(request.user.is_authenticated)
        return response

    return answer
""",
    "config/validators.py": """\
from django.core.exceptions import ValidationError


class NoCityValidator:
    def validate(self, password: str, user: object = None) -> None:
        if "zurich" in password.lower():
            raise ValidationError("Not our city.")

    def get_help_text(self) -> str:
        return "Do not use the name of our city."
""",
    "static/museum.css": ".museum { color: var(--ink); }\n",
    "templates/about.html": '{% extends "base.html" %}\n',
    "templates/imprint.html": '{% extends "base.html" %}\n',
    "docs/our-rules.md": "# Our rules\n",
    "docs/who-is-on-call.md": "# Who is on call\n",
    "tests/test_museum.py": """\
from config.hours import OPEN_HOURS


def test_museum_is_closed_on_mondays() -> None:
    assert OPEN_HOURS["monday"] == ""
""",
}
SETTINGS = "config/settings.py"


class Insertion(NamedTuple):
    """A line of the team, and the pattern after whose only match it stands."""

    path: str
    after: str
    line: str


def last_in(name: str) -> str:
    """Return a pattern of a list in code, up to its last entry."""
    return rf"(?m)^{name} = \[\n(?:[ #].*\n)+"


INSERTIONS = [
    Insertion(SETTINGS, last_in("INSTALLED_APPS"), '    "django.contrib.sitemaps",\n'),
    Insertion(SETTINGS, last_in("MIDDLEWARE"), '    "config.middleware.add_header",\n'),
    Insertion(
        SETTINGS,
        last_in("AUTH_PASSWORD_VALIDATORS"),
        '    {"NAME": "config.validators.NoCityValidator"},\n',
    ),
    Insertion(
        SETTINGS,
        r'"django.contrib.auth.middleware.AuthenticationMiddleware",\n',
        '    "config.middleware.add_user",\n',
    ),
    Insertion(SETTINGS, r'"allauth.account",\n', '    "django.contrib.syndication",\n'),
    Insertion(
        SETTINGS, r'number\(1\), "30"\)  # per user\n', "MUSEUM_HOURS = OPEN_HOURS\n"
    ),
    Insertion(
        SETTINGS,
        r"from secure_django.conf import env, number\n",
        "from config.hours import OPEN_HOURS\n",
    ),
    Insertion(
        "config/urls.py",
        r"from django.urls import include, path\n",
        "from django.views.generic import TemplateView\n",
    ),
    Insertion(
        "config/urls.py",
        r"urlpatterns = \[\n",
        '    path("about/", TemplateView.as_view(template_name="about.html")),\n',
    ),
    Insertion(
        "events/tests/table.py",
        r'ROWS = """\n',
        "/about/ log-in 200 200 200 200\n",
    ),
    Insertion(
        "templates/base.html",
        r"{% static 'site.css' %}\">\n",
        """  <link rel="stylesheet" href="{% static 'museum.css' %}">\n""",
    ),
    Insertion(
        "templates/home.html",
        r"project_description }}</p>\n",
        '  <p class="museum">Open daily.</p>\n',
    ),
    Insertion("templates/account/login.html", r"\Z", "{# Our log-in. #}\n"),
    Insertion("static/design.css", r"--logo-width: 0px;\n", "  --museum: red;\n"),
    Insertion("Dockerfile", r"WORKDIR /app\nUSER 10001:10001\n", "ENV MUSEUM=yes\n"),
    Insertion("pyproject.toml", last_in("dependencies"), '    "whoosh==2.7.4",\n'),
    Insertion("pyproject.toml", r'"django~=[\d.]+",\n', '    "django-filter==25.2",\n'),
    Insertion(
        "pyproject.toml", r'"pytest-xdist==.+\n', '    "pytest-randomly==4.0",\n'
    ),
    Insertion(
        "pyproject.toml",
        r'"secure-django\[guard\].+\n',
        '    "types-docutils==0.22",\n',
    ),
    Insertion("pyproject.toml", r'"redis==[\d.]+",\n', '    "sqlparse==0.5.5",\n'),
    Insertion(
        "pyproject.toml",
        r"(?m)^include_script = .+\n",
        'tasks.museum = "python -m config.hours"\n',
    ),
    Insertion(".gitignore", r"/staticfiles/\n", "/exports/\n"),
    Insertion(".gitignore", r"# Data\n", "/audio/\n"),
    Insertion(".dockerignore", r"\n!/scans/bytecode\.py\n", "/exports\n"),
    Insertion(".dockerignore", r"/staticfiles\n", "/exports-of-today\n"),
    Insertion(".env.example", r"MODERATION_STUCK_HOURS=24\n", "MUSEUM_KEY=\n"),
    Insertion(".env.example", r"\nDATABASE_URL=\n", "# MUSEUM_DATABASE_URL=\n"),
    Insertion(".env.example", r"\nDEFAULT_FROM_EMAIL=.*\n", "# MUSEUM_URL=\n"),
    Insertion(
        "README.md",
        r"the user model, for fields of your own \|\n",
        "| `events/` | our events |\n",
    ),
    Insertion(
        "README.md",
        r"merges a new release of the template, .+\n",
        "| `uv run poe museum` | opens the museum |\n",
    ),
    Insertion("README.md", r"\Z", "\n## Ours\n\nOur own words.\n"),
    Insertion("README.md", r"\| `tests/` .+\n", "| `museum/` | our museum |\n"),
    Insertion("README.md", r"\| \[AGENTS.md\].+\n", "| docs/our-rules.md | ours |\n"),
    Insertion("AGENTS.md", r"\| make an app .+\n", "| open the museum | `x` |\n"),
    Insertion("AGENTS.md", r"\Z", "\n## Ours\n\nOur own rules.\n"),
    Insertion("SECURITY.md", r"and no account to share\.\n", "- Lock the museum.\n"),
    Insertion("SECURITY.md", r"\Z", "\n## Ours\n\nOur own promises.\n"),
    Insertion("users/models.py", r'Add your fields here\."""\n', "\n    # Ours.\n"),
    Insertion("compose.yaml", r"    - email_url\n", "    - museum_key\n"),
    Insertion(
        "compose.yaml",
        r"EMAIL_URL_FILE: /run/secrets/email_url\n",
        "    MUSEUM_KEY_FILE: /run/secrets/museum_key\n",
    ),
    Insertion(
        "compose.yaml",
        r"(?m)^  email_url: .+\n",
        "  museum_key: { file: secrets/museum_key }\n",
    ),
    Insertion(
        ".github/workflows/ci.yml",
        r"- run: uv run poe check\n",
        "      - run: uv run poe museum\n",
    ),
    Insertion(
        ".gitlab-ci.yml",
        r"script: uv run poe check\n",
        "\nmuseum:\n  script: uv run poe museum\n",
    ),
    Insertion("renovate.json", r"\A{\n", '  "timezone": "Europe/Zurich",\n'),
    Insertion(".pre-commit-config.yaml", r"\Z", "# Our own hooks.\n"),
]
# Lines that the team changed in place.
CHANGED: list[Edit] = [
    (SETTINGS, 'conf.time_zone, "UTC"', 'conf.time_zone, "Europe/Zurich"'),
    (SETTINGS, "[CSP.SELF, *PHOTO_HOSTS]", '[CSP.SELF, *PHOTO_HOSTS, "tiles.example"]'),
    ("static/design.css", "--radius: 0.5rem;", "--radius: 0.25rem;"),
]


def insert(project: Path, insertion: Insertion) -> None:
    """Write a line of the team into a file, at its only place."""
    path, after, line = insertion
    text = (project / path).read_text(encoding="utf-8")
    matches = list(re.finditer(after, text))
    assert len(matches) == 1, f"{path}: {after}"
    end = matches[0].end()
    written = text[:end] + line + text[end:]
    (project / path).write_text(written, encoding="utf-8", newline="\n")


def work_for_months(project: Path) -> None:
    """Make the apps and files, and edit what this project has."""
    for app, fields in APPS.items():
        run(project, *POE, "app", app, *fields, "--admin")
    for path, text in FILES.items():
        (project / path).write_text(text, encoding="utf-8")
    change(project, CHANGED)
    for insertion in INSERTIONS:
        if (project / insertion.path).is_file():
            insert(project, insertion)
    run(project, *POE, "settings-lock")
