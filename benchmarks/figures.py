"""Write the figures of README.md, between two comments: what is counted now, and the results of long runs.

tests/test_documents.py fails when they differ. Then run: uv run python -m benchmarks.figures
"""

import json
import re
from datetime import date
from pathlib import Path

from benchmarks import RESULTS, generated, size
from tests.support.baking import ALL_OFF, ALL_ON, COMBINATIONS, ROOT
from tests.support.corpus import FILES

README = ROOT / "README.md"
START, END = "<!-- Written by: uv run python -m benchmarks.figures -->\n", "<!-- End of the figures -->\n"


def controls(project: Path) -> set[str]:
    """Return the ids of the controls that a project lists."""
    documents = [project / "SECURITY.md", *project.glob("[a-z]*/**/SECURITY.md")]
    text = "".join(document.read_text(encoding="utf-8") for document in documents)
    return set(re.findall(r"^\| (\S+) \| .+ \| `test_", text, re.MULTILINE))


def failures() -> int:
    """Return the number of ways in which Cloudinary fails in its tests, whose module runs inside a project only."""
    source = (ROOT / "tests" / "cloudinary" / "inside" / "faults.py").read_text(encoding="utf-8")
    _, _, table = source.partition("\nFAULTS: dict[str, Fault] = ")
    names: list[str] = re.findall(r'^    "(.+?)": ', table.split("\n}\n")[0], re.MULTILINE)
    return sum(not name.startswith("good") for name in names)


def more_than(number: int) -> str:
    """Return a bound that seldom changes."""
    return f"more than {(number - 1) // 10 * 10}"


def day(text: str) -> str:
    """Return a date for readers."""
    when = date.fromisoformat(text)
    return f"{when.day} {when:%B %Y}"


def block(nothing: Path, everything: Path) -> str:
    """Return the figures, of projects with nothing and with everything chosen, as a table between the comments."""
    results = json.loads(RESULTS.read_text(encoding="utf-8"))
    attack, log_in, mutants, mutations = (results[name] for name in ("attack", "log_in", "mutants", "mutations"))
    least, most = (f"{round(size.count(project).lines, -2):,}" for project in (nothing, everything))
    refused = sum(bool(file.error) for file in FILES.values())
    share = f"{mutants['noticed'] / mutants['started']:.0%}".replace("%", " %")
    controlled, everywhere = (more_than(len(controls(project))) for project in (nothing, everything))
    kept = f"{attack['honest']} photos of other users get in"
    rows = [
        ("what", "figure"),
        ("---", "---"),
        (
            "lines of Python and shell that you own, tests aside",
            f"about {least}; with every feature, about {most}",
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
            "controls that the template breaks, one at a time, and the project's tests notice",
            f"{mutations['detected']} of {mutations['broken']} ({day(mutations['date'])})",
        ),
        (
            "changes at random places that these tests notice",
            f"{share} of {mutants['started']} ({day(mutants['date'])})",
        ),
        (
            "malformed or malicious files that are uploaded",
            f"{len(FILES)}: {refused} are refused for the documented reason, {len(FILES) - refused} re-encoded",
        ),
        (
            "kinds of failure of Cloudinary, at three stages each; no photo is lost or published too early",
            failures(),
        ),
        (
            "wrong passwords that are checked, of 50 sent at once from 50 IP addresses to one account",
            f"{log_in['checked']} ({day(log_in['date'])})",
        ),
        (
            "p99 of the gallery while up to 16 connections of 8 accounts send the slowest images known",
            f"{attack['p99']} ms; {kept} ({day(attack['date'])})",
        ),
    ]
    return START + "".join(f"| {what} | {figure} |\n" for what, figure in rows) + END


def main() -> None:
    """Write the block."""
    with generated(ALL_OFF) as nothing, generated(ALL_ON) as everything:
        figures = block(nothing, everything)
    before, _, rest = README.read_text(encoding="utf-8").partition(START)
    README.write_text(before + figures + rest.partition(END)[2], encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
