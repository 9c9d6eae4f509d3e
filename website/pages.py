"""Read sections.toml, and find the file and the place of each page."""

import tomllib
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

SECTIONS = Path(__file__).with_name("sections.toml")
RAW = "{{cookiecutter.project_slug}}"
# Begin a path of a generated project.
SERVER, PLATFORM = "server", "platform"


@dataclass(frozen=True)
class Page:
    """A page of the site."""

    source: str  # the path of the document, as in sections.toml
    file: Path
    place: str  # the path in the site, such as operate/deployment.md
    title: str  # in the menu; without one, the first heading


@dataclass(frozen=True)
class Section:
    """A part of the menu."""

    title: str
    pages: list[Page]


class Roots:
    """The folders with the documents: the repository, and a project of each kind."""

    def __init__(self, repository: Path, server: Path, platform: Path) -> None:
        """Remember the folders; both projects have every feature."""
        self.repository = repository
        self.projects = {SERVER: server, PLATFORM: platform}

    def find(self, source: str) -> Path:
        """Return the file of a path as in sections.toml."""
        first, _, rest = source.partition("/")
        if first in self.projects:
            return self.projects[first] / rest
        return self.repository / source

    def expand(self, source: str) -> list[str]:
        """Return the paths that fit a pattern, in the order of the alphabet."""
        if "*" not in source:
            return [source]
        files = sorted(self.repository.glob(source))
        return [file.relative_to(self.repository).as_posix() for file in files]


def read_sections(roots: Roots) -> list[Section]:
    """Return the sections of the menu; raise FileNotFoundError for a missing page."""
    table = tomllib.loads(SECTIONS.read_text(encoding="utf-8"))
    titles = table.pop("titles")
    sections = []
    sources: set[str] = set()
    for folder, entry in table.items():
        pages = []
        for line in entry["pages"]:
            pattern, _, name = line.partition(" as ")
            # A pattern leaves out what stands before it.
            new = [it for it in roots.expand(pattern) if it not in sources]
            sources.update(new)
            places = [find_place(source, folder, name) for source in new]
            pages += [
                make_page(roots, source, place, titles.pop(place, ""))
                for source, place in zip(new, places, strict=True)
            ]
        sections.append(Section(entry["title"], pages))
    if titles:
        message = f"{SECTIONS.name} has titles of no page: {', '.join(titles)}"
        raise ValueError(message)
    check_places(sections)
    return sections


def check_places(sections: list[Section]) -> None:
    """Refuse two pages with one place, of which the site would have the second."""
    places = [page.place for section in sections for page in section.pages]
    twice = sorted({place for place in places if places.count(place) > 1})
    if twice:
        message = f"{SECTIONS.name} has two pages for {', '.join(twice)}"
        raise ValueError(message)


def find_place(source: str, folder: str, name: str) -> str:
    """Return the path of a page in the site. `*` in its name stands for the file's."""
    if source == "README.md":
        return "index.md"
    stem = PurePosixPath(source).stem
    return f"{folder}/{name.replace('*', stem) or stem}.md"


def make_page(roots: Roots, source: str, place: str, title: str) -> Page:
    """Return the page of a document; raise FileNotFoundError if there is none."""
    file = roots.find(source)
    if not file.is_file():
        message = f"{SECTIONS.name} names {source}, which does not exist"
        raise FileNotFoundError(message)
    return Page(source, file, place, title)
