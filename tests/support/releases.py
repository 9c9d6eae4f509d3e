"""Two releases of the template: the present one, and a next one made up for tests.

The next one changes the package too, and what it needs in a project.
"""

import re
from pathlib import Path

from tests.support.baking import PROMPTS, RAW, commit, run

RELEASE = PROMPTS["_version"]
NEXT = "99.0.0"
# Where projects look for the template.
URL: str = PROMPTS["_repository"]
SERVER, _, REPOSITORY = URL.rpartition("/")

# A file, a text that it holds exactly once, and the text that replaces it.
type Edit = tuple[str, str, str]

VENDOR = "vendor/secure-django"

# The team of test_updates.py edits this line as well.
IDLE_TIMEOUT = (
    "SESSION_COOKIE_AGE = 30 * 60  "
    "# seconds; the idle timeout (OWASP: 15 to 30 minutes)"
)

ACTION = "set `REPORT_EMAIL` → your address."
# A field of the package's AbstractUser comes with a migration of the project's own app.
NEW_MIGRATION = "users/migrations/0003_user_wants_news.py"
NEW_IN_FEATURE = "gallery/next.md"
NEW_IN_PACKAGE = f"{VENDOR}/src/secure_django/next.py"
GONE_FROM_PACKAGE = f"{VENDOR}/src/secure_django/docs/seams.md"
MIGRATION = """\
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("users", "0002_profile")]
    operations = [
        migrations.AddField(
            "user", "wants_news", models.BooleanField(default=False)
        ),
    ]
"""
# Changes of the files that a project gets, by their paths in the raw folder.
IN_PROJECT: list[Edit] = [
    ("config/settings.py", IDLE_TIMEOUT, "SESSION_COOKIE_AGE = 20 * 60"),
    (
        "config/settings.py",
        "UPLOADS_PER_HOUR = env.read",
        (
            'REPORT_EMAIL = env.read("REPORT_EMAIL", conf.sender)\n'
            "UPLOADS_PER_HOUR = env.read"
        ),
    ),
    (
        "tests/settings.py",
        "prepare(Path(__file__).parents[1])  # no developer's .env\n",
        (
            "prepare(\n"
            "    Path(__file__).parents[1],  # no developer's .env\n"
            '    REPORT_EMAIL="reports@example.com",\n'
            ")\n"
        ),
    ),
    (
        ".env.example",
        "\n# Required without DEBUG\n",
        "REPORT_EMAIL=\n\n# Required without DEBUG\n",
    ),
    (
        "gallery/SECURITY.md",
        "# Security of the gallery\n",
        "# Security of the gallery, next\n",
    ),
    (
        ".github/workflows/ci.yml",
        "    name: Style, imports",
        "    name: All style, imports",
    ),
]
# A page that a project gets a copy of.
PAGE: Edit = (
    "templates/base.html",
    '  <meta name="color-scheme"',
    '  <meta name="robots" content="noai">\n  <meta name="color-scheme"',
)
IN_PACKAGE: list[Edit] = [
    PAGE,
    (
        "login/models.py",
        "    is_active = models.BooleanField(",
        (
            "    wants_news = models.BooleanField(default=False)\n"
            "    is_active = models.BooleanField("
        ),
    ),
]

AUTHENTICATION = '    "django.contrib.auth.middleware.AuthenticationMiddleware",\n'
NEW_MIDDLEWARE = '    "django.middleware.http.ConditionalGetMiddleware",\n'
# One change of each other kind, of which the middleware has its place beside a team's.
OF_EACH_KIND: list[Edit] = [
    ("config/settings.py", AUTHENTICATION, AUTHENTICATION + NEW_MIDDLEWARE),
    ("settings.lock", AUTHENTICATION, AUTHENTICATION + NEW_MIDDLEWARE),
    ("settings.lock", "SESSION_COOKIE_AGE = 1800\n", "SESSION_COOKIE_AGE = 1200\n"),
    (
        "settings.lock",
        "ROOT_URLCONF",
        "REPORT_EMAIL = (REPORT_EMAIL)\nROOT_URLCONF",
    ),
    ("static/design.css", "--line: light-dark(#dde2de,", "--line: light-dark(#dde2df,"),
    ("Dockerfile", "UV_NO_CACHE=1 ", "UV_NO_CACHE=1 UV_NO_PROGRESS=1 "),
    ("deploy/site-web@.service", "RestartSec=2\n", "RestartSec=3\n"),
    ("docs/operations.md", "\n**Packages.** ", "\n**Packages, next.** "),
    ("README.md", "## Test, check, scan\n", "## Test, check and scan\n"),
]
PINNED_ACTION = re.compile(r"actions/checkout@[0-9a-f]{40} # v[\d.]+")
RAISED_ACTION = f"actions/checkout@{'0' * 40} # v99.0.0"


def change(project: Path, edits: list[Edit]) -> None:
    """Apply the edits; each must match exactly once."""
    for path, old, new in edits:
        before = (project / path).read_text(encoding="utf-8")
        assert before.count(old) == 1, f"{path}: {old}"
        (project / path).write_text(
            before.replace(old, new), encoding="utf-8", newline="\n"
        )


def publish(template: Path) -> None:
    """Create a repository of the template with a tag for its release."""
    commit(template, "Release")
    run(template, "git", "tag", f"v{RELEASE}")


def set_version(template: Path, version: str) -> None:
    """Give the template and its package another version, as in a release."""
    renumber(template, version)
    release = template / "src" / "secure_django" / "fixes" / "release.txt"
    release.write_text(f"{version}\n", encoding="utf-8", newline="\n")


def renumber(template: Path, version: str) -> None:
    """Give the template and its package another version, as a fork does."""
    numbers = {
        "cookiecutter.json": r'(?<="_version": ")[\d.]+',
        "pyproject.toml": r'(?m)(?<=^version = ")[\d.]+',
        f"{RAW}/pyproject.toml": r"(?<===)[\d.]+(?=\+vendored)",
        "src/secure_django/controls/release.json": r'(?<="version": ")[\d.]+',
    }
    for path, pattern in numbers.items():
        file = template / path
        text, count = re.subn(pattern, version, file.read_text(encoding="utf-8"))
        assert count, path
        file.write_text(text, encoding="utf-8", newline="\n")


def publish_next(template: Path) -> None:
    """Commit and tag the next release."""
    package = template / "src" / "secure_django"
    raw = template / RAW
    set_version(template, NEXT)
    entry = f"## {NEXT}, 2099-01-01\n\n**What to do:** {ACTION}\n\n"
    change(
        template,
        [("CHANGELOG.md", f"## {RELEASE}, ", f"{entry}## {RELEASE}, ")],
    )
    change(raw, IN_PROJECT)
    change(package, IN_PACKAGE)
    (raw / NEW_MIGRATION).write_text(MIGRATION, encoding="utf-8")
    (raw / NEW_IN_FEATURE).write_text("# Next\n", encoding="utf-8")
    (template / Path(NEW_IN_PACKAGE).relative_to(VENDOR)).touch()
    (template / Path(GONE_FROM_PACKAGE).relative_to(VENDOR)).unlink()
    commit(template, "Next release")
    run(template, "git", "tag", f"v{NEXT}")


def publish_everything(template: Path) -> None:
    """Commit and tag a next release that changes each kind of file of a project."""
    raw = template / RAW
    change(raw, OF_EACH_KIND)
    for workflow in (raw / ".github" / "workflows").iterdir():
        text = workflow.read_text(encoding="utf-8")
        raised = PINNED_ACTION.sub(RAISED_ACTION, text)
        workflow.write_text(raised, encoding="utf-8", newline="\n")
    publish_next(template)
