"""A part of cookiecutter's template engine, which refuses answers.

Cookiecutter would drop those without effect, without a word. This part is loaded before
the first prompt, and again for the files and the hook. The name of the project's folder
is rendered before anything is written: then the answers are all known, and the invalid
ones are refused. The hook receives the prompts from this part.
"""

import atexit
import json
import shutil
import sys
from copy import deepcopy
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import click
from cookiecutter.config import get_user_config
from cookiecutter.exceptions import FailedHookException
from cookiecutter.generate import apply_overwrites_to_context
from jinja2 import Environment, pass_context
from jinja2.ext import Extension
from jinja2.runtime import Context

import secure_django_refusals

RAW = "{{cookiecutter.project_slug}}"
PROMPTS: dict[str, Any] = json.loads(
    Path(__file__).with_name("cookiecutter.json").read_text(encoding="utf-8")
)


# Older ones give booleans as text, or have the wrong version in `__version__`.
OLDEST = (2, 7, 1)


class Answers(Extension):
    """Stop at an answer without effect, or an invalid one.

    Give the hook the prompts and the raw folder.
    """

    def __init__(self, environment: Environment) -> None:
        """Check the answers that are known before the first prompt."""
        super().__init__(environment)
        check()
        # In their order, which `jsonify` would sort.
        environment.globals["prompts"] = json.dumps(secure_django_refusals.PROMPTS)
        # The hook is rendered in the template's folder. In a list, since the quotes of
        # a text would end the raw string.
        environment.globals["raw_folder"] = json.dumps([str(Path.cwd() / RAW)])
        environment.filters["project_folder"] = self.folder_of
        self.is_checked = False

    def preprocess(
        self,
        source: str,
        name: str | None,  # noqa: ARG002
        filename: str | None = None,  # noqa: ARG002
    ) -> str:
        """Let a function of this module have the name of the project's folder."""
        return source.replace(RAW, RAW.replace("}}", " | project_folder }}"))

    @pass_context
    def folder_of(self, context: Context, slug: object) -> str:
        """Return the name of the project's folder, or refuse the answers.

        Only the first time: later, the folder holds the project itself.
        """
        if not self.is_checked:
            self.is_checked = True
            check_answers(dict(context["cookiecutter"]))
        return project_folder(str(slug))


def check_answers(answers: dict[str, Any]) -> None:
    """End with what is wrong with the answers, if anything is.

    A program that calls cookiecutter gets an exception of cookiecutter's own.
    """
    slug = folder_name(str(answers["project_slug"]))
    folder = Path(answers.get("_output_dir", ""), slug).absolute()
    text = secure_django_refusals.refusal(answers, folder)
    if not text:
        return
    if click.get_current_context(silent=True):
        sys.exit(text)
    raise FailedHookException(text)


def folder_name(slug: str) -> str:
    """Return a slug without slashes.

    Of folders in folders, a refusal would remove only the innermost.
    """
    return slug.replace("/", "-").replace("\\", "-")


@cache
def project_folder(slug: str) -> str:
    """Return the name of the project's folder, and see to its removal if incomplete."""
    name = folder_name(slug)
    command = click.get_current_context(silent=True)
    options = command.params if command else {}  # of cruft, it has others
    if "output_dir" in options and not options.get("keep_project_on_failure"):
        folder = Path(options["output_dir"], name).absolute()
        if not folder.exists():
            atexit.register(remove_incomplete, folder)
    return name


def remove_incomplete(folder: Path) -> None:
    """Remove a project that Ctrl-C stopped before its hook wrote the last file."""
    if folder.is_dir() and not (folder / ".cruft.json").exists():
        shutil.rmtree(folder, ignore_errors=True)


# Once, before the hook: it is rendered in another folder, where a relative path of
# the configuration file leads nowhere.
@cache
def check() -> None:
    """End with a sentence for each answer without effect, or an old cookiecutter."""
    installed = version("cookiecutter")
    if tuple(map(int, installed.split(".")[:3])) < OLDEST:
        oldest = ".".join(map(str, OLDEST))
        sys.exit(
            f"secure-django needs cookiecutter {oldest}, "
            f"this is {installed}; type uvx cookiecutter@latest"
        )
    command = click.get_current_context(silent=True)
    # Empty if cookiecutter is called from Python.
    options = command.params if command else {}
    config = get_user_config(
        options.get("config_file"), options.get("default_config") or False
    )
    if problems := [
        *unknown(options.get("extra_context")),
        *wrong(config["default_context"]),
    ]:
        sys.exit("\n".join(problems))


def unknown(answers: object) -> list[str]:
    """Return a sentence for each answer on the command line that no prompt has."""
    names = answers if isinstance(answers, dict) else {}  # cruft has a text there
    prompts = ", ".join(name for name in PROMPTS if not name.startswith("_"))
    return [
        f"There is no prompt {name}; type one of {prompts}."
        for name in names
        if name not in PROMPTS
    ]


def wrong(defaults: dict[str, Any]) -> list[str]:
    """Return a sentence for each configured value that would reset those after it."""
    problems = []
    for name, value in defaults.items():
        try:
            # On a copy, which it changes.
            apply_overwrites_to_context(deepcopy(PROMPTS), {name: value})
        except ValueError:
            choices = " or ".join(
                PROMPTS[name] if isinstance(PROMPTS[name], list) else ["yes", "no"]
            )
            problems.append(
                f"Your configuration file says {name}: {value}; "
                f"write {choices}, or add --default-config."
            )
    return problems
