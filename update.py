"""Merge this release, or other answers, into the project in the present folder.

Nothing is committed. `poe template-update` of a project runs it from a clone of the
template. Both releases, the recorded and the new one, are generated from the answers in
.cruft.json. Git applies their difference as it applies any commit: a three-way merge
that follows renames. It needs only the standard library.

The report on standard output holds for a request of CI too; standard error has what
holds on a machine.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path, PurePosixPath
from typing import Any, NoReturn

TEMPLATE = Path(__file__).resolve().parent
RECORD, METADATA = Path(".cruft.json"), Path("pyproject.toml")
RECORDED = ("template", "commit")
# The project's uv.lock does not cover this tool, so its cooldown is repeated.
COOKIECUTTER = (
    "uv",
    "tool",
    "run",
    "--exclude-newer",
    "7 days",
    "--from",
    "cookiecutter==2.7.1",
    "cookiecutter",
)
GIT = (
    "git",
    "-c",
    "user.name=secure-django",
    "-c",
    "user.email=template@localhost",
    "-c",
    "merge.renames=true",
)
ACTIONS = re.compile(r"^## (\d\S+),.*\n\n\*\*What to do:\*\* ((?:.+\n)+)", re.MULTILINE)

PIN = re.compile(
    r'(?<=")([A-Za-z0-9][\w.-]*)((?:\[[\w,-]+\])?[=~]=)(\d+(?:\.\d+)*)(?=[" ;])'
)

# What the two letters of Git's state mean to whoever resolves the conflict.
BOTH = "both sides changed it: it has the lines of both between <<<<<<< and >>>>>>>"
CONFLICTS = {
    "UU": BOTH,
    "AA": BOTH,
    "UD": "this project changed it, the template removed it: it is still there",
}
# Of another repository that the project came from: in a namespace of their own, since
# both may have a tag of one name.
RECORDED_REFS = (
    "+refs/heads/*:refs/recorded/heads/*",
    "+refs/tags/*:refs/recorded/tags/*",
)
CAME_FROM_ELSEWHERE = f"""
{{commit}} of {{template}} is not what this project was generated from: \
its tag moved, or {RECORD} was edited. What
differs looks like your own edits, so a change can be missing: \
read `git diff HEAD` beside the changelog. If an answer
was edited, undo the update, restore the answer, and change it with --answer."""
# What an answer takes away beside files: said before and after.
LOSSES = {
    ("auth_app", "no"): (
        "Second factors and passkeys go with accounts. Once this is released, a "
        "password alone logs in, superusers too: read docs/updating.md first."
    ),
}
# CI opens a request for this exit code.
NEEDS_A_PERSON = 3

type Pins = dict[str, str]
type Answers = dict[str, Any]


def run(
    *command: str,
    folder: Path | None = None,
    env: dict[str, str] | None = None,
    codes: tuple[int, ...] = (0,),
) -> str:
    """Return a command's output; end with its error on an exit code not in `codes`."""
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


def stop(report: str) -> NoReturn:
    """End with a report for a person, who has to decide."""
    print(report)
    sys.exit(NEEDS_A_PERSON)


def origin(record: dict[str, Any]) -> dict[str, str]:
    """Return the repository, the commit and the digest that the project came from."""
    generated: dict[str, str] = record.get("generated", {})
    # cruft changes the commit alone. A team that moves to another repository changes
    # the template alone.
    return (
        generated
        if generated.get("commit") == record["commit"]
        else {key: record[key] for key in RECORDED}
    )


def recorded_commit(came_from: dict[str, str], template: str) -> str:
    """Return the project's commit, which may be one of another repository."""
    name = came_from["commit"]
    if came_from["template"] != template:
        fetch = (
            "git",
            "fetch",
            "--quiet",
            "--no-tags",
            "--",
            came_from["template"],
            *RECORDED_REFS,
        )
        try:
            run(*fetch, folder=TEMPLATE)
        except SystemExit as failure:
            advice = (
                f"If it is the same repository as {template}, "
                f"write that address into `generated` of {RECORD} too."
            )
            sys.exit(
                f"{came_from['template']}, where the files came from, cannot be read. "
                f"{advice}\n{failure}"
            )
    for ref in (f"refs/recorded/tags/{name}", name):
        verify = ("git", "rev-parse", "--verify", "--quiet", f"{ref}^0")
        if commit := run(*verify, folder=TEMPLATE, codes=(0, 1)).strip():
            return commit
    sys.exit(f"The template has no {name}: correct `template` or `commit` in {RECORD}.")


def prompts_of(commit: str) -> Answers:
    """Return the prompts of a commit of the template, with their defaults."""
    prompts: Answers = json.loads(
        run("git", "show", f"{commit}:cookiecutter.json", folder=TEMPLATE)
    )
    return prompts


def renamed(answers: Answers, prompts: Answers) -> Answers:
    """Return the answers under the present names, without prompts that are gone."""
    names = prompts.get("_renamed", {})
    kept = {}
    for asked, answer in answers.items():
        name = asked
        while name in names and name not in prompts:
            name = names[name]
        if name in prompts and name[0] != "_":
            kept[name] = answer
    return kept


def word(answer: object) -> object:
    """Return the answer as one types it."""
    return "yes" if answer is True else "no" if answer is False else answer


def check_choices(
    answers: Answers, prompts: Answers, release: str, wanted: str
) -> None:
    """End with a sentence for an answer that this release does not offer."""
    for name, answer in answers.items():
        default = prompts.get(name, "")
        choices = (
            default
            if isinstance(default, list)
            else ["yes", "no"]
            if isinstance(default, bool)
            else [answer]
        )
        if name not in prompts or name[0] == "_":
            sys.exit(
                f"{release} has no prompt {name}. "
                f"Its prompts: {', '.join(renamed(prompts, prompts))}."
            )
        if word(answer) not in choices:
            command = " ".join(
                [
                    "uv run poe template-update",
                    *wanted.split(),
                    f"--answer {name}=ANSWER",
                ]
            )
            stop(
                f"{release} offers no {name} {word(answer)}. "
                f"Choose one of {', '.join(choices)}: {command}"
            )


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
    """Return the pins that the release raises above this project's.

    A pin that this project lowered stays.
    """

    def number(version: str) -> tuple[int, ...]:
        return tuple(map(int, version.split(".")))

    return {
        name: new[name]
        for name, version in pins(METADATA).items()
        if name in old
        and name in new
        and number(old[name]) <= number(version) < number(new[name])
    }


def generate(
    folder: Path, commit: str, answers: Answers, *parent: str
) -> tuple[str, dict[str, Any], Pins]:
    """Generate a release and commit it; return the commit, the record and the pins.

    The commit is beside this project's history, with the versions of this project's
    pins. Both sides raise pins each week, in lines beside each other, so Git would find
    conflicts in every release.
    """
    folder.mkdir()
    # The defaults of this machine must not reach the project.
    config = folder / "config.json"
    config.write_text(
        json.dumps({"cookiecutters_dir": str(folder), "replay_dir": str(folder)}),
        encoding="utf-8",
    )
    run("git", "checkout", "--quiet", "--detach", commit, folder=TEMPLATE)
    options = (
        "--no-input",
        "--config-file",
        str(config),
        "--output-dir",
        str(folder / "project"),
    )
    given = [f"{name}={answer}" for name, answer in answers.items()]
    # The hooks leave files in the temporary folder.
    run(*COOKIECUTTER, *options, str(TEMPLATE), *given, env={"TMPDIR": str(folder)})
    (project,) = (folder / "project").iterdir()
    record = json.loads((project / RECORD).read_text(encoding="utf-8"))
    for left_out in (RECORD, Path(".env")):
        (project / left_out).unlink()
    versions = pins(project / METADATA)
    set_pins(project / METADATA, pins(METADATA))
    own = {
        "GIT_DIR": run("git", "rev-parse", "--absolute-git-dir").strip(),
        "GIT_WORK_TREE": str(project),
    }
    own["GIT_INDEX_FILE"] = str(folder / "index")
    run(
        "git",
        "-c",
        "core.sparseCheckout=false",
        "add",
        "--all",
        "--force",
        folder=project,
        env=own,
    )
    tree = run("git", "write-tree", folder=project, env=own).strip()
    return (
        run(
            *GIT, "commit-tree", tree, *parent, "-m", f"{folder.name} template"
        ).strip(),
        record,
        versions,
    )


def changes() -> dict[str, str]:
    """Return the changed paths of the repository, each with its two state letters."""
    lines = run("git", "status", "--porcelain", "--no-renames", "-z").split("\0")[:-1]
    return {line[3:]: line[:2] for line in lines}


def overwritten(old: str, new: str) -> list[str]:
    """Return the ignored files that the release would replace, without a way back."""
    added = run(
        "git",
        "diff-tree",
        "-r",
        "-z",
        "--name-only",
        "--no-renames",
        "--diff-filter=A",
        old,
        new,
    ).split("\0")
    untracked = run("git", "ls-files", "--others", "-z").split("\0")
    return sorted({*added} & {*untracked} - {""})


def merge(old: str, new: str) -> tuple[dict[str, str], list[str]]:
    """Merge the difference; return the conflicts and the paths left out.

    A path is left out since this project removed it.
    """
    prefix = run("git", "rev-parse", "--show-prefix").strip()
    shift = [f"-Xsubtree={prefix}"] if prefix else []
    run(*GIT, "cherry-pick", "--no-commit", *shift, new, codes=(0, 1))
    folders = ("git", "ls-tree", "-rd", "--name-only", "--full-tree")
    before, now = (run(*folders, tree).splitlines() for tree in (old, f"HEAD:{prefix}"))
    removed = set(map(PurePosixPath, before)) - set(map(PurePosixPath, now))
    paths = {path.removeprefix(prefix): state for path, state in changes().items()}
    # DU: deleted by us, updated by them.
    left_out = [
        path
        for path, state in paths.items()
        if state == "DU" or removed & {*PurePosixPath(path).parents}
    ]
    if left_out:
        run("git", "rm", "--quiet", "--force", "--", *left_out)
    marked = {
        path: state
        for path, state in paths.items()
        if "U" in state or state in {"AA", "DD"}
    }
    other = "one side moved it or removed it: put it where it belongs"
    return {
        path: CONFLICTS.get(marked[path], other)
        for path in marked
        if path not in left_out
    }, left_out


def new_actions(old: str, new: str) -> list[str]:
    """Return what the changelog tells owners to do since the recorded commit."""
    show = ("git", "show")
    known, told = (
        ACTIONS.findall(
            run(*show, f"{commit}:CHANGELOG.md", folder=TEMPLATE, codes=(0, 128))
        )
        for commit in (old, new)
    )
    return [
        f"{number}: {text.strip()}"
        for number, text in told
        if (number, text) not in known
    ]


def prompts_that_changed(
    recorded: Answers, asked: Answers, prompts: Answers
) -> list[str]:
    """Return a line for each prompt that is new, gone or renamed.

    `asked` are the new prompts with their answers.
    """
    lines = []
    carried = {
        name: renamed({name: answer}, prompts) for name, answer in recorded.items()
    }
    for name, kept in carried.items():
        if not kept:
            lines.append(f"{name}: gone; it was answered {word(recorded[name])}")
        elif name not in kept:
            lines.append(f"{name}: now called {next(iter(kept))}; it keeps the answer")
    known = {name for kept in carried.values() for name in kept}
    advice = "another answer: uv run poe template-update --answer"
    return lines + [
        f"{name}: new, answered {word(asked[name])}; {advice} {name}=ANSWER"
        for name in asked
        if name not in known
    ]


def section(title: str, lines: list[str]) -> None:
    """Print a list under a title, if there is one."""
    if lines:
        print(f"\n{title}:", *lines, sep="\n- ")


def record_of_project() -> dict[str, Any]:
    """Return the record, if Git can merge into this project."""
    try:
        # The repository may be that of another project, around this one.
        run("git", "cat-file", "-e", f"HEAD:./{RECORD}")
    except SystemExit:
        sys.exit("Git merges the release: commit this project to a repository first.")
    if changed := changes():
        sys.exit(f"Commit or stash your changes first: {', '.join(changed)}.")
    record: dict[str, Any] = json.loads(RECORD.read_text(encoding="utf-8"))
    return record


def main(wanted: str, given: Answers) -> int:
    """Merge the wanted release and the other answers; return 3 if there are conflicts.

    The release, or the answers, can be empty.
    """
    # A console that cannot show a character shows its code point.
    sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    record = record_of_project()
    came_from, recorded = origin(record), record["context"]["cookiecutter"]
    start = recorded_commit(came_from, record["template"])
    is_newer = wanted and run(
        "git", "rev-list", "-1", f"{start}..{wanted}", folder=TEMPLATE
    )
    commit, release = (wanted, wanted) if is_newer else (start, came_from["commit"])
    given = {
        name: answer
        for name, answer in given.items()
        if word(recorded.get(name)) != answer
    }
    if not is_newer and not given:
        print(f"Nothing to do: this project has {release}.")
        return 0
    prompts = prompts_of(commit)
    answers = renamed(recorded, prompts) | given
    check_choices(answers, prompts, release, wanted)
    losses = [LOSSES[answer] for answer in given.items() if answer in LOSSES]
    for loss in losses:
        print(loss, file=sys.stderr, flush=True)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary).resolve()
        try:
            old, old_record, old_pins = generate(
                folder / "old", start, renamed(recorded, prompts_of(start))
            )
        except SystemExit as failure:
            sys.exit(
                f"{failure}\n{came_from['commit']} cannot be generated. "
                f"Correct the answer in {RECORD}."
            )
        try:
            new, new_record, new_pins = generate(
                folder / "new", commit, answers, "-p", old
            )
        except SystemExit as failure:
            stop(
                f"{release} cannot be generated. "
                f"If it refuses an answer, give another by --answer.\n\n{failure}"
            )
    if in_the_way := overwritten(old, new):
        sys.exit(
            "The release adds files that Git ignores here. "
            f"Move yours away first: {', '.join(in_the_way)}."
        )
    conflicts, left_out = merge(old, new)
    if versions := raised(old_pins, new_pins):
        set_pins(METADATA, versions)
        if str(METADATA) not in conflicts:
            run("git", "add", str(METADATA))
    generated = new_record.get("generated", {}) | {"commit": release}
    generated["template"] = record["template"] if is_newer else came_from["template"]
    record |= {
        "commit": release,
        "checkout": release,
        "context": new_record["context"],
        "generated": generated,
    }
    RECORD.write_text(
        json.dumps(record, ensure_ascii=False, indent=2) + "\n",
        encoding="utf-8",
        newline="\n",
    )
    run("git", "add", str(RECORD))

    asked = new_record["context"]["cookiecutter"]
    print(
        f"Merged {release} over {came_from['commit']}."
        if is_newer
        else f"Merged other answers into {release}."
    )
    if came_from.get("digest", "") not in {
        "",
        old_record.get("generated", {}).get("digest"),
    }:
        print(CAME_FROM_ELSEWHERE.format(**came_from))
    section("Answers", [f"{name}: {word(asked[name])}" for name in given])
    section("What is lost", losses)
    section("Prompts of the template", prompts_that_changed(recorded, asked, prompts))
    section(
        "Changed by the template, but removed from this project, so left out", left_out
    )
    section("Conflicts", [f"{path}: {why}" for path, why in conflicts.items()])
    section("What to do, from the changelog", new_actions(start, commit) or ["nothing"])
    sys.stdout.flush()
    print(
        "\nNothing is committed yet: see `git status` and `git diff HEAD`.",
        file=sys.stderr,
    )
    return NEEDS_A_PERSON if conflicts else 0


if __name__ == "__main__":
    if wrong := [answer for answer in sys.argv[2:] if "=" not in answer]:
        sys.exit(f"{wrong[0]} is no answer; type one like --answer auth_app=yes")
    sys.exit(main(sys.argv[1], dict(answer.split("=", 1) for answer in sys.argv[2:])))
