"""Edits that an organization makes in its fork of the template."""

import json
import re
import shutil
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

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


def configure_renovate(fork: Path) -> None:
    """Write a configuration of Renovate from scratch."""
    text = json.dumps(RENOVATE, indent=2) + "\n"
    (fork / RAW / "renovate.json").write_text(text, encoding="utf-8")


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
    """Begin each Python file with the license."""
    for path in (fork / RAW).rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        header = HEADER if text else HEADER.rstrip("\n") + "\n"
        path.write_text(header + text, encoding="utf-8", newline="\n")


def change_colors(fork: Path) -> None:
    """Change the colors."""
    edits = [("static/design.css", old, new) for old, new in COLORS.items()]
    change(fork / RAW, edits)


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


def change_domain(fork: Path) -> None:
    """Change the domain."""
    edit_prompts(fork, lambda prompts: prompts.update(domain_name="museum.example"))


def set_repository(fork: Path) -> None:
    """Name the repository of the fork."""
    url = "https://git.museum.example/web/museum-django"
    edit_prompts(fork, lambda prompts: prompts.update(_repository=url))


EDITS_OF_A_FORK = [
    add_font,
    add_logo,
    add_single_sign_on,
    configure_renovate,
    add_prompt,
    remove_prompt,
    add_headers,
    change_colors,
    raise_python,
    change_domain,
]
