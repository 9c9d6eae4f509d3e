"""Refuse compiled code that Git tracks, and delete what else Python has left of it.

    python3 -I scans/bytecode.py          in a clone, before Python runs the project
    python3 -I scans/bytecode.py --all    where each file comes from a commit

Python runs __pycache__/x.pyc in place of x.py, which is what a review has seen. This
file imports nothing of the project, and -I keeps the project's folder out of sys.path.
"""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# What an import runs, and .pth, whose lines run whenever Python starts.
COMPILED = re.compile(r"(^|/)__pycache__(/|\Z)|\.(pyc|pyd|pyo|pth|so)\Z", re.IGNORECASE)


def git(*words: str) -> str:
    process = subprocess.run(  # noqa: S603 - constant words, no shell
        ["git", *words],  # noqa: S607 - from the path
        cwd=ROOT,
        capture_output=True,
        encoding="utf-8",
        errors="replace",
    )
    if process.returncode:
        sys.exit(f"Git failed: {process.stderr}")
    return process.stdout


def main() -> None:
    takes_all = "--all" in sys.argv
    if takes_all:
        names = [path.relative_to(ROOT).as_posix() for path in ROOT.rglob("*")]
    else:
        names = git("ls-files", "-z", "--recurse-submodules").split("\0")
    compiled = [name for name in names if COMPILED.search(name)]
    if compiled:
        print(*map(ascii, compiled), sep="\n")
        sys.exit("Nobody can review these files: take them out by `git rm --cached`.")
    if not takes_all:
        git("clean", "-ffdxq", "--", "*.pyc", "*__pycache__*")


if __name__ == "__main__":
    main()
