"""Write where pyproject.toml takes the package from: vendor/ or an index.

The template runs this file too while it makes a project, and then in a Python without
the package. So it needs only the standard library, and nothing of the package.
"""

import re
import sys
from urllib.parse import urlsplit

PIN = re.compile(
    r'(?P<package>"secure-django(?:\[[\w,-]+\])?==)(?P<version>[\d.]+)(?P<local>\+vendored)?"'
)
SOURCES = "[tool.uv.sources]\n"
# Above it, a comment may stand.
SOURCE = re.compile(r"^(?:#.*\n)?secure-django = \{.*\}\n", re.MULTILINE)
EMPTY_SOURCES = re.compile(r"^\[tool\.uv\.sources\]\n\n*(?=\[|\Z)", re.MULTILINE)
VENDORED_SOURCE = """\
# The package's source, until you name a version on an index: docs/updating.md.
secure-django = { path = "vendor/secure-django", editable = true }
"""
INDEX_SOURCE = """\
secure-django = { index = "secure-django" }
"""
# No other package comes from it.
INDEX = """\
[[tool.uv.index]]
name = "secure-django"
url = "{url}"
explicit = true

"""
INDEX_TABLE = re.compile(
    r'^\[\[tool\.uv\.index\]\]\nname = "secure-django"\n(?:.+\n)*\n?', re.MULTILINE
)
# What TOML and a terminal show as it is.
URL = re.compile(r"https?://[\w.:@/?&=%~+-]+", re.ASCII)
CREDENTIALS = """\
pyproject.toml is no place for a password. Leave it out of the URL, and set
UV_INDEX_SECURE_DJANGO_USERNAME and UV_INDEX_SECURE_DJANGO_PASSWORD."""


def url_problem(url: str) -> str:
    """Return why a URL cannot be that of an index in pyproject.toml, or nothing."""
    address = urlsplit(url)
    if address.username or address.password:
        return CREDENTIALS
    if not URL.fullmatch(url):
        example = "https://packages.example.com/simple/"
        return f"An index has a URL such as {example}, and not {url}."
    return ""


def pin_on_index(metadata: str, url: str) -> str:
    """Return the metadata with the version of the public index, or of that at a URL."""
    text = drop_source(metadata)
    if url:
        text = add_source(text, INDEX_SOURCE, INDEX.format(url=url))
    version = find_version(text)
    return PIN.sub(rf'\g<package>{version}"', text)


def pin_by_answer(metadata: str, source: str) -> str:
    """Return the metadata for `_package` of the template, other than vendor.

    Exit if that is neither index nor the URL of one.
    """
    if source == "index":
        return pin_on_index(metadata, "")
    if "://" not in source:
        sys.exit(f"_package is vendor, index or the URL of an index, not {source}.")
    problem = url_problem(source)
    if problem:
        sys.exit(problem)
    return pin_on_index(metadata, source)


def pin_in_vendor(metadata: str) -> str:
    """Return the metadata with the version in vendor/."""
    text = drop_source(metadata)
    version = find_version(text)
    text = add_source(text, VENDORED_SOURCE)
    return PIN.sub(rf'\g<package>{version}+vendored"', text)


def pin_release(metadata: str, version: str) -> str:
    """Return the metadata with another version, from where the project has it."""
    return PIN.sub(rf'\g<package>{version}\g<local>"', metadata)


def find_version(metadata: str) -> str:
    """Return the pinned version of the package, without its local part."""
    versions = {pin["version"] for pin in PIN.finditer(metadata)}
    if len(versions) != 1:
        found = ", ".join(sorted(versions)) or "none"
        sys.exit(f"pyproject.toml has to pin one secure-django, not {found}.")
    return versions.pop()


def drop_source(metadata: str) -> str:
    """Return the metadata without the source of the package."""
    text = INDEX_TABLE.sub("", SOURCE.sub("", metadata))
    return EMPTY_SOURCES.sub("", text)


def add_source(metadata: str, source: str, index: str = "") -> str:
    """Return the metadata with a source of the package, and the index that it names."""
    if SOURCES in metadata:
        text = metadata.replace(SOURCES, f"{SOURCES}{source}", 1)
    else:
        text = metadata.replace("[tool.uv]\n", f"{SOURCES}{source}\n[tool.uv]\n", 1)
    return text.replace("[tool.uv]\n", f"{index}[tool.uv]\n", 1)
