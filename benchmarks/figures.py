"""Write the figures of README.md, between comments.

Some are counted now, others are the results of long runs. When they differ,
tests/template/test_upstream.py fails. Then run: uv run python -m benchmarks.figures
"""

import json
import re
from datetime import date
from pathlib import Path
from typing import Any

from benchmarks import RESULTS, generated, size
from tests.support.baking import ALL_OFF, ALL_ON, COMBINATIONS, ROOT
from tests.support.corpus import FILES

README = ROOT / "README.md"
START = "<!-- Written by: uv run python -m benchmarks.figures -->\n"
END = "<!-- End of the figures -->\n"
SENTENCE_START = "<!-- benchmarks.figures -->"
SENTENCE_END = "<!-- end -->"

# The smallest project of the most used template, and the largest project of another.
PEERS = ("cookiecutter-django by default", "django-keel with every option")


def controls(project: Path) -> set[str]:
    """Return the ids of the controls that the package and a project's apps list."""
    package = size.PACKAGE / "secure_django"
    documents = [package / "docs" / "security.md", *package.rglob("SECURITY.md")]
    documents += project.glob("[a-uw-z]*/SECURITY.md")  # not vendor/
    text = "".join(document.read_text(encoding="utf-8") for document in documents)
    return set(re.findall(r"^\| (\S+) \| .+ \| `test_", text, re.MULTILINE))


def failures() -> int:
    """Return in how many ways Cloudinary fails in its tests.

    Their module cannot be imported here: it needs the settings of the test site.
    """
    module = ROOT / "tests" / "photos" / "cloudinary" / "test_faults.py"
    source = module.read_text(encoding="utf-8")
    _, _, rest = source.partition("\nFAULTS: dict[str, Fault] = ")
    table, _, _ = rest.partition("\n}\n")
    names: list[str] = re.findall(r'^    "(.+?)": ', table, re.MULTILINE)
    return sum(not name.startswith("good") for name in names)


def more_than(number: int) -> str:
    """Return a bound that seldom changes."""
    return f"more than {(number - 1) // 10 * 10}"


def day(text: str) -> str:
    """Return a date for readers."""
    when = date.fromisoformat(text)
    return f"{when.day} {when:%B %Y}"


def round_size(project: Path) -> str:
    """Return the lines and the complexity of a project, in words that seldom change."""
    project_size = size.count(project)
    lines = round(project_size.lines, -2)
    complexity = round(project_size.complexity, -1)
    return f"about {lines:,} and {complexity}"


def compare_sizes(nothing: Path, everything: Path, recorded: dict[str, Any]) -> str:
    """Return the sizes of two projects, beside those of other templates' projects."""
    sizes = [round_size(nothing), f"with every feature, {round_size(everything)}"]
    for name in PEERS:
        peer = recorded["peers"][name]
        sizes.append(f"{name}, {peer['lines']:,} and {peer['complexity']}")
    return f"{'; '.join(sizes)} ({day(recorded['date'])})"


def sentence() -> str:
    """Return what the checks notice of code that was added in a hurry."""
    results = json.loads(RESULTS.read_text(encoding="utf-8"))
    hurried = results["hurried"]
    found = hurried["prevented"] + hurried["noticed"]
    return (
        f"{SENTENCE_START}Of {hurried['weaknesses']} weaknesses in"
        f" {hurried['features']} features that were written in a hurry, a project"
        f" prevents or names {found}.{SENTENCE_END}"
    )


def block(nothing: Path, everything: Path) -> str:
    """Return the table of figures, between the comments.

    The projects are those with nothing and with everything chosen.
    """
    results = json.loads(RESULTS.read_text(encoding="utf-8"))
    attack, log_in, mutants, mutations = (
        results[name] for name in ("attack", "log_in", "mutants", "mutations")
    )
    refused = sum(bool(file.error) for file in FILES.values())
    share = f"{mutants['noticed'] / mutants['started']:.0%}".replace("%", " %")
    controlled, everywhere = (
        more_than(len(controls(project))) for project in (nothing, everything)
    )
    kept = f"{attack['honest']} photos of other users get in"
    rows = [
        ("what", "figure"),
        ("---", "---"),
        (
            "lines of Python you own, without comments and tests; their complexity",
            compare_sizes(nothing, everything, results["size"]),
        ),
        (
            "security controls, each with its test",
            f"{controlled}; with every feature, {everywhere}",
        ),
        (
            "combinations of features that are generated and checked",
            len(COMBINATIONS),
        ),
        (
            (
                "controls that the template breaks, one at a time, and the project's"
                " tests notice"
            ),
            (
                f"{mutations['detected']} of {mutations['broken']}"
                f" ({day(mutations['date'])})"
            ),
        ),
        (
            "changes at random places that these tests notice",
            f"{share} of {mutants['started']} ({day(mutants['date'])})",
        ),
        (
            "malformed or malicious files that are uploaded",
            (
                f"{len(FILES)}: {refused} are refused for the documented reason,"
                f" {len(FILES) - refused} re-encoded"
            ),
        ),
        (
            (
                "kinds of failure of Cloudinary, at three stages each; no photo is lost"
                " or published too early"
            ),
            failures(),
        ),
        (
            (
                "wrong passwords that are checked, of 50 sent at once from 50 IP"
                " addresses to one account"
            ),
            f"{log_in['checked']} ({day(log_in['date'])})",
        ),
        (
            (
                "a member's page behind nginx while 16 connections of up to 16 accounts"
                " send the slowest images known, relative to the median at rest"
            ),
            (
                f"p50 {attack['p50']} times, p99 {attack['p99']} times; {kept}"
                f" ({day(attack['date'])})"
            ),
        ),
    ]
    return START + "".join(f"| {what} | {figure} |\n" for what, figure in rows) + END


def main() -> None:
    """Write the block."""
    with generated(ALL_OFF) as nothing, generated(ALL_ON) as everything:
        figures = block(nothing, everything)
    text = README.read_text(encoding="utf-8")
    before, _, rest = text.partition(START)
    text = before + figures + rest.partition(END)[2]
    before, _, rest = text.partition(SENTENCE_START)
    text = before + sentence() + rest.partition(SENTENCE_END)[2]
    README.write_text(text, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
