"""An installed project for all tests, and stand-ins for servers and tools."""

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.baking import (
    ALL_OFF,
    VENDOR,
    bake,
    clean_environment,
    commit,
    run,
)
from tests.support.scanning import (
    STAND_IN,
    Advisories,
    Install,
    StandIn,
    serve_advisories,
)


@pytest.fixture(scope="session")
def installed(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an installed and committed project with GitHub's workflows.

    Tests must not change it.
    """
    folder = bake(
        template,
        tmp_path_factory.mktemp("installed"),
        **ALL_OFF | {"ci_scanning": "github"},
    )
    run(folder, "uv", "sync", "--quiet")
    commit(folder, "Start")
    return folder


@pytest.fixture(scope="session")
def scanned(installed: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the project without the package's source, of 18,000 lines.

    Whole projects are scanned by the commands of their README.
    """
    folder = tmp_path_factory.mktemp("scanned") / installed.name
    ignored = shutil.ignore_patterns(".git", ".venv", "reports")
    shutil.copytree(installed, folder, ignore=ignored)
    shutil.rmtree(folder / VENDOR / "secure-django" / "src")
    commit(folder, "Start")
    return folder


@pytest.fixture
def folder(scanned: Path, tmp_path: Path) -> Path:
    """Return a copy of the project that tests can change, with this suite's tools."""
    return shutil.copytree(scanned, tmp_path / "my-secure-site")


@pytest.fixture
def osv() -> Iterator[Advisories]:
    """Serve advisories on this machine."""
    with serve_advisories() as advisories:
        yield advisories


@pytest.fixture
def stand_in(tmp_path: Path, osv: Advisories) -> Install:
    """Return a function that puts a stand-in for a tool on the path.

    Vulnerability data can be reached.
    """

    def install(tool: str) -> StandIn:
        folder = tmp_path / "bin"
        folder.mkdir()
        (folder / "stand_in.py").write_text(STAND_IN, encoding="utf-8")
        if os.name == "nt":
            (folder / f"{tool}.bat").write_text(
                f'@"{sys.executable}" "%~dp0stand_in.py" %*\n', encoding="utf-8"
            )
        else:
            program = folder / tool
            program.write_text(
                f'#!/bin/sh\nexec "{sys.executable}" "{folder}/stand_in.py" "$@"\n',
                encoding="utf-8",
            )
            program.chmod(0o755)
        environment = {
            "PATH": os.pathsep.join([str(folder), clean_environment()["PATH"]]),
            "NOTE": str(tmp_path / "note.json"),
            "NVD_DATAFEED_URL": f"{osv.url}nvdcve-{{0}}.json.gz",
        }
        return StandIn(environment, tmp_path / "note.json")

    return install
