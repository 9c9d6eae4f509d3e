"""Two releases of the template: the present one, and a next one made up for tests."""

from pathlib import Path

from tests.support.baking import PROMPTS, RAW, commit, run

RELEASE = PROMPTS["_version"]
NEXT = "99.0.0"
# Where projects look for the template.
URL: str = PROMPTS["_repository"]
SERVER, _, REPOSITORY = URL.rpartition("/")

# A file, a text that it holds exactly once, and the text that replaces it.
type Edit = tuple[str, str, str]

# The team of test_updates.py edits this line as well.
IDLE_TIMEOUT = (
    "SESSION_COOKIE_AGE = 30 * 60  "
    "# seconds; the idle timeout (OWASP: 15 to 30 minutes)"
)

ACTION = "set `REPORT_EMAIL` → your address."
NEW_MIGRATION = "uploads/migrations/0002_photo_views.py"
NEW_IN_FEATURE = "accounts/next.md"
MIGRATION = """\
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("uploads", "0001_initial")]
    operations = [
        migrations.AddField("photo", "views", models.PositiveIntegerField(default=0)),
    ]
"""
NEXT_RELEASE: list[Edit] = [
    ("../cookiecutter.json", f'"_version": "{RELEASE}"', f'"_version": "{NEXT}"'),
    (
        "../CHANGELOG.md",
        f"## {RELEASE}, ",
        f"## {NEXT}, 2099-01-01\n\n**What to do:** {ACTION}\n\n## {RELEASE}, ",
    ),
    ("config/settings.py", IDLE_TIMEOUT, "SESSION_COOKIE_AGE = 20 * 60"),
    (
        "config/settings.py",
        "CSP_REPORT_ONLY = env.read",
        'REPORT_EMAIL = env.read("REPORT_EMAIL", str)\nCSP_REPORT_ONLY = env.read',
    ),
    (
        "core/tests/settings.py",
        '    "EMAIL_URL": ',
        '    "REPORT_EMAIL": "reports@example.com",\n    "EMAIL_URL": ',
    ),
    (
        ".env.example",
        "\n# Required without DEBUG\n",
        "REPORT_EMAIL=\n\n# Required without DEBUG\n",
    ),
    (
        "templates/base.html",
        '  <meta name="color-scheme"',
        '  <meta name="robots" content="noai">\n  <meta name="color-scheme"',
    ),
    ("accounts/README.md", "# Accounts\n", "# Accounts, next\n"),
    (
        ".github/workflows/ci.yml",
        "    name: Style, imports",
        "    name: All style, imports",
    ),
    (
        "uploads/models.py",
        "    has_files = models.BooleanField(",
        (
            "    views = models.PositiveIntegerField(default=0)\n"
            "    has_files = models.BooleanField("
        ),
    ),
]


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


def publish_next(template: Path) -> None:
    """Commit and tag the next release."""
    change(template / RAW, NEXT_RELEASE)
    (template / RAW / NEW_MIGRATION).write_text(MIGRATION, encoding="utf-8")
    (template / RAW / NEW_IN_FEATURE).write_text("# Next\n", encoding="utf-8")
    commit(template, "Next release")
    run(template, "git", "tag", f"v{NEXT}")
