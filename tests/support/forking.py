"""Edits that an organization makes in its fork of the template."""

import json
import re
import shutil
from collections.abc import Callable, Mapping
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

from PIL import Image

from tests.support.baking import RAW, is_text
from tests.support.releases import Edit, change

FONT = b"wOF2\0\1\0\0" + bytes(range(256)) * 8
FONT_FACE = """\
@font-face {
  font-family: "Museum";
  src: url("museum.woff2") format("woff2");
  font-display: swap;
}

:root {
"""
PROVIDER = """\
        "APPS": [{"provider_id": "sso", "client_id": "site", "secret": OIDC_SECRET}],
"""
SINGLE_SIGN_ON: list[Edit] = [
    (
        "config/settings.py",
        '    "allauth.account",\n',
        (
            '    "allauth.account",\n'
            '    "allauth.socialaccount",\n'
            '    "allauth.socialaccount.providers.openid_connect",\n'
        ),
    ),
    (
        "users/admin.py",
        "from django.contrib import admin\n",
        (
            "from allauth.socialaccount.admin import "
            "SocialAccount, SocialApp, SocialToken\n"
            "from django.contrib import admin\n"
        ),
    ),
    (
        "users/admin.py",
        "admin.site.register(User, UserAdmin)\n",
        (
            "admin.site.register(User, UserAdmin)\n"
            "admin.site.unregister([SocialAccount, SocialApp, SocialToken])\n"
        ),
    ),
    (
        "config/settings.py",
        "UPLOADS_PER_HOUR = ",
        (
            'OIDC_SECRET = env.read("OIDC_SECRET", str, "")\n'
            "SOCIALACCOUNT_PROVIDERS = {\n"
            '    "openid_connect": {\n'
            f"{PROVIDER}"
            "    }\n"
            "}\n"
            "UPLOADS_PER_HOUR = "
        ),
    ),
    (
        ".env.example",
        "TIME_ZONE=UTC\n",
        (
            "TIME_ZONE=UTC\n"
            "# The site's secret at the OpenID Connect provider.\n"
            "OIDC_SECRET=\n"
        ),
    ),
]
RENOVATE = {
    "$schema": "https://docs.renovatebot.com/renovate-schema.json",
    "extends": ["config:recommended", "local>web/renovate-config"],
    "labels": ["dependencies"],
    "minimumReleaseAge": "14 days",
    "schedule": ["* 0-5 1 * *"],
    "packageRules": [{"matchManagers": ["pep621"], "groupName": "Python"}],
}
NEWSLETTER = """\
TIME_ZONE = env.read("TIME_ZONE", conf.time_zone, "UTC")
# % if cookiecutter.newsletter
NEWSLETTER_SENDER = f"newsletter@{DOMAIN_NAME}"
# % endif
"""
HEADER = """\
# Copyright The Museum
# SPDX-License-Identifier: EUPL-1.2

"""
NEW_APPS = "    # `poe app` names new apps above this line.\n"
PYTHON_DOTENV = '    "python-dotenv='
RULE: Edit = ("pyproject.toml", 'select = [\n    "E", ', 'select = [\n    "PIE", "E", ')
CHECK = "uv run poe check\n"
STEP = "uv run python -m compileall -q notes\n"
STEPS: list[Edit] = [
    (
        ".github/workflows/ci.yml",
        f"      - run: {CHECK}",
        f"      - run: {CHECK}      - run: {STEP}",
    ),
    (".gitlab-ci.yml", f"  script: {CHECK}", f"  script:\n    - {CHECK}    - {STEP}"),
]
# As CONTRIBUTING.md says: an app is in three lists.
LISTS_OF_APPS: list[Edit] = [
    ("config/settings.py", NEW_APPS, f'    "notes",\n{NEW_APPS}'),
    (
        "pyproject.toml",
        f'root_packages = [\n{NEW_APPS}    "config",\n',
        f'root_packages = [\n    "notes",\n{NEW_APPS}    "config",\n',
    ),
    (
        "pyproject.toml",
        f'layers = [\n    "config",\n{NEW_APPS}',
        f'layers = [\n    "config",\n    "notes",\n{NEW_APPS}',
    ),
    (
        "../secure_django_refusals.py",
        "    annotated-types ",
        "    notes\n    annotated-types ",
    ),
]
APP = {
    "__init__.py": "",
    "migrations/__init__.py": "",
    "migrations/0001_initial.py": """\
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True
    dependencies = []
    operations = [
        migrations.CreateModel(
            name="Note",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True,
                        primary_key=True,
                        serialize=False,
                        verbose_name="ID",
                    ),
                ),
                ("text", models.CharField(max_length=100)),
            ],
        ),
    ]
""",
    "models.py": """\
from django.db import models


class Note(models.Model):
    in_clear = {"text": "everyone reads it"}

    text = models.CharField(max_length=100)

    def __str__(self) -> str:
        return self.text
""",
    "tests/__init__.py": "",
    "tests/table.py": """\
# Nobody opens an object of this app: it has no pages.
ROWS = ""
""",
    "tests/test_notes.py": """\
from notes.models import Note


def test_note_is_shown_by_its_text() -> None:
    assert str(Note(text="First")) == "First"
""",
}
DEFAULTS = {
    "project_name": "Museum",
    "description": "A site of the museum.",
    "domain_name": "museum.example",
    "author_name": "The web team",
    "author_email": "web@museum.example",
    "gallery": False,
    "cloudinary_moderation": False,
    "auth_app": False,
    "ci_scanning": ["gitlab", "none", "github"],
    "deployment": ["platform", "server"],
}
TEXTS: list[Edit] = [
    (
        "README.md",
        "\n## Start\n",
        "\nThe web team helps: write to web@museum.example.\n\n## Start\n",
    ),
    (
        "../README.md",
        "\n## What comes out\n",
        "\nThis is the museum's template. Ask the web team.\n\n## What comes out\n",
    ),
]
INDEX = "https://packages.museum.example/simple/"
EXTRA: Edit = (
    "pyproject.toml",
    '    "secure-django[site]==',
    '    "secure-django[redis]=={version}+vendored",\n    "secure-django[site]==',
)
# What the hook and the documents say of the bots.
ROW_OF_RENOVATE = """\
    # On GitHub, Dependabot updates the same.
    ("ci_scanning", "gitlab", "none"): ["renovate.json"],
"""
ON_GITHUB_ALONE = '{% if cookiecutter.ci_scanning == "github" %}Dependabot{% endif %}'
ELSEWHERE = '{% if cookiecutter.ci_scanning != "github" %}Renovate{% endif %}'
LICENSE = "Copyright The Museum. Licensed under the EUPL 1.2.\n"
TAG = re.compile(r"\{% (if|else|endif)\b.*?%\}")
COLORS = {
    "--brand: light-dark(#1d6b59, #85d0bb)": "--brand: light-dark(#7a1f5c, #f0a6d4)",
    "--on-brand: light-dark(#ffffff, #0d2a23)": (
        "--on-brand: light-dark(#ffffff, #35091f)"
    ),
    "--radius: 0.5rem": "--radius: 0",
}


def edit_prompts(fork: Path, edit: Callable[[dict[str, Any]], object]) -> None:
    """Change cookiecutter.json."""
    path = fork / "cookiecutter.json"
    prompts = json.loads(path.read_text(encoding="utf-8"))
    edit(prompts)
    path.write_text(json.dumps(prompts, indent=2) + "\n", encoding="utf-8")


def add_font(fork: Path) -> None:
    """Add a font as docs/design.md of a project says."""
    raw = fork / RAW
    (raw / "static" / "museum.woff2").write_bytes(FONT)
    design = "static/design.css"
    policy = '    "img-src": [CSP.SELF, *PHOTO_HOSTS],\n'
    change(
        raw,
        [
            (design, ":root {\n", FONT_FACE),
            (design, "--sans: ", '--sans: "Museum", '),
            ("config/settings.py", policy, f'{policy}    "font-src": [CSP.SELF],\n'),
        ],
    )


def add_logo(fork: Path) -> None:
    """Add a PNG."""
    buffer = BytesIO()
    Image.radial_gradient("L").resize((64, 64)).save(buffer, "PNG")
    (fork / RAW / "static" / "logo.png").write_bytes(buffer.getvalue())
    design = "static/design.css"
    change(
        fork / RAW,
        [
            (design, "--logo: none", '--logo: url("logo.png")'),
            (design, "--logo-width: 0px", "--logo-width: 2.5rem"),
        ],
    )


def add_single_sign_on(fork: Path) -> None:
    """Configure a provider of OpenID Connect, with its package and its variable."""
    raw = fork / RAW
    change(raw, SINGLE_SIGN_ON)
    text = (raw / "pyproject.toml").read_text(encoding="utf-8")
    version = re.search(r'"django-allauth(~=[\d.]+)"', text)
    assert version, "the raw pyproject.toml does not pin django-allauth"
    first = '    "python-dotenv='
    package = f'    "django-allauth[socialaccount]{version[1]}",\n'
    change(raw, [("pyproject.toml", first, f"{package}{first}")])
    extras = "django-allauth[mfa,socialaccount]~="
    change(fork, [("pyproject.toml", "django-allauth[mfa]~=", extras)])


def replace_dependabot(fork: Path) -> None:
    """Let Renovate, configured from scratch, raise the pins of every project."""
    text = json.dumps(RENOVATE, indent=2) + "\n"
    for folder in (fork, fork / RAW):
        (folder / ".github" / "dependabot.yml").unlink()
        (folder / "renovate.json").write_text(text, encoding="utf-8")
    change(fork, [("hooks/post_gen_project.py", ROW_OF_RENOVATE, "")])
    bots = f"{ON_GITHUB_ALONE}{ELSEWHERE}"
    change(
        fork / RAW,
        [
            ("README.md", bots, "Renovate"),
            ("SECURITY.md", bots, "Renovate"),
            (".github/ci.md", "Dependabot raises", "Renovate raises"),
            (
                ".github/ci.md",
                (
                    " if *Dependabot security updates* are on under"
                    " *Settings > Advanced Security*"
                ),
                "",
            ),
        ],
    )


def pin_extra(fork: Path) -> None:
    """Choose an extra of the package for each project, in a line of its own."""
    path, old, new = EXTRA
    version = json.loads((fork / "cookiecutter.json").read_text("utf-8"))["_version"]
    change(fork / RAW, [(path, old, new.replace("{version}", version))])


def name_index(fork: Path) -> None:
    """Take the package from an index of the organization."""
    edit_prompts(fork, lambda prompts: prompts.update(_package=INDEX))


def add_app(fork: Path) -> None:
    """Add an app, a rule of Ruff, and a step of CI."""
    raw = fork / RAW
    change(raw, [RULE, *STEPS, *LISTS_OF_APPS])
    for path, text in APP.items():
        (raw / "notes" / path).parent.mkdir(parents=True, exist_ok=True)
        (raw / "notes" / path).write_text(text, encoding="utf-8")


def change_prompts(fork: Path) -> None:
    """Ask for one feature more, and one less."""
    add_prompt(fork)
    remove_prompt(fork)


def add_prompt(fork: Path) -> None:
    """Add a feature, which has a setting."""
    edit_prompts(fork, lambda prompts: prompts.update(newsletter=True))
    edit_prompts(
        fork, lambda prompts: prompts["__prompts__"].update(newsletter="Newsletter")
    )
    first_line, *_ = NEWSLETTER.splitlines(keepends=True)
    change(fork / RAW, [("config/settings.py", first_line, NEWSLETTER)])


def remove_prompt(fork: Path, prompt: str = "cloudinary_moderation") -> None:
    """Remove a feature: the prompt, its folder, and what the lists have for it.

    Only the gallery has a folder; the package keeps the apps of the others.
    """
    edit_prompts(fork, lambda prompts: prompts.pop(prompt))
    edit_prompts(fork, lambda prompts: prompts["__prompts__"].pop(prompt))
    hook = fork / "hooks" / "post_gen_project.py"
    text = hook.read_text(encoding="utf-8")
    row = re.compile(rf'^    \("{prompt}", True\): \["(.+)"\],\n', re.MULTILINE)
    for folder in row.findall(text):
        shutil.rmtree(fork / RAW / folder)
    hook.write_text(row.sub("", text), encoding="utf-8", newline="\n")
    for path in filter(is_text, (fork / RAW).rglob("*")):
        text = path.read_text(encoding="utf-8")
        path.write_text(without(prompt, text), encoding="utf-8", newline="\n")


def without(prompt: str, text: str) -> str:
    """Return a file as it is without a feature."""
    # The lines between two statements, and the blank lines that these would remove.
    with_feature = rf"^ *# % if cookiecutter\.{prompt}\n(?:.*\n)*?^ *# % endif\n\n*"
    text = re.sub(with_feature, "", text, flags=re.MULTILINE)
    others = rf"^# % if not cookiecutter\.{prompt}\n((?:.*\n)*?)^# % endif\n"
    text = re.sub(others, r"\1", text, flags=re.MULTILINE)
    # Parts of a sentence or of a table.
    for negation in ("", "not "):
        condition = f"{{% if {negation}cookiecutter.{prompt} %}}"
        while condition in text:
            before, _, rest = text.partition(condition)
            chosen, other, after = branches(rest)
            text = before + (chosen if negation else other) + after
    return text


def branches(text: str) -> tuple[str, str, str]:
    """Return what stands before and after `else`, and what follows `endif`."""
    parts = []
    start = 0
    depth = 0
    for tag in TAG.finditer(text):
        if tag[1] == "if":
            depth += 1
        elif depth == 0:
            parts.append(text[start : tag.start()])
            start = tag.end()
            if tag[1] == "endif":
                break
        elif tag[1] == "endif":
            depth -= 1
    chosen, other = parts if len(parts) == 2 else (*parts, "")
    return chosen, other, text[start:]


def add_headers(fork: Path) -> None:
    """Begin each Python file of the template with the license, and add its text."""
    (fork / RAW / "LICENSE").write_text(LICENSE, encoding="utf-8")
    files = [*(fork / RAW).rglob("*.py"), *(fork / "hooks").glob("*.py")]
    for path in files:
        text = path.read_text(encoding="utf-8")
        header = HEADER if text else HEADER.rstrip("\n") + "\n"
        path.write_text(header + text, encoding="utf-8", newline="\n")


def change_design(fork: Path) -> None:
    """Change the colors, and add a font and a logo."""
    edits = [("static/design.css", old, new) for old, new in COLORS.items()]
    change(fork / RAW, edits)
    add_font(fork)
    add_logo(fork)


def raise_python(fork: Path) -> None:
    """Leave out the oldest Python."""
    change(
        fork / RAW,
        [
            (
                "pyproject.toml",
                'requires-python = ">=3.12,',
                'requires-python = ">=3.13,',
            )
        ],
    )


def change_defaults(fork: Path) -> None:
    """Change the defaults of prompts, and texts."""
    edit_prompts(fork, lambda prompts: prompts.update(DEFAULTS))
    change(fork / RAW, TEXTS)


def set_repository(fork: Path) -> None:
    """Name the repository of the fork."""
    url = "https://git.museum.example/web/museum-django"
    edit_prompts(fork, lambda prompts: prompts.update(_repository=url))


class HouseEdit(NamedTuple):
    """An edit that organizations make: what CONTRIBUTING.md says, and what is red."""

    rows: tuple[str, ...]  # of the table under "Keep a fork"
    apply: Callable[[Path], object]
    failures: Mapping[str, str] = {}  # tests, and what the message of each says


DESIGN = "colors, a font, a logo, texts, the defaults of prompts"
HOUSE_EDITS = {
    "defaults of prompts, and texts": HouseEdit((DESIGN,), change_defaults),
    "a prompt more, and one less": HouseEdit(
        (
            "a prompt more",
            "a prompt less: `gallery`, `auth_app` or `cloudinary_moderation`",
        ),
        change_prompts,
    ),
    "Renovate in place of Dependabot": HouseEdit(
        ("a configuration of Renovate or Dependabot",),
        replace_dependabot,
        {
            "test_renovate_raises_the_pins_of_a_project": "renovate.json needs:",
            "test_renovate_raises_a_fix_of_the_package_at_once": (
                "renovate.json needs:"
            ),
        },
    ),
    "an extra pinned in a line of its own": HouseEdit(
        ("an extra of the package",), pin_extra
    ),
    "license headers": HouseEdit(("a license at the top of each file",), add_headers),
    "an own index": HouseEdit(("an index of your own",), name_index),
    "an own design": HouseEdit((DESIGN,), change_design),
    "single sign-on": HouseEdit(
        ("settings, such as those of single sign-on",),
        add_single_sign_on,
        {
            "test_names_of_dependencies_and_folders_are_rejected_as_slug": (
                "Add these names to TAKEN in secure_django_refusals.py: "
            ),
        },
    ),
    "another oldest Python": HouseEdit(
        ("another oldest or newest Python",),
        raise_python,
        {
            "test_every_file_names_the_same_versions_of_python": (
                "Write the same into:"
            ),
        },
    ),
    "an app, a rule of Ruff and a step of CI": HouseEdit(
        ("an app", "a rule of Ruff, a step of CI"), add_app
    ),
}
