"""A project whose settings have lost their last line."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings


@pytest.mark.control("V13.2.3")
@pytest.mark.parametrize("value", ["", "too-short"])
def test_project_without_its_last_line_refuses_too(value: str, tmp_path: Path) -> None:
    ignore = shutil.ignore_patterns("__pycache__")
    site = shutil.copytree(settings.BASE_DIR, tmp_path / "site", ignore=ignore)
    path = site / "config" / "settings.py"
    *lines, last = path.read_text(encoding="utf-8").splitlines()
    assert last.startswith("env.stop_on_problems()")
    path.write_text("\n".join(lines), encoding="utf-8")
    variables = {"DJANGO_SETTINGS_MODULE": "config.settings", "PYTHONPATH": ""}
    result = subprocess.run(
        [sys.executable, "manage.py", "check"],
        cwd=site,
        env=os.environ | variables | {"FIELD_ENCRYPTION_KEYS": value},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 1
    assert "  FIELD_ENCRYPTION_KEYS: " in result.stderr
    assert "too-short" not in result.stderr
    assert "Traceback" not in result.stderr
