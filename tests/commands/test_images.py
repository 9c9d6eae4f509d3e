"""Images that no digest pins are named."""

from pathlib import Path

import pytest

from secure_django.commands import images

DIGEST = "sha256:" + "0a" * 32
FILES = {
    "Dockerfile": f"FROM a/uv:0.1 AS uv\nFROM python:3-slim@{DIGEST}\nFROM uv\n",
    "nginx/Dockerfile": "FROM nginx:1\n",
    "compose.yaml": (
        '  image: "my-site:${RELEASE:-latest}"\n'
        f"    image: postgres:18@{DIGEST}\n    image: restic/restic:0.18\n"
    ),
    ".gitlab-ci.yml": "  image: uv:1-python$PYTHON\n  services: [docker:29-dind]\n",
    ".github/workflows/ci.yml": "        image: postgres:18 # a service\n",
}
NAMED = """\
Dockerfile: a/uv:0.1
nginx/Dockerfile: nginx:1
compose.yaml: restic/restic:0.18
.gitlab-ci.yml: uv:1-python$PYTHON
.gitlab-ci.yml: docker:29-dind
.github/workflows/ci.yml: postgres:18
"""


def test_images_without_a_digest_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, text in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    images.main()
    assert capsys.readouterr().out == f"{NAMED}{images.ADVICE}\n"
    for path in tmp_path.rglob("*"):
        if path.is_file():
            path.write_text(f"FROM python:3@{DIGEST}\n", encoding="utf-8")
    images.main()
    assert capsys.readouterr().out == "Each image has a digest.\n"
