"""settings.lock has all that differs from Django's settings, and no path or secret."""

import os
import shutil
import subprocess
import sys
from datetime import timedelta
from functools import partial
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

import pytest
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.utils.csp import CSP
from django.utils.translation import gettext_lazy

from secure_django.conf import boolean, email_url, mailers, number, text
from secure_django.conf.lock import CanonicalEnvironment, Renderer, is_setting, render

LAST_LINE = "\nenv.stop_on_problems()"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    ignore = shutil.ignore_patterns("__pycache__", "settings.lock")
    return Path(shutil.copytree(settings.BASE_DIR, tmp_path / "site", ignore=ignore))


def run_lock(
    project: Path, *arguments: str, **variables: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "secure_django.conf.lock", *arguments],
        cwd=project,
        env=os.environ | {"PYTHONPATH": ""} | variables,
        capture_output=True,
        text=True,
        check=False,
    )


def add_lines(project: Path, lines: str) -> None:
    path = project / "config" / "settings.py"
    source = path.read_text(encoding="utf-8")
    assert source.count(LAST_LINE) == 1
    new_source = source.replace(LAST_LINE, f"\n{lines}\n{LAST_LINE}")
    path.write_text(new_source, "utf-8")


def rendered(value: object, **variables: Any) -> list[str]:
    masks = {id(item): name for name, item in variables.items()}
    return list(Renderer(settings.BASE_DIR, masks).lines(value))


def test_lock_of_the_site_is_committed_and_current() -> None:
    result = run_lock(settings.BASE_DIR, "--check")
    assert result.returncode == 0, result.stdout


def test_lock_is_the_same_on_each_machine(project: Path, tmp_path: Path) -> None:
    result = run_lock(project)
    assert result.returncode == 0, result.stderr
    first = (project / "settings.lock").read_bytes()
    (project / ".env").write_text("TIME_ZONE=Europe/Berlin\n", encoding="utf-8")
    moved = project.rename(tmp_path / "another folder")
    result = run_lock(
        moved,
        SECRET_KEY="another",
        DEBUG="on",
        MEDIA_ROOT=str(tmp_path / "photos"),
        CLOUDINARY_URL="cloudinary://key:secret@another",
        TEST_DATABASE_URL="postgres://me@db.example/site",
        DJANGO_SETTINGS_MODULE="tests.settings",
        PYTHONHASHSEED="7",
        TMPDIR=str(tmp_path),
        LANG="de_DE.UTF-8",
    )
    assert result.returncode == 0, result.stderr
    assert (moved / "settings.lock").read_bytes() == first
    assert str(tmp_path).encode() not in first
    assert b"\r" not in first


def test_variables_without_a_default_are_masked(project: Path) -> None:
    add_lines(
        project,
        'PAYMENT = {"keys": [env.read("PAYMENT_KEY", str)], "name": "shop"}\n'
        "PAYMENT_URL = f\"https://pay.example/{env.read('PAYMENT_ACCOUNT', str)}/\"\n"
        'PAYMENT_SECONDS = env.read("PAYMENT_SECONDS", number(1))\n'
        'PAYMENT_TRIES = env.read("PAYMENT_TRIES", number(1), "3")',
    )
    exported = {"PAYMENT_KEY": "top-secret", "PAYMENT_ACCOUNT": "top-secret"}
    result = run_lock(project, **exported, PAYMENT_TRIES="9")
    assert result.returncode == 0, result.stderr
    lock = (project / "settings.lock").read_text(encoding="utf-8")
    assert "top-secret" not in lock
    for lines in (
        'PAYMENT = {\n    "keys": [\n        (PAYMENT_KEY),\n    ],',
        'PAYMENT_URL = "https://pay.example/(PAYMENT_ACCOUNT)/"',
        "PAYMENT_SECONDS = (PAYMENT_SECONDS)",
        "PAYMENT_TRIES = 3",
        "SECRET_KEY = (SECRET_KEY)",
        "FIELD_ENCRYPTION_KEYS = (FIELD_ENCRYPTION_KEYS)",
        'DATABASES = {\n    "default": (DATABASE_URL),\n}',
        '    "server": (EMAIL_URL),',
        "SESSION_COOKIE_SECURE = True",
        'MEDIA_ROOT = "./media"',
    ):
        assert f"{lines}\n" in lock


def test_check_shows_what_changed(project: Path) -> None:
    missing = run_lock(project, "--check")
    assert missing.returncode == 1
    assert not (project / "settings.lock").exists()
    run_lock(project)
    assert run_lock(project, "--check").returncode == 0
    windows = (project / "settings.lock").read_bytes().replace(b"\n", b"\r\n")
    (project / "settings.lock").write_bytes(windows)
    assert run_lock(project, "--check").returncode == 0
    add_lines(project, 'SESSION_COOKIE_AGE = 86400\nCSP_POLICY["img-src"].append("*")')
    result = run_lock(project, "--check")
    assert result.returncode == 1
    lines = result.stdout.splitlines()
    changed = [line for line in lines if line[0] in "+-"]
    assert changed[2:] == [
        '+        "*",',
        '+        "*",',
        "-SESSION_COOKIE_AGE = 1800",
        "+SESSION_COOKIE_AGE = 86400",
    ]
    (sentence,) = result.stderr.splitlines()
    assert sentence.startswith("settings.lock is out of date: ")
    assert (project / "settings.lock").read_bytes() == windows


def test_lock_is_written_in_a_project_alone(tmp_path: Path) -> None:
    result = run_lock(tmp_path)
    assert result.returncode == 1
    assert result.stderr == "Run this in the project's folder.\n"
    assert not list(tmp_path.iterdir())


def test_foreign_settings_are_locked_by_the_variables_of_a_file(
    tmp_path: Path,
) -> None:
    settings = "import os\nSECRET_KEY = os.environ['KEY']\nUSE_TZ = False\n"
    (tmp_path / "own.py").write_text(settings, encoding="utf-8")
    arguments = ["--settings=own", "--variables=lock.env"]
    missing = run_lock(tmp_path, *arguments)
    assert missing.returncode == 1
    assert missing.stderr.startswith("There is no lock.env: write a line such as")
    (tmp_path / "lock.env").write_text("# made up\nKEY=example\n", encoding="utf-8")
    result = run_lock(tmp_path, *arguments)
    assert result.returncode == 0, result.stderr
    lock = (tmp_path / "settings.lock").read_text(encoding="utf-8")
    assert 'SECRET_KEY = "example"\nUSE_TZ = False\n' in lock
    (tmp_path / "own.py").write_text(f"{settings}DEBUG = True\n", encoding="utf-8")
    late = run_lock(tmp_path, *arguments, "--check")
    assert late.returncode == 1
    assert "+DEBUG = True" in late.stdout
    assert "conf.lock --settings=own --variables=lock.env`" in late.stderr


def test_foreign_settings_need_a_file_of_variables(tmp_path: Path) -> None:
    result = run_lock(tmp_path, "--settings=own")
    assert result.returncode == 2
    assert "Name a file with example values" in result.stderr


def own_function() -> None:
    """Be the value of a setting."""


@pytest.mark.parametrize(
    ("value", "lines"),
    [
        ({}, ["{}"]),
        ([], ["[]"]),
        ((1, None), ["(", "    1,", "    None,", ")"]),
        ({"b", "a"}, ["{", '    "a",', '    "b",', "}"]),
        (
            {"b": [1.5], "a": b"x"},
            ["{", "    \"a\": b'x',", '    "b": [', "        1.5,", "    ],", "}"],
        ),
        ({2: True, "1": {}}, ["{", '    "1": {},', "    2: True,", "}"]),
        (CSP.SELF, ["\"'self'\""]),
        (gettext_lazy("Log in"), ['"Log in"']),
        (timedelta(days=1, minutes=5), ["timedelta(1 day, 0:05:00)"]),
        (settings.BASE_DIR, ['"."']),
        (settings.BASE_DIR / "media" / "photos", ['"./media/photos"']),
        (f"{settings.BASE_DIR}/locale", ['"./locale"']),
        (f"{settings.BASE_DIR}-other", [f'"{settings.BASE_DIR}-other"']),
        (PurePosixPath("var/site"), ['"var/site"']),
        ("Zürich\n\\", ['"Zürich\\n\\\\"']),
        (own_function, ["tests.conf.test_lock.own_function"]),
        (partial(own_function), ["partial(tests.conf.test_lock.own_function)"]),
        (object(), ["builtins.object"]),
    ],
)
def test_value_is_spelled_plainly(value: object, lines: list[str]) -> None:
    assert rendered(value) == lines


def test_paths_of_windows_are_spelled_alike() -> None:
    folder: Any = PureWindowsPath("C:\\Sites\\shop")
    renderer = Renderer(folder, {})
    assert list(renderer.lines(folder / "media" / "photos")) == ['"./media/photos"']
    assert list(renderer.lines(f"{folder}\\media")) == ['"./media"']


def test_values_are_masked_by_identity() -> None:
    environment = CanonicalEnvironment()
    environment.load(settings.BASE_DIR)
    server = environment.read("EMAIL_URL", email_url)
    values = {
        "MAILERS": mailers(server),
        "COPY": dict(server),
        "SWITCH": environment.read("SWITCH", bool),
        "USE_OWN": True,
        "lower": 1,
        "CLASS": CSP,
    }
    lock = render(values, environment)
    assert '    "server": (EMAIL_URL),\n' in lock
    assert "COPY = {\n" in lock
    assert "USE_OWN = True\n" in lock
    assert "lower" not in lock
    assert "CLASS" not in lock


def test_stand_in_is_what_a_strict_parser_refuses() -> None:
    environment = CanonicalEnvironment()
    environment.load(settings.BASE_DIR)
    port: object = environment.read("OWN_PORT", number(1))
    assert port == "(OWN_PORT)"
    environment.read("OWN_SWITCH", boolean, "on")
    assert environment.values["OWN_SWITCH"] is True
    environment.stop_on_problems()
    environment.read("OWN_NAME", text(str.islower, "Must be lowercase."), "UPPER")
    with pytest.raises(ImproperlyConfigured, match="OWN_NAME"):
        environment.stop_on_problems()


def test_only_what_differs_from_django_is_a_setting() -> None:
    assert not is_setting("SESSION_COOKIE_AGE", 60 * 60 * 24 * 7 * 2)
    assert is_setting("SESSION_COOKIE_AGE", 1800)
    assert is_setting("OWN_RULES", "plain text")
    assert is_setting("WHITENOISE_IMMUTABLE_FILE_TEST", own_function)
    assert not is_setting("CSP", CSP)
    assert not is_setting("Path", "x")
