"""Invalid answers are rejected with what to type instead; all valid answers work."""

import html
import json
import re
import runpy
import shlex
import subprocess
import sys
import tomllib
from importlib.metadata import requires
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
from cookiecutter.exceptions import FailedHookException
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.support.baking import (
    ALL_OFF,
    ALL_ON,
    FORK_TABLE,
    PROMPTS,
    PYTHON_COMBINATIONS,
    ROOT,
    Answers,
    Project,
    bake,
    clean_environment,
    need,
    run,
)

WHOLE = pytest.mark.tier("whole")
LONG = "x" * 64
# A suggestion is the default, which a fork may change.
AUTHOR = PROMPTS["author_name"].replace("{{ cookiecutter.project_name }}", "Site")
CHOICES = " or ".join(PROMPTS["ci_scanning"])

REJECTED = {
    # Slugs that are not distribution names
    ("project_slug", "My Site"): "type my-site",
    ("project_slug", "MySite"): "type mysite",
    ("project_slug", "größe"): "type grosse",
    ("project_slug", "-site"): "type my-site",
    ("project_slug", "site-"): "type my-site",
    ("project_slug", "my--site"): "type my-site",
    ("project_slug", "my/site"): "type my-site",
    ("project_slug", "../site"): "type my-site",
    ("project_slug", "site\\evil"): "type site-evil",
    ("project_slug", "site; rm -rf x"): "type site-rm-rf-x",
    ("project_slug", "安全"): "type secure-site",
    ("project_slug", " "): "empty",
    ("project_slug", f"{LONG}x"): "type xxx",
    # Slugs that are names of dependencies or modules
    ("project_slug", "django"): "type my-django",
    ("project_slug", "Django"): "type my-django",
    ("project_slug", "pillow"): "type my-pillow",
    ("project_slug", "python.dotenv"): "type my-python-dotenv",
    ("project_slug", "django_allauth"): "type my-django-allauth",
    ("project_slug", "allauth"): "type my-allauth",
    ("project_slug", "config"): "type my-config",
    ("project_slug", "users"): "type my-users",
    ("project_slug", "secure-django"): "type my-secure-django",
    ("project_slug", "vendor"): "type my-vendor",
    ("project_slug", "scans"): "type my-scans",
    ("project_slug", "test"): "type my-test",
    ("project_slug", "secrets"): "type my-secrets",
    # Slugs that are reserved Windows names
    ("project_slug", "con"): "type my-con",
    ("project_slug", "nul"): "type my-nul",
    ("project_slug", "com1"): "type my-com1",
    ("project_slug", "aux.site"): "type my-aux-site",
    # Text that would end a string or a line
    ("project_name", 'The "Best" Site'): "type it without",
    ("project_name", "back\\slash"): "type it without",
    ("project_name", "trailing\\"): "type it without",
    ("project_name", "two\nlines"): "type it without",
    ("project_name", "bell\x07"): "type it without",
    ("project_name", "direction\u202e"): "type it without",
    ("project_name", "separator\u2028"): "type it without",
    ("project_name", ""): "type at least",
    ("project_name", " \t "): "type at least",
    ("author_name", 'Ann "A" Lee'): "type it without",
    ("author_name", "Ann\tLee"): "type it without",
    ("author_name", ""): "type at least",
    ("description", "one\nSECRET_KEY = 1"): "type it without",
    ("description", "null\x00"): "type it without",
    ("description", ""): "type at least",
    # Invalid domain names
    ("domain_name", ""): "type at least",
    ("domain_name", "localhost"): "type one like",
    ("domain_name", "https://example.com"): "type example.com",
    ("domain_name", "example.com/path"): "type example.com",
    ("domain_name", "example.com:8000"): "type example.com",
    ("domain_name", "example..com"): "type one like",
    ("domain_name", ".example.com"): "type example.com",
    ("domain_name", "-a.example.com"): "type one like",
    ("domain_name", "exa mple.com"): "type one like",
    ("domain_name", "192.168.0.1"): "type one like",
    ("domain_name", "*"): "type one like",
    ("domain_name", f"{LONG}.example.com"): "type one like",
    ("domain_name", ".".join(["a" * 60] * 5)): "type one like",
    ("domain_name", "Example.COM"): "type example.com",
    ("domain_name", "müller.example"): "type xn--mller-kva.example",
    # Invalid email addresses
    ("author_email", ""): "type at least",
    ("author_email", "nobody"): "type one like",
    ("author_email", "@example.com"): "type one like",
    ("author_email", "a@localhost"): "type one like",
    ("author_email", "a@b@example.com"): "type one like",
    ("author_email", "a b@example.com"): "type one like",
    ("author_email", ".a@example.com"): "type one like",
    ("author_email", 'a"b@example.com'): "type one like",
    ("author_email", f"{LONG}x@example.com"): "type one like",
    ("author_email", "Ann <ann@example.com>"): "type one like",
}

DOMAIN = "photos.a-rather-long-name-for-a-museum.of-modern-art.example.org"

NAMES = {
    "markup": "<b>Site</b> {braces} 100% `code`",
    "quotes and dashes": "O'Brien’s & Söhne – Köln，Фото",
    "scripts": "安全网站 Фотоальбом 📷",
    "longest": "W" * 64,
}


@pytest.mark.parametrize(
    ("answer", "advice"), REJECTED.items(), ids=lambda value: ascii(value)[:60]
)
def test_invalid_answer_is_rejected_with_what_to_type(
    answer: tuple[str, str],
    advice: str,
    template: Path,
    tmp_path: Path,
) -> None:
    prompt, value = answer
    with pytest.raises(FailedHookException) as refused:
        bake(
            template,
            tmp_path,
            **{"project_slug": "my-site", "author_name": "Ann", prompt: value},
        )
    problems = [
        line
        for line in str(refused.value).splitlines()
        if line.startswith(f"  {prompt}: ")
    ]
    assert len(problems) == 1
    assert advice in problems[0]
    assert {path.name for path in tmp_path.iterdir()} == {".cookiecutter"}, (
        "a folder is left"
    )


def refusals() -> dict[str, Any]:
    """Run the module that refuses answers, and return its functions."""
    return runpy.run_path(str(ROOT / "secure_django_refusals.py"))


def suggested(output: str) -> list[str]:
    """Return the words of the command that a refusal ends with."""
    *_, command = output.strip().splitlines()
    return shlex.split(command)


def test_refusal_ends_with_a_command_that_generates_the_project(
    template: Path,
    tmp_path: Path,
    home: dict[str, str],
) -> None:
    given = {
        "project_name": "Ann’s $HOME & `Söhne`",
        "project_slug": "my/site",
        "description": 'It\'s 100 % "ours": \\',
        "domain_name": "https://photos.example.org",
        "author_name": "Ann",
        "auth_app": False,
        "ci_scanning": "none",
    }
    with pytest.raises(FailedHookException) as refused:
        bake(template, tmp_path, **given)
    uvx, *command = suggested(str(refused.value))
    assert uvx == "uvx"
    run(tmp_path, *command, "--default-config", **home)
    project = tmp_path / "my-site"
    metadata = tomllib.loads((project / "pyproject.toml").read_text(encoding="utf-8"))[
        "project"
    ]
    assert metadata["description"] == given["description"]
    email = PROMPTS["author_email"].replace(
        "{{ cookiecutter.domain_name }}", "photos.example.org"
    )
    assert metadata["authors"] == [{"name": "Ann", "email": email}]
    settings = (project / "config" / "settings.py").read_text(encoding="utf-8")
    assert f'SITE_NAME = "{given["project_name"]}"' in settings
    assert 'DOMAIN_NAME = "photos.example.org"' in settings
    assert not (project / "templates" / "account" / "signup.html").exists()


@pytest.mark.parametrize("answer", REJECTED, ids=lambda value: ascii(value)[:60])
def test_suggested_answers_are_valid(answer: tuple[str, str]) -> None:
    prompt, value = answer
    answers = {
        "project_name": "Site",
        "project_slug": "my-site",
        "description": "Text.",
        "domain_name": "example.org",
    }
    answers |= {"author_name": "Ann", "author_email": "ann@example.org", prompt: value}
    correct_answers = refusals()["correct_answers"]
    problems, good = correct_answers(answers)
    assert len(problems) == 1
    assert correct_answers(good) == ([], good)
    assert {it: good[it] for it in answers if it != prompt} == {
        it: answers[it] for it in answers if it != prompt
    }


@pytest.mark.parametrize(
    ("prompt", "value", "problem", "suggestion"),
    [
        (
            "description",
            None,
            "is not text; type it in quotes",
            PROMPTS["description"],
        ),
        ("author_name", False, "is not text; type it in quotes", AUTHOR),
        ("auth_app", None, "is None; type yes or no", PROMPTS.get("auth_app")),
        ("auth_app", "0", "is '0'; type yes or no", False),
        ("auth_app", "No", "is 'No'; type yes or no", False),
        ("cloudinary_moderation", "1", "is '1'; type yes or no", True),
        ("ci_scanning", "gitlb", f"is 'gitlb'; type {CHOICES}", "gitlab"),
        ("ci_scanning", ["none"], f"is ['none']; type {CHOICES}", "none"),
    ],
)
def test_answer_of_the_wrong_kind_is_named(
    prompt: str, value: object, problem: str, suggestion: object
) -> None:
    need(prompt)
    answers: dict[str, object] = {
        "project_name": "Site",
        "project_slug": "site1",
        "description": "Text.",
    }
    answers |= {
        "domain_name": "example.org",
        "author_name": "Ann",
        "author_email": "ann@example.org",
    }
    answers |= {
        "auth_app": True,
        "cloudinary_moderation": True,
        "ci_scanning": "github",
    }
    problems, good = refusals()["correct_answers"](answers | {prompt: value})
    assert problems == [f"{prompt}: {problem}"]
    assert good == answers | {prompt: suggestion}


@pytest.mark.parametrize(
    ("system", "answer", "word"),
    [
        ("posix", "It's $HOME", "'It'\"'\"'s $HOME'"),
        ("posix", "plain", "plain"),
        ("nt", "a & b | c", '"a & b | c"'),
        ("nt", 'say "hi"', '"say ""hi"""'),
        ("nt", "ends with \\", '"ends with \\\\"'),
        ("nt", "a $(calc) `b", '"a (calc) b"'),
        ("nt", "a\u201d; calc; \u201cb", '"a; calc; b"'),
    ],
)
def test_suggestion_is_quoted_for_the_shell(
    system: str, answer: str, word: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    quote_argument = refusals()["quote_argument"]
    monkeypatch.setattr("os.name", system)
    result = quote_argument(answer)
    monkeypatch.undo()
    assert result == word


def list_files(folder: Path) -> list[Path]:
    """Return all below a folder, without the files of cookiecutter itself."""
    home = folder / "home"
    return sorted(path for path in folder.rglob("*") if home not in path.parents)


def type_command(
    folder: Path, *words: str, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run a command, whatever its exit code, and return what it printed."""
    return subprocess.run(
        words,
        cwd=folder,
        env=clean_environment() | environment | {"PWD": str(folder)},
        check=False,
        capture_output=True,
        text=True,
        encoding="utf-8",
    )


@pytest.mark.parametrize(
    ("options", "answers"),
    [
        ([], ["project_slug=My/Site", "domain_name=https://example.org"]),
        (["--accept-hooks", "no"], ["author_email=nobody"]),
        pytest.param([], ['project_name=The "Best" Site'], marks=WHOLE),
        pytest.param(["--verbose"], ["project_slug=django"], marks=WHOLE),
        pytest.param(["-f", "-s"], ["project_slug=taken"], marks=WHOLE),
        pytest.param([], ["project_slug=taken"], marks=WHOLE),
    ],
)
def test_last_lines_of_a_refusal_are_the_reason_and_the_right_command(
    options: list[str],
    answers: list[str],
    template: Path,
    tmp_path: Path,
    home: dict[str, str],
) -> None:
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / ".env").touch()
    command = [sys.executable, "-m", "cookiecutter", "--no-input", "--default-config"]
    before = list_files(tmp_path)
    refused = type_command(
        tmp_path, *command, *options, str(template), *answers, **home
    )
    assert refused.returncode == 1
    assert list_files(tmp_path) == before, "a file is left"
    assert "Traceback" not in refused.stdout + refused.stderr
    _, refusal = refused.stderr.split("Nothing was generated:\n")
    reasons, advice, line = map(str.strip, refusal.split("\n\n"))
    subject = "taken" if "taken" in answers[0] else answers[0].partition("=")[0]
    assert reasons.startswith(f"{subject}: ")
    assert advice == "This command has all answers, corrected:"
    uvx, *words = shlex.split(line)
    assert uvx == "uvx"
    generated = type_command(
        tmp_path, sys.executable, "-m", *words, "--default-config", **home
    )
    assert generated.returncode == 0, generated.stderr
    assert len(sorted(tmp_path.glob("*/manage.py"))) == 1


def test_all_invalid_answers_are_reported_at_once(
    template: Path, tmp_path: Path
) -> None:
    with pytest.raises(FailedHookException) as refused:
        bake(
            template,
            tmp_path,
            project_name='"',
            project_slug="X",
            domain_name="x",
            author_email="x",
        )
    problems = re.findall(r"^  (\w+): ", str(refused.value), re.MULTILINE)
    assert problems == [
        "project_name",
        "project_slug",
        "domain_name",
        "author_name",
        "author_email",
    ]


def test_empty_slug_generates_nothing(template: Path, tmp_path: Path) -> None:
    with pytest.raises(FailedHookException, match="project_slug: is empty"):
        bake(template, tmp_path, project_slug="")
    assert {path.name for path in tmp_path.iterdir()} == {".cookiecutter"}


@pytest.mark.parametrize(
    "code",
    [
        "{{ 7 * 7 }}",
        pytest.param("{% now 'utc' %}", marks=WHOLE),
        pytest.param("{# note #}", marks=WHOLE),
        pytest.param("# % if x", marks=WHOLE),
    ],
)
def test_template_code_in_an_answer_is_rejected(
    code: str, template: Path, tmp_path: Path, home: dict[str, str]
) -> None:
    """Cookiecutter renders typed answers in updates, which load them like --replay."""
    bake(template, tmp_path)
    replay = next((tmp_path / ".cookiecutter" / "replay").iterdir())
    context = json.loads(replay.read_text(encoding="utf-8"))
    context["cookiecutter"] |= {
        "description": f"We say {code}",
        "project_slug": "replayed",
    }
    replay.write_text(json.dumps(context), encoding="utf-8")
    with pytest.raises(
        AssertionError,
        match=r"description: contains template code; type it without braces",
    ):
        run(
            tmp_path,
            "cookiecutter",
            "--default-config",
            "--replay-file",
            str(replay),
            str(template),
            **home,
        )
    assert not (tmp_path / "replayed").exists()


@pytest.mark.parametrize(
    ("project_name", "slug"),
    [
        ("My Secure Site", "my-secure-site"),
        ("O'Brien's Site", "o-brien-s-site"),
        ("Größenwahn & Söhne", "grossenwahn-sohne"),
        ("安全网站", "an-quan-wang-zhan"),
        ("Фотоальбом", "fotoalbom"),
        ("!!!", "my-secure-site"),
        ("W" * 80, "w" * 64),
    ],
)
def test_slug_is_made_from_the_name(
    project_name: str, slug: str, template: Path, tmp_path: Path
) -> None:
    assert bake(template, tmp_path, project_name=project_name).name == slug


@pytest.mark.parametrize("slug", ["photos", "3d", "my_site", "my.site", LONG])
def test_lowercase_distribution_name_works_as_slug(
    slug: str, template: Path, tmp_path: Path
) -> None:
    project = bake(template, tmp_path, project_slug=slug)
    assert (
        tomllib.loads((project / "pyproject.toml").read_text(encoding="utf-8"))[
            "project"
        ]["name"]
        == slug
    )


def dependencies(project: Path) -> set[str]:
    """Return the direct and indirect dependencies of a project."""
    pyproject = tomllib.loads((project / "pyproject.toml").read_text(encoding="utf-8"))
    extras = chain.from_iterable(pyproject["project"]["optional-dependencies"].values())
    waiting = [
        *pyproject["project"]["dependencies"],
        *extras,
        *pyproject["dependency-groups"]["dev"],
    ]
    seen = set()
    while waiting:
        requirement = Requirement(waiting.pop())
        for extra in ["", *requirement.extras]:
            package = (canonicalize_name(requirement.name), extra)
            if package not in seen:
                seen.add(package)
                nested = map(Requirement, requires(requirement.name) or [])
                waiting += [
                    str(it)
                    for it in nested
                    if not it.marker or it.marker.evaluate({"extra": extra})
                ]
    return {package for package, _ in seen}


def test_names_of_dependencies_and_folders_are_rejected_as_slug(
    pristine: Project,
) -> None:
    names = set()
    for answers in PYTHON_COMBINATIONS:
        project = pristine(answers)
        names |= dependencies(project)
        names |= {
            path.name
            for path in project.iterdir()
            if path.is_dir() and not path.name.startswith(".")
        }
    slug_problem = refusals()["slug_problem"]
    missing = [it for it in sorted(names) if not slug_problem(it)]
    assert not missing, (
        f"Add these names to TAKEN in secure_django_refusals.py: {', '.join(missing)}"
        f"\n{FORK_TABLE}settings, such as those of single sign-on"
    )


SHOW = """
import django, json
django.setup()
from django.conf import settings
from django.template.loader import render_to_string
from django.test import Client, RequestFactory
security = Client().get("/.well-known/security.txt", SERVER_NAME="localhost")
print(json.dumps({
    "name": settings.SITE_NAME,
    "description": settings.SITE_DESCRIPTION,
    "domain": settings.DOMAIN_NAME,
    "page": render_to_string("home.html", request=RequestFactory().get("/")),
    "security": security.text,
}))
"""


# Without features there are fewer files, and no other place for the name; only lines of
# another length.
UNUSUAL = [*((site, ALL_ON) for site in NAMES.values()), (NAMES["longest"], ALL_OFF)]
# The quick tier has the name with the most letters that code could take for its own.
MARKS = [[], *([WHOLE] for _ in UNUSUAL[1:])]


@pytest.mark.parametrize(
    ("site", "answers"),
    [
        pytest.param(*values, marks=marks)
        for values, marks in zip(UNUSUAL, MARKS, strict=True)
    ],
    ids=[*NAMES, "longest, without features"],
)
def test_unusual_names_work_in_settings_pages_and_documents(
    site: str, answers: Answers, template: Path, tmp_path: Path
) -> None:
    description = f'"""{site}""": a \\backslash, a "quote" and a trailing one \\'
    names = {
        "project_name": site,
        "author_name": site,
        "description": description,
        "domain_name": DOMAIN,
    }
    project = bake(template, tmp_path, **names, **answers)

    metadata = tomllib.loads((project / "pyproject.toml").read_text(encoding="utf-8"))[
        "project"
    ]
    assert metadata["description"] == description
    assert metadata["authors"] == [{"name": site, "email": f"security@{DOMAIN}"}]

    settings = {"DJANGO_SETTINGS_MODULE": "config.settings"}
    shown = json.loads(
        run(
            project, sys.executable, "-W", "ignore", "-c", SHOW, **settings
        ).splitlines()[-1]
    )
    assert (shown["name"], shown["description"], shown["domain"]) == (
        site,
        description,
        DOMAIN,
    )
    assert html.escape(site) in shown["page"]
    assert html.escape(description) in shown["page"]
    assert "<b>" not in shown["page"]
    assert f"Contact: mailto:security@{DOMAIN}" in shown["security"]
    # In development the site answers for this host alone.
    assert "https://localhost/.well-known/security.txt" in shown["security"]

    assert site in (project / "README.md").read_text(encoding="utf-8")
    run(project, "ruff", "check", "--no-cache")
    run(project, "ruff", "format", "--check", "--no-cache")
