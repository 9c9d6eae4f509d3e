"""Turn a document as GitHub shows it into a page of the site."""

import os
import posixpath
import re
import shutil
from pathlib import Path
from urllib.parse import quote

from website.pages import PLATFORM, RAW, SERVER, Page, Roots

FENCE = re.compile(r"(^```.*?^```$)", re.MULTILINE | re.DOTALL)
NAMED_FENCE = re.compile(r"\A```(\w+) (\S+)$", re.MULTILINE)
LINK = re.compile(r"(\]\()([^)\s]+)(?=\))|(\bsrc(?:set)?=\")([^\"]+)(?=\")")
# A picture that has a file for each color scheme.
PICTURE = re.compile(
    r"<picture>\s*<source [^>]*srcset=\"(?P<dark>[^\"]+)\">\s*"
    r"(?P<image><img [^>]*?)src=\"(?P<light>[^\"]+)\"(?P<rest>[^>]*>)\s*</picture>"
)
IMAGES = {".png", ".svg", ".webp"}


class BrokenLinkError(Exception):
    """A document has a link to a file that does not exist."""


class Writer:
    """Write pages into a folder, with links between them, and with their images."""

    def __init__(
        self, roots: Roots, pages: list[Page], folder: Path, repository: str, ref: str
    ) -> None:
        """Remember what links lead to.

        `repository` is its URL. `ref` is the branch or the tag for links to files
        that are no page.
        """
        self.roots = roots
        self.folder = folder
        self.repository = repository
        self.ref = ref
        self.places = {page.source: page.place for page in pages}

    def write(self, page: Page) -> None:
        """Write a page."""
        text = page.file.read_text(encoding="utf-8")
        if page.file.suffix != ".md":
            text = show_file(page, text)
        text = PICTURE.sub(split_picture, text)
        parts = FENCE.split(text)
        for number, part in enumerate(parts):
            if part.startswith("```"):
                parts[number] = change_fence(page, part)
            else:
                parts[number] = self.change_links(page, part)
        target = self.folder / page.place
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text("".join(parts), encoding="utf-8", newline="\n")

    def change_links(self, page: Page, text: str) -> str:
        """Return the text with links that fit the site."""

        def change(match: re.Match[str]) -> str:
            before = match[1] or match[3]
            return f"{before}{self.change_link(page, match[2] or match[4])}"

        return LINK.sub(change, text)

    def change_link(self, page: Page, link: str) -> str:
        """Return the link as the site needs it."""
        path, mark, anchor = link.partition("#")
        source = self.find_source(page, path)
        if not path or source is None:
            return link
        if source in self.places:
            return f"{self.relative(page, self.places[source])}{mark}{anchor}"
        file = self.roots.find(source)
        if not file.exists():
            message = f"{page.source} links to {link}, which does not exist"
            raise BrokenLinkError(message)
        if file.suffix in IMAGES:
            return self.relative(page, self.copy_image(file))
        kind = "tree" if file.is_dir() else "blob"
        place = quote(in_repository(source))
        return f"{self.repository}/{kind}/{self.ref}/{place}{mark}{anchor}"

    def find_source(self, page: Page, path: str) -> str | None:
        """Return the linked path as in sections.toml, or None for another site."""
        for kind in ("blob", "tree"):
            start = f"{self.repository}/{kind}/main/"
            if path.startswith(start):
                return path.removeprefix(start)
        if re.match(r"\w+:", path):
            return None
        folder = posixpath.dirname(page.source)
        source = posixpath.normpath(posixpath.join(folder, path))
        if not source.startswith(f"{RAW}/"):
            return source
        inside = source.removeprefix(f"{RAW}/")
        of_server = f"{SERVER}/{inside}"
        if self.roots.find(of_server).exists():
            return of_server
        return f"{PLATFORM}/{inside}"

    @staticmethod
    def relative(page: Page, place: str) -> str:
        """Return the path from a page to a file of the site."""
        return posixpath.relpath(place, posixpath.dirname(page.place) or ".")

    def copy_image(self, file: Path) -> str:
        """Copy an image into the site, and return its place."""
        place = f"images/{file.name}"
        target = self.folder / place
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, target)
        return place


def in_repository(source: str) -> str:
    """Return the path of a file in the repository."""
    first, _, rest = source.partition("/")
    if first in {SERVER, PLATFORM}:
        return f"{RAW}/{rest}"
    return source


def show_file(page: Page, text: str) -> str:
    """Return a page that shows a file as it is."""
    name = os.fspath(page.file.name)
    fence = "```"
    return f"# {name}\n\n{fence}sh {name}\n{text.rstrip()}\n{fence}\n"


def change_fence(page: Page, fence: str) -> str:
    """Return a block of code with its path as a title."""
    if fence.startswith("```mermaid"):
        message = f"{page.source}: a drawing would be fetched from another host"
        raise ValueError(message)
    return NAMED_FENCE.sub(r'```\1 title="\2"', fence)


def split_picture(match: re.Match[str]) -> str:
    """Return an image for each color scheme of the site."""
    image, rest = match["image"], match["rest"]
    light = f'{image}src="{match["light"]}#only-light"{rest}'
    dark = f'{image}src="{match["dark"]}#only-dark"{rest}'
    return light + dark
