"""Which apps, pages and code the guard takes for a project's own."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pytest_django import Settings

from secure_django.guard import factories, names, tables
from secure_django.guard.access import ROUTES, is_own
from secure_django.guard.sending import HTTPSClient, log_in
from secure_django.guard.survey import no_page
from secure_django.guard.tables import CONFIG, TABLES, is_own_app
from secure_django.user import User

FILE = "/photos/<photo_id>/<variant>/"


def make_app(path: Path) -> Any:
    return SimpleNamespace(name="shop", path=str(path))


@pytest.mark.parametrize(
    ("folder", "expected"),
    {
        "shop": True,
        "apps/shop": True,
        "src/shop": True,  # beside the settings, which are in tests/site
        "vendor/shop/src/shop": False,
        ".venv/lib/python3/site-packages/shop": False,
        ".cache/shop": False,
        "web/node_modules/shop": False,
        "../lib/shop": False,
    }.items(),
)
def test_app_is_own_by_its_folder(
    folder: str, expected: bool, settings: Settings
) -> None:
    app = make_app(CONFIG.root / folder)
    assert is_own_app(app) is expected
    settings.GUARD_PACKAGES = ["shop"]
    assert is_own_app(app)


def test_pages_of_a_package_are_not_own(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    # In the repository, the package's code is below pyproject.toml.
    monkeypatch.setattr(tables, "CONFIG", CONFIG._replace(root=settings.BASE_DIR))
    assert FILE in ROUTES
    assert is_own(FILE)
    settings.GUARD_PACKAGES = []
    assert not is_own(FILE)


def test_survey_without_a_page_says_where_it_looked() -> None:
    assert f"is in {CONFIG.root}, the folder of pyproject.toml" in no_page()


def test_factories_are_found_in_any_folder_of_the_project(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = [
        "core/test_helpers/factories.py",
        "core/shop/tests/factories/__init__.py",
        "tests/unit/factories.py",
        "tests/.old/factories.py",
    ]
    for file in files:
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).touch()
    monkeypatch.setattr(tables, "CONFIG", CONFIG._replace(root=tmp_path))
    shop = tmp_path / "core" / "shop"
    found = {
        *factories.names_in(factories.top_folder(str(shop), "core.shop")),
        *factories.names_in(tmp_path / "tests"),
    }
    assert found == {
        "core.test_helpers.factories",
        "core.shop.tests.factories",
        "tests.unit.factories",
    }


def test_code_is_read_without_its_tests(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "tests" / "shop"  # a checkout in a folder of this name
    files = [folder / name for name in ("views.py", "tests/test_views.py")]
    for file in files:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("cart = 1\n", encoding="utf-8")
    monkeypatch.setattr(names, "OWN_APPS", [make_app(folder)])
    assert {path for path, _ in names.code_of_app("shop")} == {files[0]}


def test_table_adds_what_an_app_needs_beside_the_session(
    user: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    def add_token(client: HTTPSClient, user: User) -> None:
        client.defaults["HTTP_AUTHORIZATION"] = f"Bearer {user.pk}"

    monkeypatch.setitem(TABLES, "shop", SimpleNamespace(log_in=add_token))
    client = HTTPSClient()
    log_in(client, user)
    assert client.session["_auth_user_id"] == str(user.pk)
    assert client.defaults["HTTP_AUTHORIZATION"] == f"Bearer {user.pk}"
