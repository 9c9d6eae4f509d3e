"""What keeps a project's parts fresh: dated images, and a cooldown for releases."""

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.baking import FORK_TABLE, OTHER_BOT, RAW, ROOT

# Security fixes of these packages are not delayed.
AT_ONCE = {"cryptography", "django", "django-allauth", "pillow", "secure-django"}
# A fork may wait longer.
SHORTEST_COOLDOWN = 7  # days
AGE = "minimumReleaseAge"  # of Renovate
DEPENDABOT = ".github/dependabot.yml"
RENOVATE = "renovate.json"
ROW_OF_BOTS = f"{FORK_TABLE}a configuration of Renovate or Dependabot"
SPAN = re.compile(r"(\d+) days?")
# The version of uv in the image; test_pins.py compares it with the others.
DOCKERFILE = (ROOT / RAW / "Dockerfile").read_text(encoding="utf-8")
UV = re.findall(r"astral-sh/uv:([\d.]+)", DOCKERFILE)[0]


def images(folder: Path) -> dict[str, str]:
    """Return every image that a file names, with the file."""
    expressions = {
        "Dockerfile": r"^FROM (\S+)|--from=(\S+/\S+)",
        "*.y*ml": r"^ *image: +(\S+)|services: \[(.+?)\]",
    }
    files_of_images = {}
    for pattern, expression in expressions.items():
        for file in folder.rglob(pattern):
            text = file.read_text(encoding="utf-8")
            for groups in re.findall(expression, text, re.MULTILINE):
                for image in "".join(groups).split(", "):
                    files_of_images[image] = file.relative_to(folder).as_posix()
    return files_of_images


def undated_images(folder: Path) -> list[str]:
    """Return the images without a version, except the one built from the project."""
    with_version = re.compile(r"[^:]+:v?\d[^:@]*(@sha256:[0-9a-f]{64})?")
    own_image = '"my-secure-site:${RELEASE:-latest}"'
    return [
        f"{file}: {image}"
        for image, file in images(folder).items()
        if image != own_image and not with_version.fullmatch(image)
    ]


def has_bot(folder: Path, configuration: str) -> bool:
    """Return whether a bot raises the pins of a folder: a fork chooses which one."""
    found = [path for path in (DEPENDABOT, RENOVATE) if (folder / path).is_file()]
    assert len(found) == 1, (
        f"One of {DEPENDABOT} and {RENOVATE} raises the pins of a project, and not"
        f" {len(found)} of them.\n{ROW_OF_BOTS}"
    )
    return found == [configuration]


def need_bot(folder: Path, configuration: str) -> None:
    """Skip the test if the fork has the other bot there."""
    if not has_bot(folder, configuration):
        pytest.skip(f"{OTHER_BOT}{configuration}")


def read_dependabot(folder: Path) -> dict[str, Any]:
    """Return the configuration of Dependabot, or skip the test without it."""
    need_bot(folder, DEPENDABOT)
    text = (folder / DEPENDABOT).read_text(encoding="utf-8")
    config: dict[str, Any] = yaml.safe_load(text)
    return config


def read_renovate(folder: Path) -> dict[str, Any]:
    """Return the configuration of Renovate, or skip the test without it."""
    need_bot(folder, RENOVATE)
    text = (folder / RENOVATE).read_text(encoding="utf-8")
    config: dict[str, Any] = json.loads(text)
    return config


def is_cooldown(span: object) -> bool:
    """Return whether a span, such as `7 days`, is long enough."""
    match = SPAN.fullmatch(str(span))
    return match is not None and int(match[1]) >= SHORTEST_COOLDOWN


def cooldowns(folder: Path) -> list[str]:
    """Return each file that takes new releases at once."""
    problems = []
    dependabot = folder / DEPENDABOT
    renovate = folder / RENOVATE
    metadata = folder / "pyproject.toml"
    if dependabot.is_file():
        config = yaml.safe_load(dependabot.read_text(encoding="utf-8"))
        updates: list[dict[str, Any]] = config["updates"]
        problems += [
            f"{dependabot.name}: {update['package-ecosystem']} in {update['directory']}"
            for update in updates
            if not is_cooldown(f"{update.get('cooldown', {}).get('default-days')} days")
        ]
    if renovate.is_file():
        config = json.loads(renovate.read_text(encoding="utf-8"))
        parts = [config, *config.get("packageRules", [])]
        ages = [part[AGE] for part in parts if AGE in part]
        if AGE not in config or not all(map(is_cooldown, ages)):
            problems.append(renovate.name)
    uv = tomllib.loads(metadata.read_text(encoding="utf-8"))["tool"]["uv"]
    exceptions = {
        package
        for package, span in uv.get("exclude-newer-package", {}).items()
        if not is_cooldown(span)
    }
    if not is_cooldown(uv.get("exclude-newer")) or exceptions - AT_ONCE:
        problems.append(metadata.name)
    return problems
