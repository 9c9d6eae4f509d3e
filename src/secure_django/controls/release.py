"""The package's tests, as its release ran them: release.json."""

import json
from pathlib import Path
from typing import NamedTuple

FILE = Path(__file__).with_name("release.json")


class Release(NamedTuple):
    """Names of tests without parameters; those of the package begin with its name."""

    version: str
    suite: list[str]  # what runs in each project
    controls: dict[str, list[str]]  # what shows each control


def read_release() -> Release:
    return Release(**json.loads(FILE.read_text(encoding="utf-8")))
