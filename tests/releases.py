"""Two releases of the template: the one that is here, and a next one that changes what most releases will."""

from pathlib import Path

from tests.baking import PROMPTS, RAW, commit, run

RELEASE, NEXT = PROMPTS["_version"], "99.0.0"

# An edit: the file, what stands in it once, and what takes its place.
type Edit = tuple[str, str, str]

# Where the team of test_updates.py edits too.
RESET_TIMEOUT = "PASSWORD_RESET_TIMEOUT = 3600"

NEW_MIGRATION = "uploads/migrations/0002_photo_views.py"
MIGRATION = """\
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("uploads", "0001_initial")]
    operations = [migrations.AddField("photo", "views", models.PositiveIntegerField(default=0))]
"""
NEXT_RELEASE: list[Edit] = [
    ("../cookiecutter.json", f'"_version": "{RELEASE}"', f'"_version": "{NEXT}"'),
    ("config/settings.py", RESET_TIMEOUT, "PASSWORD_RESET_TIMEOUT = 2400"),
    (
        "config/settings.py",
        "CSP_REPORT_ONLY = env.bool",
        'REPORT_ADDRESS = env.str("REPORT_ADDRESS")\nCSP_REPORT_ONLY = env.bool',
    ),
    (
        "config/tests/settings.py",
        '    "EMAIL_URL": ',
        '    "REPORT_ADDRESS": "reports@example.com",\n    "EMAIL_URL": ',
    ),
    (".env.example", "\n# Required without DEBUG\n", "REPORT_ADDRESS=\n\n# Required without DEBUG\n"),
    (
        "templates/base.html",
        '  <meta name="color-scheme"',
        '  <meta name="robots" content="noai">\n  <meta name="color-scheme"',
    ),
    (
        "uploads/models.py",
        "    has_bytes = models.BooleanField(",
        "    views = models.PositiveIntegerField(default=0)\n    has_bytes = models.BooleanField(",
    ),
]


def change(project: Path, edits: list[Edit]) -> None:
    """Make the edits; one that does not fit is a bug."""
    for path, old, new in edits:
        before = (project / path).read_text(encoding="utf-8")
        assert before.count(old) == 1, f"{path}: {old}"
        (project / path).write_text(before.replace(old, new), encoding="utf-8", newline="\n")


def publish(template: Path) -> None:
    """Make a folder with the template a repository, its release a tag."""
    commit(template, "Release")
    run(template, "git", "tag", f"v{RELEASE}")


def publish_next(template: Path) -> None:
    """Add the next release to the repository."""
    change(template / RAW, NEXT_RELEASE)
    (template / RAW / NEW_MIGRATION).write_text(MIGRATION, encoding="utf-8")
    commit(template, "Next release")
    run(template, "git", "tag", f"v{NEXT}")
