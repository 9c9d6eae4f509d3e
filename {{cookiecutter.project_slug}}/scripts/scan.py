"""What every scan shares: running a tool, and saying that it could not look."""

import os
import shutil
import subprocess
import urllib.error
import urllib.request


class NotRun(Exception):
    """Says why a tool could not look: no failure for a person without network or Docker, always one in CI."""


def run(*command: str, capture: bool = True, **environment: str) -> subprocess.CompletedProcess[str]:
    """Runs a tool to its end, whatever its exit code; those who call know what the code means."""
    program = shutil.which(command[0])  # finds the .bat and .cmd of Windows too
    if program is None:
        raise NotRun(f"{command[0]} is not installed")
    return subprocess.run(  # noqa: S603 - no shell, and every argument is ours
        [program, *command[1:]],
        env=os.environ | environment,
        capture_output=capture,
        encoding="utf-8",
        errors="replace",
    )


def expect(done: subprocess.CompletedProcess[str], *codes: int) -> None:
    """Raises unless the exit code is one by which the tool says that it did its work."""
    if done.returncode not in codes:
        lines = [line.strip() for line in f"{done.stdout}\n{done.stderr}".splitlines() if line.strip()]
        errors = [line for line in lines if line.lower().startswith(("error", "fatal"))]
        raise NotRun(f"exit code {done.returncode}: {(errors or lines or ['no output'])[-1]}")


def reach(url: str) -> None:
    """Raises within seconds when a source of data is out of reach, where the tools would try for minutes."""
    try:
        # Fixed addresses, or a mirror that the environment names.
        urllib.request.urlopen(url, timeout=10).close()  # noqa: S310  # nosec B310
    except urllib.error.HTTPError:
        return  # an answer, if not a page
    except OSError as error:
        raise NotRun(f"{url.split('/')[2]} is out of reach") from error
