"""`poe start` refuses what is no port. The rest is in template/test_start.py."""

from pathlib import Path

import pytest

from secure_django.commands.start import main

NOT_PORTS = ("0", "-1", "65536", "70000", "080000", "٨", "here", "0.0.0.0 8000")


@pytest.mark.parametrize("text", NOT_PORTS)
def test_what_is_no_port_is_refused(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "manage.py").touch()
    (tmp_path / ".env").touch()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit, match="choose a number from 1 to 65535") as refusal:
        main(text)
    assert str(refusal.value).startswith(f"{text} is not a port:")
