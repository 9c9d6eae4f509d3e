"""Copied into a project with the recipe of Markdown and the app `notes`."""

# Imports are those of the generated project.
# mypy: ignore-errors
# ruff: noqa: I001, INP001

import json
import re
import time
from html.parser import HTMLParser
from pathlib import Path

import pytest
from django.conf import settings
from django.template import Context, Template

from notes.templatetags.markdown import MAX_LENGTH, render_markdown
from secure_django.testing import Login
from notes.models import Note
from users.models import User

SCRIPT = "window.pwned=1"
ELEMENTS = {
    *("a", "blockquote", "br", "code", "em", "h2", "h3", "h4", "hr", "li", "ol", "p"),
    *("pre", "strong", "ul"),
}
RAW = [
    f"<script>{SCRIPT}</script>",
    f"<ScRiPt>{SCRIPT}</sCrIpT>",
    f"<script\n>{SCRIPT}</script\n>",
    f"<script/src=data:,{SCRIPT}></script>",
    f"<<script>{SCRIPT}//<</script>",
    f"<scr<script>ipt>{SCRIPT}</scr</script>ipt>",
    f"<img src=x onerror={SCRIPT}>",
    f"<img src=x onerror\n=\n'{SCRIPT}'>",
    f"<img src='x'onerror={SCRIPT}>",
    f"<img/src/onerror={SCRIPT}>",
    f'<img src="x` `<script>{SCRIPT}</script>"` `>',
    f"<svg onload={SCRIPT}>",
    f"<svg><script>{SCRIPT}</script></svg>",
    f"<svg><animate onbegin={SCRIPT} attributeName=x dur=1s>",
    f"<svg><a xlink:href=javascript:{SCRIPT}><text y=20>a</text></a></svg>",
    f"<math><mi xlink:href=javascript:{SCRIPT}>a</mi></math>",
    f"<math><mtext><table><mglyph><style><img src=x onerror={SCRIPT}>",
    f"<svg></p><style><a id='</style><img src=1 onerror={SCRIPT}>'>",
    f"<noscript><p title='</noscript><img src=x onerror={SCRIPT}>'>",
    f"<textarea><p title='</textarea><img src=x onerror={SCRIPT}>'>",
    f"<title><p title='</title><img src=x onerror={SCRIPT}>'>",
    f"<template><img src=x onerror={SCRIPT}></template>",
    f"<xmp><img src=x onerror={SCRIPT}></xmp>",
    f"<plaintext><img src=x onerror={SCRIPT}>",
    f"<!--<img src=x onerror={SCRIPT}>-->",
    f"<!--><img src=x onerror={SCRIPT}>-->",
    f"<![CDATA[<img src=x onerror={SCRIPT}>]]>",
    f"<?xml ?><img src=x onerror={SCRIPT}>",
    f"<body onload={SCRIPT}>",
    f"<details open ontoggle={SCRIPT}>",
    f"<input autofocus onfocus={SCRIPT}>",
    f"<video><source onerror={SCRIPT}>",
    f"<marquee onstart={SCRIPT}>",
    f"<iframe src=javascript:{SCRIPT}></iframe>",
    f"<iframe srcdoc='<script>parent.{SCRIPT}</script>'></iframe>",
    f"<object data=javascript:{SCRIPT}></object>",
    f"<embed src=javascript:{SCRIPT}>",
    f"<form action=javascript:{SCRIPT}><button>a</button></form>",
    "<form action=https://evil.example/><input name=password></form>",
    "<base href=https://evil.example/>",
    "<meta http-equiv=refresh content='0;url=https://evil.example/'>",
    "<link rel=stylesheet href=https://evil.example/a.css>",
    "<style>@import 'https://evil.example/a.css'</style>",
    "<p style='background:url(https://evil.example/)'>a</p>",
    "<p class=danger id=main>a</p>",
    f"<p onclick={SCRIPT}>a</p>",
    f"<a href=javascript:{SCRIPT}>a</a>",
    f'<a href="https://a.example" onmouseover={SCRIPT}>a</a>',
    "</article></main><h1>Log in again</h1>",
    "<button hx-get=/notes/ hx-trigger=load>a</button>",
]
TARGETS = [
    f"javascript:{SCRIPT}",
    f"JavaScript:{SCRIPT}",
    f"java%0ascript:{SCRIPT}",
    f"&#106;avascript:{SCRIPT}",
    f"&#x6A;avascript&colon;{SCRIPT}",
    f"javascript&#58;{SCRIPT}",
    f"java&Tab;script:{SCRIPT}",
    f"java&NewLine;script:{SCRIPT}",
    f"&#1;javascript:{SCRIPT}",
    f"\\javascript:{SCRIPT}",
    f"javascript://a.example/%0a{SCRIPT}",
    f"vbscript:{SCRIPT}",
    f"data:text/html,<script>{SCRIPT}</script>",
    f"data:text/html;base64,PHNjcmlwdD4={SCRIPT}",
    "data:image/svg+xml;base64,PHN2Zz4=",
    f"view-source:javascript:{SCRIPT}",
    f"blob:https://a.example/{SCRIPT}",
    f"feed:javascript:{SCRIPT}",
    "file:///etc/passwd",
    "ftp://a.example/",
    "tel:123",
    "intent://a#Intent;scheme=https;end",
    "/accounts/logout/",
    "accounts/logout/",
    "?next=/admin/",
    "#main",
    "//evil.example/",
    "\\\\evil.example/",
    "/\\evil.example/",
    "",
]
LINKS = [
    form.format(target)
    for target in TARGETS
    for form in (
        "[a]({})",
        "[a](<{}>)",
        '[a](<{}> "title")',
        "![a](<{}>)",
        "[![a](<{}>)](<{}>)".replace("{}", "{0}"),
        "<{}>",
        "[a]\n\n[a]: <{}>",
    )
]
BREAKING = [
    f'[a](https://a.example/"onmouseover="{SCRIPT})',
    f"[a](https://a.example/'onmouseover='{SCRIPT})",
    f'[a](https://a.example "title\\" onmouseover=\\"{SCRIPT}")',
    f"[a](https://a.example '\" onmouseover=\"{SCRIPT}')",
    f'<https://a.example/"onmouseover="{SCRIPT}>',
    f"[<img src=x onerror={SCRIPT}>](https://a.example)",
    f'![" onerror="{SCRIPT}](https://a.example/a.png)',
    f'```"><img src=x onerror={SCRIPT}>\na\n```',
    f"```js\n</code></pre><script>{SCRIPT}</script>\n```",
    f"`</code><script>{SCRIPT}</script>`",
    f"    </code></pre><script>{SCRIPT}</script>",
    f"<div>\n\n**a**\n\n<script>{SCRIPT}</script>",
    f"<p title='\n\n'><script>{SCRIPT}</script>",
    f"&lt;script&gt;{SCRIPT}&lt;/script&gt;",
    f"&amp;lt;script&amp;gt;{SCRIPT}",
    f"# <script>{SCRIPT}</script>",
    f"> <script>{SCRIPT}</script>",
    f"- <script>{SCRIPT}</script>",
    f"a\0<script>{SCRIPT}</script>",
    f"\u2028<script>{SCRIPT}</script>",
    f"＜script＞{SCRIPT}＜/script＞",
    "{{ settings.SECRET_KEY }}{% load static %}",
    "![a](https://evil.example/pixel.png)",
    "![a][b]\n\n[b]: https://evil.example/pixel.png",
]
CORPUS = RAW + LINKS + BREAKING
SLOW = [
    *("[", "![", "[]", "*", "*a_", "_a", "a**b", "**x", "`", "<", "<!--", "<a ", "&"),
    *("&#x", "\\", "> ", "- ", "1. ", "\t", "a@", "[a](", "[a](<", '[a](b "', "[x]["),
    *("[a]: ", "[](", "](", "|", "~~~\n", "a\n=", "<http:", "> > > > a\n", "- - - a\n"),
    *("[a]: /b\n[a]", '"', "<div>\n", "<x:", "\n", " ", "\u00a0"),
]


class Reader(HTMLParser):
    """What is in a page."""

    def __init__(self, html: str) -> None:
        """Read the page."""
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element."""
        self.elements.append((tag, dict(attrs)))


def check(html: str) -> None:
    """Refuse HTML with anything but the elements and attributes of the recipe."""
    for tag, attributes in Reader(html).elements:
        assert tag in ELEMENTS
        if tag != "a":
            assert attributes == {}
            continue
        assert attributes.keys() <= {"href", "title", "rel"}
        assert attributes["rel"] == "nofollow ugc noopener noreferrer"
        if "href" in attributes:
            assert re.match("https?://|mailto:", attributes["href"] or "")


def test_corpus_is_large() -> None:
    assert len(CORPUS) > 250


@pytest.mark.parametrize("text", CORPUS, ids=ascii)
def test_text_brings_nothing_but_formatting(text: str) -> None:
    html = render_markdown(text)
    check(html)
    assert "{{" not in text or "{{ settings" in html
    shown = Template("{{ text }}").render(Context({"text": html}))
    assert shown == html, "it is shown as HTML, and not escaped again"


def test_combined_texts_bring_nothing_but_formatting() -> None:
    """One text can begin what another one ends."""
    for first in CORPUS[::3]:
        for second in CORPUS[1::7]:
            for between in ("", "\n", "\n\n"):
                check(render_markdown(first + between + second))


def test_formatting_and_links_are_kept() -> None:
    html = render_markdown(
        "## Title\n\n1. *a*\n2. **b**\n\n> quote\n\n```js\na < b\n```\n---\n"
        '[site](https://a.example/?b=c&d=e "title") <ann@a.example> <http://a.example>'
    )
    for part in (
        "<h2>Title</h2>",
        "<em>a</em>",
        "<strong>b</strong>",
        "<blockquote>",
        "<pre><code>a &lt; b",
        "<hr>",
        'href="https://a.example/?b=c&amp;d=e" title="title"',
        'href="mailto:ann@a.example"',
        'href="http://a.example"',
    ):
        assert part in html
    check(html)


def test_long_text_is_escaped_and_stays_as_it_was_written() -> None:
    html = render_markdown("<script>" + "**a** " * MAX_LENGTH)
    assert html.startswith("<p>&lt;script&gt;**a** **a**")
    check(html)
    assert Template("{{ text }}").render(Context({"text": html})) == html


@pytest.mark.parametrize("part", SLOW, ids=ascii)
def test_text_takes_little_time_and_room(part: str) -> None:
    text = (part * MAX_LENGTH)[:MAX_LENGTH]
    started = time.process_time()
    html = render_markdown(text)
    assert time.process_time() - started < 2
    assert len(html) < 20 * MAX_LENGTH
    check(html)


def test_levels_of_elements_are_bounded() -> None:
    for part in ("> ", "- "):
        html = render_markdown(part * 4000 + "a")
        assert html.count("<blockquote>") + html.count("<ul>") < 25


@pytest.mark.django_db
def test_page_shows_the_text_and_keeps_it(login: Login, user: User) -> None:
    text = f"**a** <script>{SCRIPT}</script>"
    note = Note.objects.create(owner=user, title="<b>", text=text)
    client = login(user)
    page = client.get(note.get_absolute_url())
    assert f"<strong>a</strong> &lt;script&gt;{SCRIPT}" in page.text
    assert f"<script>{SCRIPT}" not in page.text
    assert "unsafe-inline" not in page.headers["Content-Security-Policy"]
    assert "**a** &lt;script&gt;" in client.get(f"{note.get_absolute_url()}edit/").text
    note.refresh_from_db()
    assert note.text == text


def test_pages_for_the_browser_are_written() -> None:
    """Leave the results to the template's test, which opens them in Chromium."""
    file = Path(settings.BASE_DIR) / "reports" / "markdown.json"
    file.parent.mkdir(exist_ok=True)
    file.write_text(json.dumps([render_markdown(text) for text in CORPUS]))
