"""Build the site of documents: `uv run python -m website`.

With `--serve`, also show it at http://localhost:8001. `--versions` builds a folder for
each release, as GitHub Pages serve them: see versions.py.
"""

import argparse
import functools
import http.server
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from website.links import Writer
from website.pages import Roots, Section, read_sections
from website.projects import generate
from website.reference import write_reference
from website.versions import build_versions

ROOT = Path(__file__).parents[1]
HERE = Path(__file__).parent
OUTPUT = ROOT / ".site"
PORT = 8001


def build(output: Path, ref: str = "main", version: str = "") -> None:
    """Build the site into a folder.

    `ref` is the branch or the tag of links to files that are no page. `version` is the
    folder that the site will have on GitHub Pages, if it has one.

    Raise CalledProcessError if the generator finds a broken link.
    """
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        pages = work / "pages"
        server, platform = generate(work)
        roots = Roots(ROOT, server, platform)
        sections = read_sections(roots)
        all_pages = [page for section in sections for page in section.pages]
        writer = Writer(roots, all_pages, pages, repository(), ref)
        for page in all_pages:
            writer.write(page)
        reference = write_reference(ROOT / "tests" / "public_names.txt", pages)
        shutil.copytree(HERE / "theme", work / "theme")
        shutil.copytree(HERE / "assets", pages / "assets")
        favicon = server / "static" / "favicon.svg"
        shutil.copyfile(favicon, pages / "assets" / "favicon.svg")
        config = work / "mkdocs.yml"
        menu = make_menu(sections, reference)
        config.write_text(make_config(menu, version), encoding="utf-8")
        run_generator(config)
        shutil.rmtree(output, ignore_errors=True)
        shutil.copytree(work / "built", output)


def repository() -> str:
    """Return the URL of this repository, which a fork changes."""
    text = (ROOT / "cookiecutter.json").read_text(encoding="utf-8")
    return str(json.loads(text)["_repository"])


def make_menu(sections: list[Section], reference: list[str]) -> list[object]:
    """Return the menu, in the form of mkdocs.yml."""
    menu: list[object] = []
    for section in sections:
        top: list[object] = []
        folders: dict[str, list[object]] = {}
        for page in section.pages:
            entry = {page.title: page.place} if page.title else page.place
            _, _, rest = page.place.partition("/")
            folder, mark, _ = rest.partition("/")
            entries = folders.setdefault(folder, []) if mark else top
            entries.append(entry)
        top += [{name.title(): entries} for name, entries in folders.items()]
        if section.title == "Reference":
            top.append({"Python": reference})
        menu.append({section.title: top})
    return menu


def make_config(menu: list[object], version: str) -> str:
    """Return the whole configuration; zensical takes no absolute paths."""
    text = (HERE / "mkdocs.yml").read_text(encoding="utf-8")
    owner, name = repository().split("/")[-2:]
    url = f"https://{owner}.github.io/{name}/"
    added: dict[str, object] = {
        "site_url": f"{url}{version}/" if version else url,
        "extra_css": ["assets/site.css"],
        "nav": menu,
        "extra": {"generator": False},
    }
    if version:
        # The theme reads versions.json, which versions.py writes, in the form of mike.
        added["extra"] = {"generator": False, "version": {"provider": "mike"}}
    lines = [f"{key}: {json.dumps(value)}" for key, value in added.items()]
    return "\n".join([text.rstrip(), *lines, ""])


def run_generator(config: Path) -> None:
    """Build the site; a broken link or anchor is an error."""
    command = [sys.executable, "-m", "zensical", "build", "--strict", "--clean"]
    command += ["--config-file", str(config)]
    # mkdocstrings reads the package, and does not run it.
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src")}
    subprocess.run(command, cwd=config.parent, env=environment, check=True)


def serve(folder: Path) -> None:
    """Show a folder at http://localhost:8001 until Ctrl-C."""
    handler = functools.partial(
        http.server.SimpleHTTPRequestHandler, directory=str(folder)
    )
    with http.server.ThreadingHTTPServer(("localhost", PORT), handler) as server:
        print(f"The site is at http://localhost:{PORT}/")
        server.serve_forever()


def main() -> None:
    """Build the site as the command line says."""
    parser = argparse.ArgumentParser(prog="python -m website", description=__doc__)
    parser.add_argument("--output", type=Path, default=OUTPUT)
    parser.add_argument("--ref", default="main", help="the branch or tag for links")
    parser.add_argument("--version", default="", help="its folder on GitHub Pages")
    parser.add_argument("--serve", action="store_true", help="show it afterwards")
    parser.add_argument("--versions", action="store_true", help="build each release")
    options = parser.parse_args()
    if options.versions:
        build_versions(ROOT, options.output)
    else:
        build(options.output, options.ref, options.version)
    if options.serve:
        serve(options.output)


if __name__ == "__main__":
    main()
