"""What stops a release: each file and each field that is not as it says."""

import tomllib
from pathlib import Path

import pytest

import release
from release import Files, check_sdist, check_wheel, compare_builds
from tests.support.baking import ROOT

ABOUT = "secure_django-1.0.0.dist-info/"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
FIELDS = f"""\
Metadata-Version: 2.4
Name: secure-django
Version: {PROJECT["project"]["version"]}
License-Expression: {PROJECT["project"]["license"]}
License-File: LICENSE
{{classifiers}}
Requires-Python: {PROJECT["project"]["requires-python"]}
{{urls}}
{{extras}}
Description-Content-Type: text/markdown

"""
METADATA = FIELDS.format(
    classifiers="\n".join(
        f"Classifier: {it}" for it in PROJECT["project"]["classifiers"]
    ),
    urls="\n".join(
        f"Project-URL: {name}, {url}"
        for name, url in PROJECT["project"]["urls"].items()
    ),
    extras="\n".join(
        f"Provides-Extra: {it}"
        for it in sorted(PROJECT["project"]["optional-dependencies"])
    ),
)
ENTRY_POINTS = "[pytest11]\nsecure_django = secure_django.pytest_plugin\n"
TRACKED: Files = {
    "LICENSE": b"A license\n",
    "pyproject.toml": (ROOT / "pyproject.toml").read_bytes(),
    "src/.ruff.toml": b"",
    "src/README.md": "Käse\n".encode(),
    "src/secure_django/__init__.py": b"",
    "src/secure_django/csv.py": b"import csv\n",
    "src/secure_django/py.typed": b"",
}
DESCRIBED = METADATA.encode() + TRACKED[release.README]
WHEEL: Files = {
    "secure_django/__init__.py": b"",
    "secure_django/csv.py": b"import csv\n",
    "secure_django/py.typed": b"",
    f"{ABOUT}METADATA": DESCRIBED,
    f"{ABOUT}RECORD": b"",
    f"{ABOUT}WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    f"{ABOUT}entry_points.txt": ENTRY_POINTS.encode(),
    f"{ABOUT}licenses/LICENSE": TRACKED["LICENSE"],
}
SDIST: Files = {
    "LICENSE": TRACKED["LICENSE"],
    "PKG-INFO": DESCRIBED,
    "src/README.md": TRACKED[release.README],
    "pyproject.toml": b"rewritten by uv\n",
    "pyproject.toml.orig": TRACKED["pyproject.toml"],
    **{path: TRACKED[path] for path in TRACKED if path.startswith("src/secure")},
}


def test_distributions_like_the_commit_have_no_problem() -> None:
    assert not check_wheel(ABOUT, TRACKED, WHEEL)
    assert not check_sdist(TRACKED, SDIST)


@pytest.mark.parametrize("name", ["test.sqlite3", "x.pyc", "x.po", "key.pem", ".env"])
def test_file_that_the_commit_has_not_is_named(name: str) -> None:
    path = f"secure_django/{name}"
    found = check_wheel(ABOUT, TRACKED, WHEEL | {path: b""})
    assert found == [f"wheel: {path} is not in the commit"]


@pytest.mark.parametrize("name", ["test.sqlite3", "x.po", "fixtures/photo.json"])
def test_file_that_is_not_for_users_is_named_though_it_is_tracked(name: str) -> None:
    path = f"secure_django/{name}"
    tracked = TRACKED | {f"src/{path}": b""}
    found = check_wheel(ABOUT, tracked, WHEEL | {path: b""})
    assert found == [f"wheel: {path} is no file for users: take it out of src/"]


def test_lost_or_changed_file_is_named() -> None:
    path = "secure_django/csv.py"
    without = {name: WHEEL[name] for name in WHEEL if name != path}
    assert check_wheel(ABOUT, TRACKED, without) == [f"wheel: {path} is missing"]
    found = check_sdist(TRACKED, SDIST | {f"src/{path}": b"import os\n"})
    assert found == [f"sdist: src/{path} differs from the commit"]


def test_package_without_its_types_is_named() -> None:
    tracked = {name: TRACKED[name] for name in TRACKED if "py.typed" not in name}
    wheel = {name: WHEEL[name] for name in WHEEL if "py.typed" not in name}
    [problem] = check_wheel(ABOUT, tracked, wheel)
    assert "py.typed is missing" in problem


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ("Version: 1", "Version: 1.0.0+vendored\nOld: 1", "no public index takes"),
        ("License-Expression: MIT", "License-Expression: Apache-2.0", "Expression"),
        ("License-File: LICENSE", "License-File: COPYING", "License-File"),
        ("Provides-Extra: guard\n", "", "Provides-Extra"),
        ("Requires-Python: >=3.12", "Requires-Python: >=3.9", "Requires-Python"),
        ("text/markdown", "text/plain", "Description-Content-Type"),
        ("Käse", "Another README", "description"),
        ("Project-URL: Source", "Project-URL: Home", "Project-URL"),
    ],
)
def test_field_that_differs_is_named(old: str, new: str, named: str) -> None:
    assert old in DESCRIBED.decode()
    changed = DESCRIBED.decode().replace(old, new, 1).encode()
    for problems in (
        check_wheel(ABOUT, TRACKED, WHEEL | {f"{ABOUT}METADATA": changed}),
        check_sdist(TRACKED, SDIST | {"PKG-INFO": changed}),
    ):
        assert any(named in problem for problem in problems)


def test_relative_link_of_the_description_is_named() -> None:
    readme = b"[Guide](docs/guide.md)\n"
    files = SDIST | {release.README: readme, "PKG-INFO": METADATA.encode() + readme}
    [problem] = check_sdist(TRACKED | {release.README: readme}, files)
    assert problem.endswith("has a link without https://, which no index follows")


def test_lost_plugin_or_license_is_named() -> None:
    other = {f"{ABOUT}entry_points.txt": b"[console_scripts]\nx = y\n"}
    [problem] = check_wheel(ABOUT, TRACKED, WHEEL | other)
    assert "the entry points are" in problem
    other = {f"{ABOUT}licenses/LICENSE": b"Another\n"}
    [problem] = check_wheel(ABOUT, TRACKED, WHEEL | other)
    assert "the license is another" in problem


def test_build_that_cannot_be_repeated_is_named() -> None:
    [problem] = compare_builds({"a.whl": b"1"}, {"a.whl": b"2"})
    assert problem.startswith("a.whl: a second build made another file")
    assert not compare_builds({"a.whl": b"1"}, {"a.whl": b"1"})


def test_folder_that_exists_is_not_overwritten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.argv", ["release.py", "v1.0.0", str(tmp_path)])
    with pytest.raises(SystemExit, match="exists already: name a new folder"):
        release.main()
