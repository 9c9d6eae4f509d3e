"""The page of all projects: one table, without scripts."""

from html import escape
from typing import NamedTuple

from secure_django.fleet.forms import Evidence
from secure_django.fleet.problems import Kind, Problem
from secure_django.untrusted import printable

MOST_PROBLEMS = 50  # of a project, in its row

PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Evidence</title>
<style>
  :root {{ color-scheme: light dark; font: 0.8rem/1.3 system-ui, sans-serif; }}
  table {{ border-collapse: collapse; }}
  th, td {{ padding: 0.1rem 0.5rem 0.1rem 0; text-align: start; vertical-align: top; }}
  td:not(:last-child) {{ white-space: nowrap; }}
  ul {{ margin: 0; padding: 0; list-style: none; }}
  .fix {{ background: light-dark(#f9b9ae, #6d150c); }}
  .edited {{ background: light-dark(#f3c4e4, #5a1450); }}
  .red {{ background: light-dark(#fddcd6, #4a1c16); }}
  .unknown {{ background: light-dark(#dfe3ea, #333a45); }}
  .release {{ background: light-dark(#fde8c4, #4a3410); }}
  .decision {{ background: light-dark(#d8ecfb, #123a54); }}
</style>
<h1>{title}</h1>
<table>
<tr><th>project<th>package<th>commit<th>day<th>result<th>shown<th>problems</tr>
{rows}
</table>
</html>
"""


class Row(NamedTuple):
    """A project of the page."""

    cells: list[str]
    problems: list[Problem]

    @property
    def kind(self) -> Kind | None:
        """Return the kind of the worst problem."""
        return self.problems[0].kind if self.problems else None

    @property
    def is_failure(self) -> bool:
        """Return whether there is more than what the team has decided."""
        return self.kind is not None and self.kind < Kind.DECISION

    @property
    def texts(self) -> list[str]:
        return [problem.text for problem in self.problems]


def make_row(name: str, evidence: Evidence | None, problems: list[Problem]) -> Row:
    """Return the row of a project, whose evidence may be missing or damaged.

    Its texts change neither a terminal nor other rows.
    """
    cells = [name, *describe_evidence(evidence)]
    ordered = sorted(problems, key=lambda problem: problem.kind)
    shown = [
        Problem(problem.kind, printable(problem.text))
        for problem in ordered[:MOST_PROBLEMS]
    ]
    more = ordered[MOST_PROBLEMS:]
    if more:
        shown.append(Problem(more[0].kind, f"{len(more)} more problems"))
    return Row([*map(printable, cells)], shown)


def describe_evidence(evidence: Evidence | None) -> list[str]:
    """Return the cells between a name and its problems."""
    if evidence is None:
        return [""] * 5
    states = [control["state"] for control in evidence["controls"]]
    shown = states.count("shown")
    by_release = states.count("shown by the release")
    commit, dash, dirty = (evidence["commit"] or "").partition("-")
    return [
        evidence["package"],
        commit[:10] + dash + dirty,
        evidence["time"][:10],
        evidence["result"],
        f"{shown} + {by_release}",
    ]


def describe(rows: list[Row]) -> str:
    """Return how many projects there are, and how many have problems."""
    failed = sum(row.is_failure for row in rows)
    return f"{len(rows)} projects, {failed} with problems"


def render_row(row: Row) -> str:
    cells = "".join(f"<td>{escape(cell)}" for cell in row.cells)
    items = "".join(f"<li>{escape(text)}" for text in row.texts)
    last = f"<td><ul>{items}</ul>" if items else "<td>"
    style = "" if row.kind is None else f" class={row.kind.name.lower()}"
    return f"<tr{style}>{cells}{last}</tr>"


def render(rows: list[Row]) -> str:
    """Return the page, in HTML."""
    lines = "\n".join(render_row(row) for row in rows)
    return PAGE.format(title=describe(rows), rows=lines)
