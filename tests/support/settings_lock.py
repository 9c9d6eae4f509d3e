"""The settings.lock of generated projects, and that of the test site.

    uv run python -m tests.support.settings_lock

The raw folder has one with line statements, merged from projects with everything,
with one feature less, and for a platform. Run this after a change of settings or of
their defaults.
"""

import sys
import tempfile
from difflib import SequenceMatcher
from itertools import chain
from pathlib import Path

from tests.support.baking import (
    ALL_ON,
    ON_PLATFORM,
    RAW,
    ROOT,
    Answers,
    bake,
    copy_template,
    run,
)

NAME = "settings.lock"
RAW_FILE = ROOT / RAW / NAME
SITE = ROOT / "tests" / "site"
ON_SERVER = 'deployment == "server"'
OPPOSITES = {ON_SERVER: 'cookiecutter.deployment == "platform"'}
FEATURES = ("gallery", "auth_app", "cloudinary_moderation")
# Answers that occur nowhere else, and what the raw folder has in their place.
ANSWERS = {
    "project_name": "Name of the Site",
    "description": "Words about the site.",
    "domain_name": "domain.of.the.site.example",
    "author_email": "mailbox@of.the.site.example",
}
EXPRESSIONS = {
    answer: f"{{{{ cookiecutter.{'__' * (prompt == 'description')}{prompt} }}}}"
    for prompt, answer in ANSWERS.items()
}


def compute(project: Path) -> str:
    """Return what settings.lock of a project has to be."""
    program = (
        "from pathlib import Path; from secure_django.conf.lock import load_text;"
        " print(load_text(Path.cwd()), end='')"
    )
    return run(project, sys.executable, "-c", program, PYTHONPATH=str(project))


def merge(whole: list[str], without: dict[str, list[str]]) -> list[str]:
    """Return the lines of a project with everything, with line statements.

    `without` has the lines of the project for which a condition does not hold.
    """
    before: dict[int, list[str]] = {}
    after: dict[int, list[str]] = {}
    for condition, lines in without.items():
        matcher = SequenceMatcher(None, whole, lines, autojunk=False)
        for kind, start, end, other_start, other_end in matcher.get_opcodes():
            if kind == "equal":
                continue
            before.setdefault(start, [])
            if end > start:
                before[start].append(f"# % if cookiecutter.{condition}")
                after.setdefault(end - 1, []).append("# % endif")
            if other_end > other_start:
                opposite = OPPOSITES.get(condition, f"not cookiecutter.{condition}")
                others = [
                    f"# % if {opposite}",
                    *lines[other_start:other_end],
                    "# % endif",
                ]
                before[start] = [*others, *before[start]]
    return [
        *chain.from_iterable(
            (*before.get(number, ()), line, *after.get(number, ()))
            for number, line in enumerate(whole)
        ),
        *before.get(len(whole), ()),
    ]


def make_raw(folder: Path) -> str:
    """Return the raw file, from projects that are generated in a folder."""
    template = copy_template(folder / "template")

    def lines(name: str, answers: Answers) -> list[str]:
        project = bake(template, folder / name, **answers, **ANSWERS)
        return compute(project).splitlines()

    whole = lines("whole", ALL_ON)
    without = {
        feature: lines(feature, ALL_ON | {feature: False}) for feature in FEATURES
    }
    without[ON_SERVER] = lines("platform", ON_PLATFORM)
    text = "\n".join(merge(whole, without)) + "\n"
    for answer, expression in EXPRESSIONS.items():
        text = text.replace(answer, expression)
    return text


def main() -> None:
    """Write the raw file and that of the test site."""
    with tempfile.TemporaryDirectory() as folder:
        raw = make_raw(Path(folder))
    RAW_FILE.write_text(raw, encoding="utf-8", newline="\n")
    (SITE / NAME).write_text(compute(SITE), encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
