"""A team's own defaults, and generation without prompts."""

import json
import shutil
import sys
import tomllib
from pathlib import Path

import pytest

from tests.support.baking import PROMPTS, paths, run

WHOLE = pytest.mark.tier("whole")
# A project has this page with accounts.
SIGN_UP = "templates/account/signup.html"
SLUG = "project_slug=my-secure-site"
CHOICES = " or ".join(PROMPTS["ci_scanning"])


@pytest.mark.feature("auth_app", "cloudinary_moderation")
def test_user_config_sets_a_teams_defaults(
    template: Path, tmp_path: Path, home: dict[str, str]
) -> None:
    config = """
    default_context:
      author_name: The museum's web team
      author_email: security@museum.example
      cloudinary_moderation: false
      ci_scanning: gitlab
    """
    (tmp_path / "team.yaml").write_text(config, encoding="utf-8")
    run(
        tmp_path,
        "cookiecutter",
        "--no-input",
        "--config-file",
        "team.yaml",
        str(template),
        "auth_app=no",
        SLUG,
        **home,
    )
    project = tmp_path / "my-secure-site"
    metadata = tomllib.loads((project / "pyproject.toml").read_text(encoding="utf-8"))[
        "project"
    ]
    assert metadata["authors"] == [
        {"name": "The museum's web team", "email": "security@museum.example"}
    ]
    dependencies = metadata["dependencies"]
    package = [it for it in dependencies if it.startswith("secure-django[")]
    assert package == [f"secure-django[site]=={PROMPTS['_version']}+vendored"]
    assert not [it for it in dependencies if it.startswith("cloudinary")]


@WHOLE
@pytest.mark.feature("auth_app", "cloudinary_moderation")
def test_fork_sets_the_defaults(
    template: Path, tmp_path: Path, home: dict[str, str]
) -> None:
    fork = shutil.copytree(template, tmp_path / "museum-django")
    defaults = {
        "author_name": "Museum",
        "auth_app": False,
        "ci_scanning": ["none", "gitlab", "github"],
    }
    defaults |= {"motto": "Look", "shop": True}  # prompts of its own
    (fork / "cookiecutter.json").write_text(
        json.dumps(PROMPTS | defaults), encoding="utf-8"
    )
    summary = run(
        tmp_path,
        "cookiecutter",
        "--no-input",
        str(fork),
        "cloudinary_moderation=no",
        SLUG,
        **home,
    )
    for answer in (
        "author_name            Museum",
        "cloudinary_moderation  no",
        "ci_scanning            none",
    ):
        assert answer in summary
    assert "motto                  Look\n  shop                   yes\n" in summary
    project = tmp_path / "my-secure-site"
    assert not (project / ".github").exists()
    assert not (project / SIGN_UP).exists()


@WHOLE
def test_replay_gives_same_project_with_new_secrets(
    template: Path, tmp_path: Path, home: dict[str, str]
) -> None:
    run(
        tmp_path,
        "cookiecutter",
        "--no-input",
        "-o",
        "first",
        str(template),
        "project_name=Museum",
        **home,
    )
    run(tmp_path, "cookiecutter", "--replay", "-o", "second", str(template), **home)
    first, second = tmp_path / "first" / "museum", tmp_path / "second" / "museum"
    assert paths(first) == paths(second)
    differing = [
        path
        for path in paths(first)
        if (first / path).read_bytes() != (second / path).read_bytes()
    ]
    assert differing == [".env"]


def test_unknown_answer_is_refused(
    template: Path, tmp_path: Path, home: dict[str, str]
) -> None:
    with pytest.raises(
        AssertionError,
        match=r"There is no prompt auth_ap; type one of project_name, .*, \w+\.",
    ):
        run(tmp_path, "cookiecutter", "--no-input", str(template), "auth_ap=no", **home)
    assert not (tmp_path / "my-secure-site").exists()


WRONG = (
    "default_context:\n  author_name: Museum\n  ci_scanning: gitlb\n"
    "  auth_app: maybe\n  domain_name: museum.example\n"
)
NAMED = f"""\
Your configuration file says ci_scanning: gitlb; write {CHOICES}, \
or add --default-config.
Your configuration file says auth_app: maybe; write yes or no, or add --default-config.
"""


@pytest.mark.feature("auth_app")
@pytest.mark.parametrize(
    "named_by",
    [
        "--config-file",
        pytest.param("~/.cookiecutterrc", marks=WHOLE),
        pytest.param("COOKIECUTTER_CONFIG", marks=WHOLE),
    ],
)
def test_wrong_value_in_a_configuration_file_is_named(
    named_by: str, template: Path, tmp_path: Path, home: dict[str, str]
) -> None:
    """Cookiecutter itself would drop it and every value after it."""
    options, environment = [str(template), SLUG], dict(home)
    path = tmp_path / "team.yaml"
    if named_by == "--config-file":
        options += [named_by, path.name]
    elif named_by == "COOKIECUTTER_CONFIG":
        environment[named_by] = path.name
    else:
        path = Path(home["HOME"]) / ".cookiecutterrc"
    path.write_text(WRONG, encoding="utf-8")
    # Before the first prompt.
    with pytest.raises(AssertionError) as refusal:
        run(tmp_path, "cookiecutter", *options, **environment)
    assert NAMED in str(refusal.value)
    assert "Traceback" not in str(refusal.value)
    assert not (tmp_path / "my-secure-site").exists()
    path.write_text(
        WRONG.replace("gitlb", "gitlab").replace("maybe", "no"), encoding="utf-8"
    )
    run(tmp_path, "cookiecutter", "--no-input", *options, **environment)
    project = tmp_path / "my-secure-site"
    assert (project / ".gitlab-ci.yml").exists()
    assert not (project / SIGN_UP).exists()
    assert 'DOMAIN_NAME = "museum.example"' in (
        project / "config" / "settings.py"
    ).read_text(encoding="utf-8")


@pytest.mark.feature("auth_app")
def test_wrong_value_in_a_replay_is_named(
    template: Path, tmp_path: Path, home: dict[str, str]
) -> None:
    answers = {
        "project_slug": "field",
        "ci_scanning": "none",
        "auth_app": "no",
        "project_name": "Field",
    }
    run(
        tmp_path,
        "cookiecutter",
        "--no-input",
        str(template),
        *(f"{it}={answers[it]}" for it in answers),
        **home,
    )
    (replay,) = Path(home["HOME"]).glob(".cookiecutter_replay/*.json")
    context = json.loads(replay.read_text(encoding="utf-8"))
    context["cookiecutter"] |= {
        "project_slug": "again",
        "ci_scanning": "gitlb",
        "auth_app": "no",
    }
    replay.write_text(json.dumps(context), encoding="utf-8")
    with pytest.raises(AssertionError) as refusal:
        run(tmp_path, "cookiecutter", "--replay", str(template), **home)
    for problem in (
        f"ci_scanning: is 'gitlb'; type {CHOICES}",
        "auth_app: is 'no'; type yes or no",
    ):
        assert f"  {problem}\n" in str(refusal.value)
    assert "auth_app=False ci_scanning=gitlab" in str(refusal.value)
    assert not (tmp_path / "again").exists()


def test_wrong_value_on_the_command_line_is_named(
    template: Path, tmp_path: Path, home: dict[str, str]
) -> None:
    with pytest.raises(AssertionError) as refusal:
        run(
            tmp_path,
            "cookiecutter",
            "--no-input",
            str(template),
            "ci_scanning=gitlb",
            **home,
        )
    assert (
        "gitlb provided for choice variable ci_scanning"
        in str(refusal.value).splitlines()[-1]
    )


def test_older_cookiecutter_is_refused(
    template: Path, tmp_path: Path, home: dict[str, str]
) -> None:
    """Its own `__version__` is wrong: that of 2.7.0 says 2.6.0."""
    older = (
        "import importlib.metadata as it; it.version = lambda name: '2.7.0'; "
        "from cookiecutter.cli import main; main()"
    )
    with pytest.raises(
        AssertionError,
        match=r"needs cookiecutter 2\.7\.1, this is 2\.7\.0; "
        r"type uvx cookiecutter@latest$",
    ):
        run(tmp_path, sys.executable, "-c", older, "--no-input", str(template), **home)
