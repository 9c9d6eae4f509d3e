"""The recipe of languages, applied as written.

The attacks are on the result, and on the cache of the emitted nginx.
"""

import re
import shutil
import time
from pathlib import Path

import pytest

from tests.support.baking import ALL_OFF, ALL_ON, Answers, name
from tests.support.proxying import serve_behind_nginx
from tests.support.recipes import Install, Installed, Recipe, marks

pytestmark = marks("languages")

RECIPE = Recipe("languages")


@pytest.mark.parametrize("answers", [ALL_ON, ALL_OFF], ids=name)
def test_languages_passes_every_check_resists_attacks_and_can_go(
    answers: Answers, install: Install, tmp_path: Path
) -> None:
    project = install(answers)
    with project.following("languages", RECIPE):
        if answers == ALL_OFF:
            ask_nginx(project, tmp_path / "served")


def ask_nginx(project: Installed, folder: Path) -> None:
    """Ask in two languages and with the cookie, while nginx keeps the page of each."""
    copy = shutil.copytree(
        project.folder,
        folder / "my-secure-site",
        ignore=shutil.ignore_patterns(".venv"),
    )
    state = folder / "state"
    state.mkdir()
    with serve_behind_nginx(copy, state) as site:
        german = {"Accept-Language": "de"}
        english = {"Accept-Language": "en"}
        chosen = german | {"Cookie": "__Host-language=en"}
        end = time.monotonic() + 4
        while time.monotonic() < end:
            for headers, expected in (
                (german, "de"),
                (english, "en"),
                (chosen, "en"),
                ({}, "en"),
            ):
                page = site.visitor().get("/", **headers)
                assert re.findall(r'<html lang="(\w+)"', page.text) == [expected]
                assert page.headers["Content-Language"] == expected
        assert "page from the cache" in (state / "access.log").read_text(
            encoding="utf-8"
        )
