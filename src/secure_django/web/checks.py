"""A system check of the templates that a project has copied from the package."""

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.apps import apps
from django.conf import settings
from django.core.checks import CheckMessage, Tags, Warning, register

# The first line of a copy has the beginning of the hash of its original.
ORIGINAL = re.compile(rb"\{# original: ([0-9a-f]{12}) #\}")
# Pages, and texts of emails.
ENDINGS = {".html", ".txt"}


@register(Tags.templates)
def check_copied_templates(**kwargs: Any) -> list[CheckMessage]:
    """Report copies whose original has changed since, as an update can do."""
    return [
        message
        for options in settings.TEMPLATES
        for folder in options.get("DIRS", ())
        for path in sorted(Path(folder).rglob("*.*"))
        if path.suffix in ENDINGS
        for message in check_copy(path, path.relative_to(folder))
    ]


def check_copy(path: Path, name: Path) -> Iterator[CheckMessage]:
    match = ORIGINAL.match(path.read_bytes())
    if not match:
        return
    recorded = match[1].decode()
    original = find_original(name)
    if original is None:
        yield Warning(
            f"{path} is a copy of a template that no app has any more.",
            hint="Remove the comment at its start, or the file if no page uses it.",
            id="secure_django.W302",
        )
        return
    present = hash_original(original)
    if present != recorded:
        yield Warning(
            f"{path} is a copy of a template that has changed.",
            hint=(
                f"Compare it with {original}. Then make its first line"
                f" {{# original: {present} #}}."
            ),
            id="secure_django.W301",
        )


def find_original(name: Path) -> Path | None:
    """Return the template of this name in the first app that has it."""
    for app in apps.get_app_configs():
        path = Path(app.path, "templates", name)
        if path.is_file():
            return path
    return None


def hash_original(path: Path) -> str:
    # Git can have changed the line ends on Windows.
    content = path.read_bytes().replace(b"\r\n", b"\n")
    return hashlib.sha256(content).hexdigest()[:12]
