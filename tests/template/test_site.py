"""The site of documents: links, menu, search, and requests to other hosts."""

import json
import os
import re
import subprocess
import threading
from dataclasses import dataclass, field
from functools import partial
from html.parser import HTMLParser
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

import pytest
from playwright.sync_api import Browser, Request, expect

from tests.support.baking import ROOT, Once, run
from tests.support.browsing import AXE
from website import versions
from website.__main__ import build, run_generator
from website.links import BrokenLinkError, Writer
from website.pages import SERVER, Page, Roots, check_places, find_place, read_sections

NAMES = ROOT / "tests" / "public_names.txt"
# Documents of this repository that are no page: people read them beside the code.
BESIDE_CODE = {
    ".github/pull_request_template.md",
    "CONTRIBUTING.md",  # with drawings, for which the theme would ask another host
    "tests/README.md",
}
# Of the package, or of a project.
OF_PACKAGE = "src/secure_django/"
OF_PROJECT = "{{cookiecutter.project_slug}}/"
NO_PAGE_OF_PROJECT = {"deploy/locations/README.md", "gallery/SECURITY.md"}


@dataclass
class Document:
    """What a page of the built site has."""

    links: list[str] = field(default_factory=list)
    menu: list[str] = field(default_factory=list)
    loads: list[str] = field(default_factory=list)
    anchors: set[str] = field(default_factory=set)
    policy: str = ""


class Reader(HTMLParser):
    """Read a page."""

    def __init__(self) -> None:
        """Begin with nothing."""
        super().__init__()
        self.document = Document()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep links, anchors, and what the browser loads."""
        values = {key: value or "" for key, value in attrs}
        if "id" in values:
            self.document.anchors.add(values["id"])
        if tag == "a" and "href" in values:
            self.document.links.append(values["href"])
            if "md-nav__link" in values.get("class", ""):
                self.document.menu.append(values["href"])
        if "src" in values:
            self.document.loads.append(values["src"])
        if tag == "link" and values.get("rel") not in {"canonical", "prev", "next"}:
            self.document.loads.append(values["href"])
        if values.get("http-equiv") == "Content-Security-Policy":
            self.document.policy = values["content"]


def read_page(file: Path) -> Document:
    reader = Reader()
    reader.feed(file.read_text(encoding="utf-8"))
    return reader.document


@pytest.fixture(scope="session")
def built(once: Once) -> Path:
    """Return the folder of the built site."""
    return once("website", build)


@pytest.fixture(scope="session")
def documents(built: Path) -> dict[Path, Document]:
    """Return each page but that of a missing page, whose links begin with the host."""
    files = [file for file in built.rglob("*.html") if file.name != "404.html"]
    return {file: read_page(file) for file in files}


@pytest.fixture
def roots(tmp_path: Path) -> Roots:
    """Return folders with one page, in place of this repository and two projects."""
    for name in ("repository/docs", "server/docs", "platform/docs"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "repository/docs/page.md").write_text("# Page\n", encoding="utf-8")
    (tmp_path / "server/docs/page.md").write_text("# Page\n", encoding="utf-8")
    (tmp_path / "server/manage.py").touch()
    folders = [tmp_path / name for name in ("repository", "server", "platform")]
    return Roots(*folders)


def find_target(file: Path, path: str) -> Path:
    """Return the file that a link of a page leads to."""
    if not path:
        return file
    target = Path(os.path.normpath(file.parent / unquote(path)))
    return target / "index.html" if target.is_dir() else target


def test_links_of_the_site_lead_somewhere(documents: dict[Path, Document]) -> None:
    broken = []
    for file, document in documents.items():
        for link in document.links:
            url = urlsplit(link)
            if url.scheme:
                continue
            target = find_target(file, url.path)
            anchor = unquote(url.fragment)
            if not target.is_file():
                broken.append((file.parent.name, link))
            elif anchor and target in documents:
                if anchor not in documents[target].anchors:
                    broken.append((file.parent.name, link))
    assert not broken


def test_every_page_is_in_the_menu(
    built: Path, documents: dict[Path, Document]
) -> None:
    start = built / "index.html"
    reached = {start}
    waiting = [start]
    while waiting:
        file = waiting.pop()
        for link in documents[file].menu:
            target = find_target(file, urlsplit(link).path)
            if target in documents and target not in reached:
                reached.add(target)
                waiting.append(target)
    assert len(reached) > 60
    assert documents.keys() - reached == set()


def test_site_loads_nothing_from_another_host(
    built: Path, documents: dict[Path, Document]
) -> None:
    for document in documents.values():
        assert not [it for it in document.loads if urlsplit(it).netloc]
        # The theme's script knows other hosts. The policy lets no browser ask them.
        assert "default-src 'self'" in document.policy
        assert "http" not in document.policy
    styles = [file.read_text(encoding="utf-8") for file in built.rglob("*.css")]
    assert styles
    assert not re.findall(r"(?:url\(|@import )[\"']?(?:https?:)?//", " ".join(styles))


def test_search_knows_every_page(built: Path, documents: dict[Path, Document]) -> None:
    index = json.loads((built / "search.json").read_text(encoding="utf-8"))
    found = {item["location"].partition("#")[0] for item in index["items"]}
    folders = [file.parent.relative_to(built).as_posix() for file in documents]
    assert {"" if it == "." else f"{it}/" for it in folders} == found


def test_every_document_is_a_page() -> None:
    listed = run(ROOT, "git", "ls-files", "--cached", "--others", "--exclude-standard")
    files = {path for path in listed.splitlines() if path.endswith(".md")}
    text = (ROOT / "website" / "sections.toml").read_text(encoding="utf-8")
    named = set(re.findall(r'^    "([^ "]+)', text, re.MULTILINE))
    documents = {
        path
        for path in files - BESIDE_CODE
        if not path.startswith((OF_PROJECT, "docs/recipes/"))
    }
    assert documents - named == set()
    own = {
        path.removeprefix(OF_PROJECT) for path in files if path.startswith(OF_PROJECT)
    }
    shown = {path.partition("/")[2] for path in named if "platform/" in path}
    shown |= {path.partition("/")[2] for path in named if path.startswith("server/")}
    assert own - shown == NO_PAGE_OF_PROJECT


def test_reference_has_every_public_name(
    built: Path, documents: dict[Path, Document]
) -> None:
    anchors = {
        anchor
        for file, document in documents.items()
        if "python" in file.relative_to(built).parts
        for anchor in document.anchors
    }
    lines = NAMES.read_text(encoding="utf-8").splitlines()
    names = [re.sub(r"\(.*", "", line).replace(": ", ".") for line in lines]
    missing = [it for it in names if it not in anchors]
    assert missing == ["secure_django.user.User"], "its docstring is a project's"


def test_site_is_searched_by_keyboard_without_another_host(
    built: Path, browser: Browser
) -> None:
    handler = partial(SimpleHTTPRequestHandler, directory=str(built))
    server = ThreadingHTTPServer(("localhost", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://localhost:{server.server_port}"
    try:
        for scheme in ("light", "dark"):
            page = browser.new_page(color_scheme=scheme)
            asked: list[str] = []

            def note(request: Request, asked: list[str] = asked) -> None:
                asked.append(request.url)

            page.on("request", note)
            page.goto(f"{url}/guard/")
            page.evaluate(AXE)
            violations = page.evaluate("axe.run()")["violations"]
            assert not [it["id"] for it in violations if it["impact"] == "critical"]
            page.keyboard.press("Control+k")
            page.keyboard.type("PhotoField")
            expect(page.get_by_role("option").first).to_contain_text("PhotoField")
            own = (url, "blob:", "data:")
            assert not [it for it in asked if not it.startswith(own)]
            page.close()
    finally:
        server.shutdown()
        server.server_close()


# What a build refuses


def write(roots: Roots, folder: Path, text: str, source: str = "docs/page.md") -> str:
    """Return the text of a page as the site has it."""
    file = roots.find(source)
    file.write_text(text, encoding="utf-8")
    page = Page(source, file, find_place(source, "start", ""), "")
    other = Page("server/docs/page.md", file, "operate/page.md", "")
    writer = Writer(roots, [page, other], folder, "https://github.com/org/x", "v1.0.0")
    writer.write(page)
    return (folder / page.place).read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("link", "expected"),
    [
        ("page.md#a", "page.md#a"),
        ("#a", "#a"),
        (f"../{OF_PROJECT}docs/page.md#a", "../operate/page.md#a"),
        ("https://github.com/org/x/blob/main/docs/page.md", "page.md"),
        ("https://example.com/docs/page.md", "https://example.com/docs/page.md"),
        ("../docs", "https://github.com/org/x/tree/v1.0.0/docs"),
        (
            f"../{OF_PROJECT}manage.py",
            f"https://github.com/org/x/blob/v1.0.0/{quote(OF_PROJECT)}manage.py",
        ),
    ],
)
def test_links_of_github_become_those_of_the_site(
    link: str, expected: str, roots: Roots, tmp_path: Path
) -> None:
    assert write(roots, tmp_path, f"[a]({link})\n") == f"[a]({expected})\n"


def test_link_to_no_file_ends_the_build(roots: Roots, tmp_path: Path) -> None:
    with pytest.raises(BrokenLinkError, match=r"docs/page\.md links to gone\.md"):
        write(roots, tmp_path, "[a](gone.md)\n")


def test_code_keeps_its_links_and_gets_its_path(roots: Roots, tmp_path: Path) -> None:
    text = write(roots, tmp_path, "```diff a.py\n-[a](gone.md)\n```\n")
    assert text == '```diff title="a.py"\n-[a](gone.md)\n```\n'


def test_drawing_that_another_host_would_draw_is_refused(
    roots: Roots, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match="another host"):
        write(roots, tmp_path, "```mermaid\nflowchart LR\n```\n")


def test_two_pages_with_one_place_are_refused(roots: Roots) -> None:
    sections = read_sections(Roots(ROOT, ROOT / OF_PROJECT, ROOT / OF_PROJECT))
    doubled = [*sections, sections[0]]
    with pytest.raises(ValueError, match=r"two pages for .*index\.md"):
        check_places(doubled)
    with pytest.raises(FileNotFoundError):
        read_sections(roots)


def test_unknown_anchor_ends_the_build(tmp_path: Path) -> None:
    pages = tmp_path / "pages"
    pages.mkdir()
    text = (ROOT / "website" / "mkdocs.yml").read_text(encoding="utf-8")
    config = tmp_path / "mkdocs.yml"
    config.write_text(text.replace("  custom_dir: theme\n", ""), encoding="utf-8")
    (pages / "index.md").write_text("# A b\n\n[c](#a-b)\n", encoding="utf-8")
    run_generator(config)
    (pages / "index.md").write_text("# A b\n\n[c](#c)\n", encoding="utf-8")
    with pytest.raises(subprocess.CalledProcessError):
        run_generator(config)


# Versions


def test_site_of_each_minor_version_is_that_of_its_newest_release(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository = tmp_path / "repository"
    repository.mkdir()
    run(repository, "git", "init", "--quiet")
    config = ["-c", "user.name=Ann", "-c", "user.email=ann@example.com"]
    commit = ["git", *config, "commit", "--quiet", "--allow-empty", "--message=x"]
    run(repository, *commit)
    run(repository, "git", "tag", "v0.9.0")
    (repository / "website").mkdir()
    (repository / "website" / "__main__.py").touch()
    run(repository, "git", "add", "website")
    run(repository, *commit)
    for tag in ("v1.0.0", "v1.2.0", "v1.10.0", "v1.2.1", "vendor"):
        run(repository, "git", "tag", tag)
    made = []

    def note(_root: Path, tag: str, version: str, _output: Path) -> None:
        made.append((tag, version))

    monkeypatch.setattr(versions, "build_tag", note)
    output = tmp_path / "site"
    versions.build_versions(repository, output)
    assert made == [("v1.10.0", "1.10"), ("v1.2.1", "1.2"), ("v1.0.0", "1.0")]
    entries = json.loads((output / "versions.json").read_text(encoding="utf-8"))
    assert [(it["version"], it["aliases"]) for it in entries] == [
        ("1.10", ["latest"]),
        ("1.2", []),
        ("1.0", []),
    ]
    assert 'url=1.10/"' in (output / "index.html").read_text(encoding="utf-8")


def test_publishing_without_a_release_is_refused(tmp_path: Path) -> None:
    run(tmp_path, "git", "init", "--quiet")
    with pytest.raises(SystemExit, match="make a release first"):
        versions.build_versions(tmp_path, tmp_path / "site")


def test_projects_of_the_site_are_for_a_server_and_a_platform(built: Path) -> None:
    assert (built / "operate" / "deployment" / "index.html").is_file()
    assert (built / "operate" / "platforms" / "index.html").is_file()
    assert SERVER not in {path.name for path in built.iterdir()}
