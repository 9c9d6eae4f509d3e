"""The project that a command works on, and the programs that commands run."""

import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

# What a tool calls its error: from there on, its output is the reason.
ERROR = re.compile(r"^(?:error|fatal)\b.*", re.DOTALL | re.IGNORECASE | re.MULTILINE)
# Where Git may clone from, after a redirect too: what arrives is code, or says which
# code is vulnerable.
SAFE_PROTOCOLS = "https:ssh:file"


class NotRun(Exception):
    """The reason why a command did not do its work."""


class PartlyRun(NotRun):
    """The reason why a part of the work was not done, beside what the rest found."""

    def __init__(self, reason: str, findings: list[str]) -> None:
        super().__init__(reason)
        self.findings = findings


def check_project() -> None:
    """End with a sentence unless the current folder is that of a project."""
    if not Path("manage.py").is_file():
        sys.exit(
            "There is no manage.py in this folder: run the command in the folder of a"
            " project."
        )


def run(
    *command: str,
    findings_code: int = 0,
    seconds: float | None = None,
    **environment: str,
) -> str:
    """Return a tool's output; raise NotRun with its error if it fails.

    It succeeds with the exit code 0, or with `findings_code` and a report. After
    `seconds`, it is ended.
    """
    program = shutil.which(command[0])  # finds the .bat and .cmd of Windows too
    if program is None:
        raise NotRun(f"{command[0]} is not installed")
    variables = os.environ | {"PYTHONIOENCODING": "utf-8"} | environment
    process = subprocess.Popen(  # noqa: S603 - no shell, and all arguments come from this project
        [program, *command[1:]],
        env=variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        errors="replace",
        # What the tool has started ends with it.
        start_new_session=seconds is not None and os.name == "posix",
    )
    try:
        output, errors = process.communicate(timeout=seconds)
    except BaseException as error:
        end_group(process, is_group=seconds is not None)
        if isinstance(error, subprocess.TimeoutExpired):
            message = f"{command[0]} did not end within {seconds:.0f} seconds"
            raise NotRun(message) from error
        raise
    has_findings = process.returncode == findings_code and output
    if process.returncode and not has_findings:
        reason = describe_error(f"{output}\n{errors}".strip())
        raise NotRun(f"exit code {process.returncode}: {reason}")
    return output


def end_group(process: subprocess.Popen[str], *, is_group: bool) -> None:
    """Kill a process, and what it has started if both have a group of their own."""
    if is_group and os.name == "posix":
        os.killpg(process.pid, signal.SIGKILL)
    process.kill()
    for pipe in (process.stdout, process.stderr):
        if pipe:
            pipe.close()
    process.wait()


def describe_error(output: str) -> str:
    """Return the error in an output as one line, or else the last line."""
    match = ERROR.search(output)
    reason = match[0] if match else output.rpartition("\n")[2]
    return " ".join(reason.split())[:300] or "no output"
