"""Refuse compiled code that Git tracks, and delete what else there is of it.

    python3 -I scans/bytecode.py          in a clone, before Python runs the project
    python3 -I scans/bytecode.py --all    where each file comes from a commit

Python runs __pycache__/x.pyc in place of x.py, which is what a review has seen. This
file imports nothing of the project, and -I keeps the project's folder out of sys.path.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# What an import runs, and .pth, whose lines run whenever Python starts.
SUFFIXES = (".pyc", ".pyd", ".pyo", ".pth", ".so")


def is_compiled(name: str) -> bool:
    # On some file systems, __PYCACHE__ is the same folder.
    name = name.casefold()
    return "__pycache__" in name.split("/") or name.endswith(SUFFIXES)


def tracked_names() -> list[str]:
    command = ["git", "ls-files", "-z", "--recurse-submodules"]
    try:
        listing = subprocess.run(  # noqa: S603 - constant arguments, no shell
            command, cwd=ROOT, capture_output=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        sys.exit("Git cannot list the files of this folder. --all takes every file.")
    return listing.stdout.decode(errors="replace").split("\0")


def compiled_paths() -> list[Path]:
    """Return what is compiled in this folder, except in environments and .git."""
    paths: list[Path] = []
    for parent, folders, files in os.walk(ROOT):
        paths += [
            Path(parent, name) for name in [*folders, *files] if is_compiled(name)
        ]
        folders[:] = [name for name in folders if not is_left_alone(parent, name)]
    return paths


def is_left_alone(parent: str, folder: str) -> bool:
    is_environment = Path(parent, folder, "pyvenv.cfg").is_file()
    return is_environment or is_compiled(folder) or folder.startswith(".")


def remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()


def main() -> None:
    if "--all" in sys.argv:
        names = [path.relative_to(ROOT).as_posix() for path in ROOT.rglob("*")]
    else:
        names = tracked_names()
    refused = [name for name in names if is_compiled(name)]
    if refused:
        print(*map(ascii, refused), sep="\n")
        sys.exit("Nobody can review these files: take them out by `git rm --cached`.")
    for path in compiled_paths():
        remove(path)


if __name__ == "__main__":
    main()
