"""A team's own defaults, and generation without prompts."""

import json
import shutil
import tomllib
from pathlib import Path

from tests.support.baking import PROMPTS, paths, run


def test_user_config_sets_a_teams_defaults(template: Path, tmp_path: Path, home: dict[str, str]) -> None:
    config = """
    default_context:
      author_name: The museum's web team
      author_email: security@museum.example
      cloudinary_moderation: false
      ci_scanning: gitlab
    """
    (tmp_path / "team.yaml").write_text(config, encoding="utf-8")
    run(tmp_path, "cookiecutter", "--no-input", "--config-file", "team.yaml", str(template), "auth_app=no", **home)
    project = tmp_path / "my-secure-site"
    metadata = tomllib.loads((project / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert metadata["authors"] == [{"name": "The museum's web team", "email": "security@museum.example"}]
    assert not [it for it in metadata["dependencies"] if it.startswith(("cloudinary", "django-allauth["))]


def test_fork_sets_the_defaults(template: Path, tmp_path: Path, home: dict[str, str]) -> None:
    fork = shutil.copytree(template, tmp_path / "museum-django")
    defaults = {"author_name": "Museum", "auth_app": False, "ci_scanning": ["none", "gitlab", "github"]}
    (fork / "cookiecutter.json").write_text(json.dumps(PROMPTS | defaults), encoding="utf-8")
    summary = run(tmp_path, "cookiecutter", "--no-input", str(fork), "cloudinary_moderation=no", **home)
    for choice in ("cloudinary_moderation  no", "auth_app               no", "ci_scanning            none"):
        assert choice in summary
    assert "Museum <security@example.com>" in summary
    assert not {"accounts", ".github"} & {path.name for path in (tmp_path / "my-secure-site").iterdir()}


def test_replay_gives_same_project_with_new_secrets(template: Path, tmp_path: Path, home: dict[str, str]) -> None:
    run(tmp_path, "cookiecutter", "--no-input", "-o", "first", str(template), "project_name=Museum", **home)
    run(tmp_path, "cookiecutter", "--replay", "-o", "second", str(template), **home)
    first, second = tmp_path / "first" / "museum", tmp_path / "second" / "museum"
    assert paths(first) == paths(second)
    differing = [path for path in paths(first) if (first / path).read_bytes() != (second / path).read_bytes()]
    assert differing == [".env"]


def test_unknown_answer_is_ignored_and_summary_shows_it(template: Path, tmp_path: Path, home: dict[str, str]) -> None:
    summary = run(tmp_path, "cookiecutter", "--no-input", str(template), "auth_ap=no", **home)
    assert "auth_app               yes" in summary
