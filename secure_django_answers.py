"""A part of cookiecutter's template engine, which refuses answers without effect.

Cookiecutter would drop them without a word. This part is loaded before the first
prompt, and again for the files and the hooks. The hooks receive the prompts from it.
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
from cookiecutter.generate import apply_overwrites_to_context
from jinja2 import Environment
from jinja2.ext import Extension

RAW = "{{cookiecutter.project_slug}}"
PROMPTS: dict[str, Any] = json.loads(
    Path(__file__).with_name("cookiecutter.json").read_text(encoding="utf-8")
)


# Older ones give booleans as text, or have the wrong version in `__version__`.
OLDEST = (2, 7, 1)


class Answers(Extension):
    """Stop at an answer without effect; give the hooks the prompts and raw folder."""

    def __init__(self, environment: Environment) -> None:
        """Check the answers that are known before the first prompt."""
        super().__init__(environment)
        check()
        prompts = {
            name: default
            for name, default in PROMPTS.items()
            if not name.startswith("_")
        }
        # In their order, which `jsonify` would sort.
        environment.globals["prompts"] = json.dumps(prompts)
        # Hooks are rendered in the template's folder. In a list, since the quotes of a
        # text would end the raw string.
        environment.globals["raw_folder"] = json.dumps([str(Path.cwd() / RAW)])
        environment.filters["project_folder"] = project_folder

    def preprocess(
        self,
        source: str,
        name: str | None,  # noqa: ARG002
        filename: str | None = None,  # noqa: ARG002
    ) -> str:
        """Let a function of this module have the name of the project's folder."""
        return source.replace(RAW, RAW.replace("}}", " | project_folder }}"))


@cache
def project_folder(slug: str) -> str:
    """Return the name of the project's folder, and see to its removal if incomplete.

    It has no slashes: of folders in folders, a refusal removes only the innermost.
    """
    name = slug.replace("/", "-").replace("\\", "-")
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


# Once, before the hooks: they are rendered in another folder, where a relative path of
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
