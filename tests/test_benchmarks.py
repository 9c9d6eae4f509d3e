"""A benchmark names the packages that it needs and the machine lacks."""

import importlib
import shutil

import pytest

from tests.support import postgresql

NEEDED = {
    "attack": "nginx, postgresql",
    "devices": "nginx, postgresql",
    "faults": "nginx, postgresql, redis-server",
    "gallery": "nginx, postgresql, redis-server",
    "log_in": "nginx, postgresql",
    "million": "postgresql",
    "sharing": "nginx, postgresql",
    "tasks": "postgresql",
    "uploads": "nginx, postgresql, redis-server",
}


@pytest.mark.parametrize(("name", "packages"), NEEDED.items())
def test_missing_package_is_named(
    name: str, packages: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = importlib.import_module(f"benchmarks.{name}")
    monkeypatch.setattr(shutil, "which", lambda program: None)
    monkeypatch.setattr(postgresql, "programs", lambda: None)
    monkeypatch.setattr("sys.argv", [name])
    arguments: list[list[str]] = []
    if module.main.__code__.co_argcount:
        arguments.append([])
    with pytest.raises(SystemExit, match=rf"^Install {packages}: this benchmark"):
        module.main(*arguments)
