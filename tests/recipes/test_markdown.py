"""The recipe of Markdown, applied as written, and attacks on it, in Chromium too."""

import json

import pytest
from playwright.sync_api import Browser

from tests.support.baking import ALL_OFF, ALL_ON, Answers, name
from tests.support.recipes import Install, Installed, Recipe, marks

pytestmark = marks("markdown")

RECIPE = Recipe("markdown")
ELEMENTS = {
    *("A", "BLOCKQUOTE", "BR", "CODE", "EM", "H2", "H3", "H4", "HR", "LI", "OL", "P"),
    *("PRE", "STRONG", "UL"),
}
SEEN = """() => [...document.querySelectorAll("article *")].map((element) =>
  [element.tagName, element.getAttributeNames(), element.protocol ?? ""])"""


@pytest.mark.parametrize("answers", [ALL_ON, ALL_OFF], ids=name)
def test_markdown_passes_every_check_resists_attacks_and_can_go(
    answers: Answers, install: Install, browser: Browser
) -> None:
    project = install(answers, "notes")
    with project.following("markdown", RECIPE):
        if answers == ALL_OFF:
            look(project, browser)


def look(project: Installed, browser: Browser) -> None:
    """Open the texts in Chromium, without the Content-Security-Policy of the site.

    Nothing runs, nothing is requested, and each link leads to another site.
    """
    file = project.folder / "reports" / "markdown.json"
    texts = json.loads(file.read_text(encoding="utf-8"))
    assert len(texts) > 250
    page = browser.new_page()
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    for text in texts:
        page.set_content(f"<!doctype html><main><article>{text}</article></main>")
        for element, attributes, protocol in page.evaluate(SEEN):
            assert element in ELEMENTS, text
            assert set(attributes) <= {"href", "rel", "title"}, text
            assert protocol in {"", ":", "http:", "https:", "mailto:"}, text
        assert page.evaluate("document.body.children.length") == 1, text
        assert page.evaluate("window.pwned") is None, text
    assert requests == []
    page.close()
