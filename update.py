"""Merge this release of the template into the project in the present folder. Nothing is committed.

`poe template-update` of a project runs it from a clone of the template. Both releases, the recorded and the new one,
are generated from the answers in .cruft.json. Git applies their difference as it applies any commit: a three-way merge
that follows renames. It needs only the standard library.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path, PurePosixPath
from typing import Any

TEMPLATE = Path(__file__).resolve().parent
RECORD, METADATA = Path(".cruft.json"), Path("pyproject.toml")
# The project's uv.lock does not cover this tool, so its cooldown is repeated.
COOKIECUTTER = ("uv", "tool", "run", "--exclude-newer", "7 days", "--from", "cookiecutter==2.7.1", "cookiecutter")
GIT = ("git", "-c", "user.name=secure-django", "-c", "user.email=template@localhost", "-c", "merge.renames=true")
ACTIONS = re.compile(r"^## (\d\S+),.*\n\n\*\*What to do:\*\* ((?:.+\n)+)", re.MULTILINE)

PIN = re.compile(r'(?<=")([A-Za-z0-9][\w.-]*)((?:\[[\w,-]+\])?[=~]=)(\d+(?:\.\d+)*)(?=[" ;])')

type Pins = dict[str, str]


def run(
    *command: str, folder: Path | None = None, env: dict[str, str] | None = None, codes: tuple[int, ...] = (0,)
) -> str:
    """Return a command's output; end with its error if its exit code is not one of `codes`."""
    done = subprocess.run(  # noqa: S603 - no shell
        command,
        check=False,
        cwd=folder,
        env=os.environ | (env or {}),
        capture_output=True,
        encoding="utf-8",
        errors="replace",
    )
    if done.returncode not in codes:
        sys.exit(f"{command[0]} failed: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


def is_newer(release: str, recorded: str) -> bool:
    """Tell whether a release has commits that the recorded one lacks."""
    if not run("git", "rev-parse", "--verify", "--quiet", f"{recorded}^0", folder=TEMPLATE, codes=(0, 1)):
        sys.exit(f"The template has no {recorded}: correct `template` or `commit` in {RECORD}.")
    return bool(run("git", "rev-list", "-1", f"{recorded}..{release}", folder=TEMPLATE))


def pins(metadata: Path) -> Pins:
    """Return the version of each pinned package."""
    text = metadata.read_text(encoding="utf-8") if metadata.is_file() else ""
    return {name: version for name, _, version in PIN.findall(text)}


def set_pins(metadata: Path, versions: Pins) -> None:
    """Write these versions into the pins of their packages."""
    text = metadata.read_text(encoding="utf-8")
    pinned = PIN.sub(lambda pin: pin[1] + pin[2] + versions.get(pin[1], pin[3]), text)
    metadata.write_text(pinned, encoding="utf-8", newline="\n")


def raised(old: Pins, new: Pins) -> Pins:
    """Return the pins that the release raises above this project's; one that this project lowered stays."""

    def number(version: str) -> tuple[int, ...]:
        return tuple(map(int, version.split(".")))

    return {
        name: new[name]
        for name, version in pins(METADATA).items()
        if name in old and name in new and number(old[name]) <= number(version) < number(new[name])
    }


def generate(folder: Path, release: str, record: dict[str, Any], *parent: str) -> tuple[str, Any, Pins]:
    """Generate a release, commit it beside this project's history, and return the commit, the new context and the pins.

    The commit has the versions of this project's pins. Both sides raise pins each week, in lines beside each other, so
    Git would find conflicts in every release.
    """
    output = folder / release
    config = folder / "config.json"  # defaults of this machine must not reach the project
    config.write_text(json.dumps({"cookiecutters_dir": str(output), "replay_dir": str(output)}), encoding="utf-8")
    run("git", "checkout", "--quiet", "--detach", release, folder=TEMPLATE)
    prompts = json.loads((TEMPLATE / "cookiecutter.json").read_text(encoding="utf-8"))
    recorded = record["context"]["cookiecutter"].items()
    answers = [f"{key}={value}" for key, value in recorded if key[0] != "_" and key in prompts]  # it may have gone
    options = ("--no-input", "--config-file", str(config), "--output-dir", str(output / "project"))
    try:
        run(*COOKIECUTTER, *options, str(TEMPLATE), *answers, env={"TMPDIR": str(folder)})  # the hooks leave files
    except SystemExit as failure:
        sys.exit(f"{failure}\n{release} cannot be generated. If it refuses an answer, correct the answer in {RECORD}.")
    (project,) = (output / "project").iterdir()
    context = json.loads((project / RECORD).read_text(encoding="utf-8"))["context"]
    for left_out in (RECORD, Path(".env")):
        (project / left_out).unlink()
    versions = pins(project / METADATA)
    set_pins(project / METADATA, pins(METADATA))
    own = {"GIT_DIR": run("git", "rev-parse", "--absolute-git-dir").strip(), "GIT_WORK_TREE": str(project)}
    own["GIT_INDEX_FILE"] = str(output / "index")
    run("git", "-c", "core.sparseCheckout=false", "add", "--all", "--force", folder=project, env=own)
    tree = run("git", "write-tree", folder=project, env=own).strip()
    return run(*GIT, "commit-tree", tree, *parent, "-m", f"Template {release}").strip(), context, versions


def changes() -> dict[str, str]:
    """Return the changed paths of the repository, each with the two letters of its state."""
    lines = run("git", "status", "--porcelain", "--no-renames", "-z").split("\0")[:-1]
    return {line[3:]: line[:2] for line in lines}


def overwritten(old: str, new: str) -> list[str]:
    """Return the ignored files of this project that files of the release would replace, without a way back."""
    added = run("git", "diff-tree", "-r", "-z", "--name-only", "--no-renames", "--diff-filter=A", old, new).split("\0")
    untracked = run("git", "ls-files", "--others", "-z").split("\0")
    return sorted({*added} & {*untracked} - {""})


def merge(old: str, new: str) -> tuple[list[str], list[str]]:
    """Merge the difference; return the paths in conflict, and those left out since this project removed them."""
    prefix = run("git", "rev-parse", "--show-prefix").strip()
    shift = [f"-Xsubtree={prefix}"] if prefix else []
    run(*GIT, "cherry-pick", "--no-commit", *shift, new, codes=(0, 1))
    folders = ("git", "ls-tree", "-rd", "--name-only", "--full-tree")
    before, now = (run(*folders, tree).splitlines() for tree in (old, f"HEAD:{prefix}"))
    removed = set(map(PurePosixPath, before)) - set(map(PurePosixPath, now))
    paths = {path.removeprefix(prefix): state for path, state in changes().items()}
    # DU: deleted by us, updated by them.
    left_out = [path for path, state in paths.items() if state == "DU" or removed & {*PurePosixPath(path).parents}]
    if left_out:
        run("git", "rm", "--quiet", "--force", "--", *left_out)
    marked = [path for path, state in paths.items() if "U" in state or state in {"AA", "DD"}]
    return [path for path in marked if path not in left_out], left_out


def main(release: str) -> int:
    """Return 1 if there are conflicts."""
    # A console that cannot show a character shows its code point.
    sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    try:
        run("git", "cat-file", "-e", f"HEAD:./{RECORD}")  # another project's repository may be around this one
    except SystemExit:
        sys.exit("Git merges the release: commit this project to a repository first.")
    if changed := changes():
        sys.exit(f"Commit or stash your changes first: {', '.join(changed)}.")
    record = json.loads(RECORD.read_text(encoding="utf-8"))
    recorded = record["commit"]
    if not is_newer(release, recorded):
        print(f"Nothing to do: this project has {recorded}.")
        return 0
    with tempfile.TemporaryDirectory() as folder:
        old, _, old_pins = generate(Path(folder).resolve(), recorded, record)
        new, context, new_pins = generate(Path(folder).resolve(), release, record, "-p", old)
    known, actions = (
        ACTIONS.findall(run("git", "show", f"{it}:CHANGELOG.md", folder=TEMPLATE)) for it in (recorded, release)
    )
    if in_the_way := overwritten(old, new):
        sys.exit(f"The release adds files that Git ignores here. Move yours away first: {', '.join(in_the_way)}.")
    conflicts, left_out = merge(old, new)
    if versions := raised(old_pins, new_pins):
        set_pins(METADATA, versions)
        if str(METADATA) not in conflicts:
            run("git", "add", str(METADATA))
    record |= {"commit": release, "checkout": release, "context": context}
    RECORD.write_text(json.dumps(record, ensure_ascii=False, indent=2) + "\n", encoding="utf-8", newline="\n")
    run("git", "add", str(RECORD))
    print(f"Merged {release} over {recorded}. Nothing is committed yet: see `git diff HEAD`.")
    if left_out:
        print("\nChanged by the release, but removed from this project, so left out:", *left_out, sep="\n- ")
    if conflicts:
        print("\nConflicts, which `git status` explains:", *conflicts, sep="\n- ")
    new_actions = [f"{number}: {text.strip()}" for number, text in actions if (number, text) not in known]
    print("\nWhat to do, from the changelog:", *(new_actions or ["nothing"]), sep="\n- ")
    return int(bool(conflicts))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
