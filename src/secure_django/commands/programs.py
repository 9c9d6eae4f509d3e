"""The project that a command works on, and the programs that commands run."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

# What a tool calls its error: from there on, its output is the reason.
ERROR = re.compile(r"^(?:error|fatal)\b.*", re.DOTALL | re.IGNORECASE | re.MULTILINE)


class NotRun(Exception):
    """The reason why a command did not do its work."""


def check_project() -> None:
    """End with a sentence unless the current folder is that of a project."""
    if not Path("manage.py").is_file():
        sys.exit(
            "There is no manage.py in this folder: run the command in the folder of a"
            " project."
        )


def run(*command: str, findings_code: int = 0, **environment: str) -> str:
    """Return a tool's output; raise NotRun with its error if it fails.

    It succeeds with the exit code 0, or with `findings_code` and a report.
    """
    program = shutil.which(command[0])  # finds the .bat and .cmd of Windows too
    if program is None:
        raise NotRun(f"{command[0]} is not installed")
    variables = os.environ | {"PYTHONIOENCODING": "utf-8"} | environment
    process = subprocess.run(  # noqa: S603 - no shell, and all arguments come from this project
        [program, *command[1:]],
        env=variables,
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        check=False,
    )
    has_findings = process.returncode == findings_code and process.stdout
    if process.returncode and not has_findings:
        reason = describe_error(f"{process.stdout}\n{process.stderr}".strip())
        raise NotRun(f"exit code {process.returncode}: {reason}")
    return process.stdout


def describe_error(output: str) -> str:
    """Return the error in an output as one line, or else the last line."""
    match = ERROR.search(output)
    reason = match[0] if match else output.rpartition("\n")[2]
    return " ".join(reason.split())[:300] or "no output"
