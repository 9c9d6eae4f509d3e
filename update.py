"""Merge this release, or other answers, into the project in the present folder.

`poe template-update` of a project runs this program from a clone of the template.
Both releases, the recorded and the new one, are generated from the answers in
.cruft.json. Git applies their difference as it applies any commit: a three-way merge
that follows renames. Nothing is committed. The program needs only the standard library.

The package in vendor/ is not merged but replaced as a whole: a merge would move an edit
of it into the next release without a word.

Standard output has the report, which holds for a request of CI too. Standard error has
what holds only on the machine where the command runs.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple, NoReturn

TEMPLATE = Path(__file__).resolve().parent
RECORD = Path(".cruft.json")
METADATA = Path("pyproject.toml")
VENDOR = "vendor"
# What is in that folder by the template, and the patch that keeps a project's edits.
PACKAGE = ("secure-django", "secure-django.sha256")
PATCH = Path("secure-django.patch")
# Says where a new project takes the package from.
SOURCE = "_package"
# What the record says about it: the hash of its list, and a later release of its own.
PACKAGE_NAMES = ("package", "package_release")
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

# A conflict with the lines before both changes.
HUNK = re.compile(
    r"^<{7} .*\n(?P<ours>(?:.*\n)*?)^\|{7} .*\n(?P<base>(?:.*\n)*?)"
    r"^={7}\n(?P<theirs>(?:.*\n)*?)^>{7} .*(?:\n|\Z)",
    re.MULTILINE,
)
PIN = re.compile(
    r'(?<=")(?P<name>[A-Za-z0-9][\w.-]*)(?P<operator>(?:\[[\w,-]+\])?[=~]=)'
    r'(?P<version>\d+(?:\.\d+)*(?:\+vendored)?)(?=[" ;])'
)

CHANGED_PACKAGE = """\
This project changed the package, which the release replaces. Nothing was merged:
{files}
Take the change back, or put it where updates leave it alone: docs/updating.md.
To go on without it, and keep it in {patch}: add --patch."""
KEPT_PATCH = f"""
This project's changes of {VENDOR}/{PACKAGE[0]} are no longer there. \
{PATCH} keeps them: `git apply --3way {PATCH}`
would put them back."""

# The two letters of Git's state.
DELETED_HERE = "DU"
BOTH_ADDED = "AA"
BOTH_DELETED = "DD"
# What a state means to whoever resolves the conflict.
BOTH_CHANGED = (
    "both sides changed it: it has the lines of both between <<<<<<< and >>>>>>>"
)
CONFLICTS = {
    "UU": BOTH_CHANGED,
    BOTH_ADDED: BOTH_CHANGED,
    "UD": "this project changed it, the template removed it: it is still there",
}
# What a command writes anew, once the files that it reads are merged. A merge could put
# lines into an order that the command would not write.
WRITTEN = {"settings.lock": "uv run poe settings-lock"}
MOVED = "one side moved it or removed it: put it where it belongs"
# Where Git may fetch from, after a redirect too: what arrives is code.
SAFE_PROTOCOLS = "https:ssh:file"
# The refs of another repository have a namespace of their own, since both repositories
# may have a tag of one name.
RECORDED_REFS = (
    "+refs/heads/*:refs/recorded/heads/*",
    "+refs/tags/*:refs/recorded/tags/*",
)
DAMAGED_RECORD = f"""\
{RECORD} is damaged ({{reason}}). \
It records the template, the release and the answers: restore it."""
CAME_FROM_ELSEWHERE = f"""
{{commit}} of {{template}} is not what this project was generated from: \
its tag moved, or {RECORD} was edited. What
differs looks like your own edits, so a change can be missing: \
read `git diff HEAD` beside the changelog. If an answer
was edited, undo the update, restore the answer, and change it with --answer."""
# What an answer takes away beside files. It is printed before and after the merge.
LOSSES = {
    ("auth_app", "no"): (
        "Second factors and passkeys go with accounts. Once this is released, a "
        "password alone logs in, superusers too: read docs/updating.md first."
    ),
}
# CI opens a request for this exit code.
NEEDS_A_PERSON = 3

type Pins = dict[str, str]  # versions, by the names of their packages
type Answers = dict[str, Any]
type Record = dict[str, Any]  # the content of .cruft.json


class Source(NamedTuple):
    """What the files of the project were generated from."""

    template: str
    commit: str
    digest: str  # of the generated files; empty if it is not recorded


class Update(NamedTuple):
    """What is merged into the project."""

    record: Record
    source: Source
    start: str  # the template's commit that the project has
    target: str  # the template's commit that the project gets
    release: str  # the target's name
    changed_answers: Answers

    @property
    def is_newer(self) -> bool:
        """Return whether another release is merged, not only other answers."""
        return self.target != self.start

    @property
    def recorded_answers(self) -> Answers:
        """Return the answers that the project was generated from."""
        answers: Answers = self.record["context"]["cookiecutter"]
        return answers


class Commit(NamedTuple):
    """A generated project in the repository of this one, beside its history."""

    project: str  # the commit, without the package
    package: str  # the tree of its vendor/; empty if it has none


class Generation(NamedTuple):
    """A generated release."""

    commit: str
    package: str
    record: Record
    pins: Pins


class Merge(NamedTuple):
    """What a merge leaves to a person, by the paths of files."""

    conflicts: dict[str, str]  # with an explanation
    left_out: list[str]  # since the project removed them
    neighbors: list[str]  # merged, though Git found conflicts
    written: list[str]  # by a command; they are as the project has them
    has_patch: bool = False  # with this project's changes of the package


def run(
    *command: str,
    folder: Path | None = None,
    env: dict[str, str] | None = None,
    codes: tuple[int, ...] = (0,),
) -> str:
    """Return a command's output; end with its error on an exit code not in `codes`."""
    process = subprocess.run(  # noqa: S603 - no shell
        command,
        check=False,
        cwd=folder,
        env=os.environ | (env or {}),
        capture_output=True,
        encoding="utf-8",
        errors="replace",
    )
    if process.returncode not in codes:
        reason = process.stderr.strip() or process.stdout.strip()
        sys.exit(f"{command[0]} failed: {reason}")
    return process.stdout


def stop_for_decision(report: str) -> NoReturn:
    """End with a report for a person, who has to decide."""
    print(report)
    sys.exit(NEEDS_A_PERSON)


# The record


def list_changes() -> dict[str, str]:
    """Return the changed paths of the repository, each with its two state letters."""
    output = run("git", "status", "--porcelain", "--no-renames", "-z")
    lines = output.split("\0")[:-1]
    return {line[3:]: line[:2] for line in lines}


def read_record() -> Record:
    """Return the project's record, or end if Git cannot merge into the project."""
    try:
        # The repository may be that of another project, around this one.
        run("git", "cat-file", "-e", f"HEAD:./{RECORD}")
    except SystemExit:
        sys.exit("Git merges the release: commit this project to a repository first.")
    changes = list_changes()
    if changes:
        sys.exit(f"Commit or stash your changes first: {', '.join(changes)}.")
    try:
        record: Record = json.loads(RECORD.read_text(encoding="utf-8"))
        check_record(record)
    except (AttributeError, KeyError, RecursionError, TypeError, ValueError) as error:
        sys.exit(DAMAGED_RECORD.format(reason=f"{type(error).__name__}: {error}"))
    return record


def check_record(record: Record) -> None:
    """Raise an error if a field that an update reads has another form."""
    generated = record.get("generated", {})
    answers = record["context"]["cookiecutter"]
    texts = [record["template"], record["commit"], *generated.values(), *answers]
    if not all(isinstance(text, str) for text in texts):
        message = "a field is no text"
        raise ValueError(message)
    if generated and not {"template", "commit"} <= generated.keys():
        message = "`generated` lacks `template` or `commit`"
        raise ValueError(message)


def find_source(record: Record) -> Source:
    """Return what the project came from.

    cruft changes the record's commit alone, and a team that moves to another repository
    changes the record's template alone. So both are recorded a second time.
    """
    generated = record.get("generated", {})
    if generated.get("commit") != record["commit"]:
        return Source(record["template"], record["commit"], digest="")
    digest = generated.get("digest", "")
    return Source(generated["template"], generated["commit"], digest)


def fetch_other_template(source: Source, template: str) -> None:
    """Fetch the repository that the project came from."""
    fetch = ("git", "fetch", "--quiet", "--no-tags", "--", source.template)
    try:
        env = {"GIT_ALLOW_PROTOCOL": SAFE_PROTOCOLS}
        run(*fetch, *RECORDED_REFS, folder=TEMPLATE, env=env)
    except SystemExit as failure:
        problem = f"{source.template}, where the files came from, cannot be read."
        advice = (
            f"If it is the same repository as {template}, "
            f"write that address into `generated` of {RECORD} too."
        )
        sys.exit(f"{problem} {advice}\n{failure}")


def find_start(source: Source, template: str) -> str:
    """Return the commit that the project has, which may be one of another template."""
    if source.template != template:
        fetch_other_template(source, template)
    for ref in (f"refs/recorded/tags/{source.commit}", source.commit):
        verify = ("git", "rev-parse", "--verify", "--quiet", f"{ref}^0")
        commit = run(*verify, folder=TEMPLATE, codes=(0, 1)).strip()
        if commit:
            return commit
    problem = f"The template has no {source.commit}"
    sys.exit(f"{problem}: correct `template` or `commit` in {RECORD}.")


def plan_update(wanted: str, given: Answers) -> Update:
    """Return what the wanted release and the given answers change."""
    record = read_record()
    source = find_source(record)
    start = find_start(source, record["template"])
    recorded = record["context"]["cookiecutter"]
    changed = {
        name: answer
        for name, answer in given.items()
        if spell_answer(recorded.get(name)) != answer
    }
    update = Update(record, source, start, start, source.commit, changed)
    if wanted and is_after(start, wanted):
        return update._replace(target=wanted, release=wanted)
    return update


def is_after(start: str, release: str) -> bool:
    """Return whether a release has commits that the start lacks."""
    newer = ("git", "rev-list", "-1", f"{start}..{release}")
    return run(*newer, folder=TEMPLATE) != ""


def write_record(update: Update, new: Generation) -> None:
    """Record what the project has after the merge, and stage the file."""
    generated = new.record.get("generated", {}) | {"commit": update.release}
    generated["template"] = update.source.template
    if update.is_newer:
        generated["template"] = update.record["template"]
    else:
        own = update.record.get("generated", {})
        generated |= {name: own[name] for name in PACKAGE_NAMES if name in own}
    record = update.record | {
        "commit": update.release,
        "checkout": update.release,
        "context": new.record["context"],
        "generated": generated,
    }
    save_record(record)
    run("git", "add", str(RECORD))


def save_record(record: Record) -> None:
    """Write the project's record as the template does."""
    text = json.dumps(record, ensure_ascii=False, indent=2)
    RECORD.write_text(f"{text}\n", encoding="utf-8", newline="\n")


# Prompts and answers


def parse_answers(words: list[str]) -> Answers:
    """Return the answers of words such as auth_app=yes."""
    answers = {}
    for word in words:
        name, separator, answer = word.partition("=")
        if not separator:
            sys.exit(f"{word} is no answer; type one like --answer auth_app=yes")
        answers[name] = answer
    return answers


def read_prompts(commit: str) -> Answers:
    """Return the prompts of a commit of the template, with their defaults."""
    text = run("git", "show", f"{commit}:cookiecutter.json", folder=TEMPLATE)
    prompts: Answers = json.loads(text)
    return prompts


def is_prompt(name: str, prompts: Answers) -> bool:
    """Return whether a name is that of a prompt, not of a variable of the template."""
    return name in prompts and not name.startswith("_")


def find_present_name(name: str, prompts: Answers) -> str:
    """Return the name of a prompt in this release."""
    new_names = prompts.get("_renamed", {})
    while name in new_names and name not in prompts:
        name = new_names[name]
    return name


def rename_answers(answers: Answers, prompts: Answers) -> Answers:
    """Return the answers under the present names, without prompts that are gone."""
    present_answers = {}
    for old_name, answer in answers.items():
        name = find_present_name(old_name, prompts)
        if is_prompt(name, prompts):
            present_answers[name] = answer
    return present_answers


def spell_answer(answer: object) -> object:
    """Return an answer as a person types it."""
    if answer is True:
        return "yes"
    if answer is False:
        return "no"
    return answer


def list_choices(default: object) -> list[str]:
    """Return the choices of a prompt with this default, none if it takes any text."""
    if isinstance(default, list):
        return default
    if isinstance(default, bool):
        return ["yes", "no"]
    return []


def check_answers(
    answers: Answers, prompts: Answers, release: str, wanted: str
) -> None:
    """End with a sentence for an answer that this release does not offer."""
    for name, answer in answers.items():
        if not is_prompt(name, prompts):
            names = ", ".join(rename_answers(prompts, prompts))
            sys.exit(f"{release} has no prompt {name}. Its prompts: {names}.")
        choices = list_choices(prompts[name])
        spelled = spell_answer(answer)
        if choices and spelled not in choices:
            update = ("uv run poe template-update", *wanted.split())
            command = f"{' '.join(update)} --answer {name}=ANSWER"
            stop_for_decision(
                f"{release} offers no {name} {spelled}. "
                f"Choose one of {', '.join(choices)}: {command}"
            )


def find_losses(answers: Answers) -> list[str]:
    """Return what the answers take away beside files."""
    return [LOSSES[answer] for answer in answers.items() if answer in LOSSES]


# Pins


def read_pins(metadata: Path) -> Pins:
    """Return the version of each pinned package, none if there is no such file."""
    if not metadata.is_file():
        return {}
    pins = PIN.finditer(metadata.read_text(encoding="utf-8"))
    return {pin["name"]: pin["version"] for pin in pins}


def write_pins(metadata: Path, versions: Pins) -> None:
    """Write these versions into the pins of their packages."""

    def renew(pin: re.Match[str]) -> str:
        version = versions.get(pin["name"], pin["version"])
        return pin["name"] + pin["operator"] + version

    pinned = PIN.sub(renew, metadata.read_text(encoding="utf-8"))
    metadata.write_text(pinned, encoding="utf-8", newline="\n")


def parse_version(version: str) -> tuple[int, ...]:
    """Return a version in a form that can be compared, without its local part."""
    number, _, _ = version.partition("+")
    return tuple(map(int, number.split(".")))


def raise_version(own: str, new: str) -> str:
    """Return the new version, vendored if this project's is."""
    number, _, _ = new.partition("+")
    _, plus, local = own.partition("+")
    return number + plus + local


def find_raised_pins(old: Pins, new: Pins) -> Pins:
    """Return the pins that the release raises above this project's.

    A pin that this project lowered stays.
    """
    own = read_pins(METADATA)
    raised = {}
    for name in own.keys() & old.keys() & new.keys():
        own_version = parse_version(own[name])
        if parse_version(old[name]) <= own_version < parse_version(new[name]):
            raised[name] = raise_version(own[name], new[name])
    return raised


def raise_pins(old: Pins, new: Pins, conflicts: dict[str, str]) -> None:
    """Raise the project's pins, and stage them if their file has no conflict."""
    raised = find_raised_pins(old, new)
    if not raised:
        return
    write_pins(METADATA, raised)
    if str(METADATA) not in conflicts:
        run("git", "add", str(METADATA))


# Generated releases


def generate_project(folder: Path, commit: str, answers: Answers) -> Path:
    """Generate a project of a commit of the template into a new folder."""
    folder.mkdir()
    # The defaults of this machine must not reach the project.
    config = folder / "config.json"
    settings = {"cookiecutters_dir": str(folder), "replay_dir": str(folder)}
    config.write_text(json.dumps(settings), encoding="utf-8")
    run("git", "checkout", "--quiet", "--detach", commit, folder=TEMPLATE)
    output = folder / "project"
    options = ("--no-input", "--config-file", str(config), "--output-dir", str(output))
    words = [f"{name}={answer}" for name, answer in answers.items()]
    # Both sides of the merge, so that a project keeps the source that it has.
    if SOURCE in read_prompts(commit):
        words.append(f"{SOURCE}=vendor")
    # The hooks leave files in the temporary folder.
    env = {"TMPDIR": str(folder)}
    run(*COOKIECUTTER, *options, str(TEMPLATE), *words, env=env)
    (project,) = output.iterdir()
    return project


def find_object(name: str) -> str:
    """Return the id of an object of this repository, or nothing."""
    verify = ("git", "rev-parse", "--verify", "--quiet", name)
    return run(*verify, codes=(0, 1, 128)).strip()


def commit_project(project: Path, index: Path, message: str, *parent: str) -> Commit:
    """Commit a generated project beside the history of this one, without the package.

    The package is not merged.
    """
    env = {
        "GIT_DIR": run("git", "rev-parse", "--absolute-git-dir").strip(),
        "GIT_WORK_TREE": str(project),
        "GIT_INDEX_FILE": str(index),
    }
    # The repository may be a sparse checkout, without the paths of this work tree.
    whole = ("git", "-c", "core.sparseCheckout=false")
    run(*whole, "add", "--all", "--force", folder=project, env=env)
    tree = run("git", "write-tree", folder=project, env=env).strip()
    package = find_object(f"{tree}:{VENDOR}")
    remove = (*whole, "rm", "-r", "--force", "--cached", "--quiet", "--ignore-unmatch")
    run(*remove, "--", *locate_package(), folder=project, env=env)
    rest = run("git", "write-tree", folder=project, env=env).strip()
    commit = run(*GIT, "commit-tree", rest, *parent, "-m", message).strip()
    return Commit(commit, package)


def generate(folder: Path, release: str, answers: Answers, *parent: str) -> Generation:
    """Generate a release and commit it, with the versions of this project's pins.

    Both sides raise pins each week, in lines beside each other, so Git would find
    conflicts in every release.
    """
    project = generate_project(folder, release, answers)
    record_file = project / RECORD
    record = json.loads(record_file.read_text(encoding="utf-8"))
    record_file.unlink()
    (project / ".env").unlink()
    pins = read_pins(project / METADATA)
    write_pins(project / METADATA, read_pins(METADATA))
    index = folder / "index"
    message = f"{folder.name} template"
    commit, package = commit_project(project, index, message, *parent)
    return Generation(commit, package, record, pins)


def generate_old(folder: Path, update: Update) -> Generation:
    """Generate the release that the project has."""
    try:
        prompts = read_prompts(update.start)
        answers = rename_answers(update.recorded_answers, prompts)
        return generate(folder, update.start, answers)
    except SystemExit as failure:
        problem = f"{failure}\n{update.source.commit} cannot be generated."
        sys.exit(f"{problem} Correct the answer in {RECORD}.")


def generate_new(
    folder: Path, update: Update, answers: Answers, old: Generation
) -> Generation:
    """Generate the release that the project gets, as the child of the old one."""
    try:
        return generate(folder, update.target, answers, "-p", old.commit)
    except SystemExit as failure:
        stop_for_decision(
            f"{update.release} cannot be generated. "
            f"If it refuses an answer, give another by --answer.\n\n{failure}"
        )


def generate_both(update: Update, answers: Answers) -> tuple[Generation, Generation]:
    """Generate the old release and the new one."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary).resolve()
        old = generate_old(folder / "old", update)
        new = generate_new(folder / "new", update, answers, old)
    return old, new


# The package


def locate_package() -> list[str]:
    """Return the paths of the package in a project."""
    return [f"{VENDOR}/{name}" for name in PACKAGE]


def bring_package(release: str) -> int:
    """Bring the package of a release into vendor/, as a new project has it."""
    record = read_record()
    prompts = read_prompts(release)
    answers = rename_answers(record["context"]["cookiecutter"], prompts)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary).resolve() / "new"
        project = generate_project(folder, release, answers)
        for path in locate_package():
            source = project / path
            if source.is_dir():
                shutil.rmtree(path, ignore_errors=True)
                shutil.copytree(source, path)
            else:
                shutil.copyfile(source, path)
        text = (project / RECORD).read_text(encoding="utf-8")
    package = json.loads(text)["generated"]["package"]
    generated = record.get("generated", {}) | {"package": package}
    generated.pop("package_release", None)
    if release != record["commit"]:
        # The template's files stay those of the release that the record names.
        generated["package_release"] = release
    save_record(record | {"generated": generated})
    return 0


def find_own_package() -> str:
    """Return the tree of this project's vendor/, or nothing.

    A project without it takes the package from an index, or a fork from Git.
    """
    if not Path(locate_package()[0]).is_dir():
        return ""
    prefix = run("git", "rev-parse", "--show-prefix").strip()
    return find_object(f"HEAD:{prefix}{VENDOR}")


def find_given_package(update: Update, old: Generation) -> str:
    """Return the tree of vendor/ that this project was given.

    It is that of the recorded release, or of a later one whose package alone it took.
    """
    generated = update.record.get("generated", {})
    release = generated.get("package_release")
    if not release or not old.package:
        return old.package
    source = Source(update.record["template"], release, digest="")
    start = find_start(source, update.record["template"])
    answers = rename_answers(update.recorded_answers, read_prompts(start))
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary).resolve() / "given"
        return generate(folder, start, answers).package


def list_edits(old: str, own: str) -> list[str]:
    """Return the paths of the package that this project changed, each with a letter."""
    diff = ("git", "diff", "--no-renames", "--name-status", "-z", old, own)
    # In a subfolder of the repository, a path would be relative to it.
    words = run(*diff, "--", *(f":/{name}" for name in PACKAGE)).split("\0")[:-1]
    pairs = zip(words[::2], words[1::2], strict=True)
    return [f"{letter} {VENDOR}/{path}" for letter, path in pairs]


def check_package(
    given: str, old: Generation, new: Generation, *, keep_patch: bool
) -> bool:
    """End if the project changed the package that is replaced, or keep a patch.

    `given` is the tree of vendor/ that it was given. Return whether it kept one.
    """
    own = find_own_package()
    if not own or not given or new.package in {old.package, own}:
        return False
    edits = list_edits(given, own)
    if not edits:
        return False
    if not keep_patch:
        sys.exit(CHANGED_PACKAGE.format(files="\n".join(edits), patch=PATCH))
    prefixes = (f"--src-prefix=a/{VENDOR}/", f"--dst-prefix=b/{VENDOR}/")
    diff = ("git", "diff", "--no-renames", "--binary", *prefixes, given, own)
    patch = run(*diff, "--", f":/{PACKAGE[0]}")
    PATCH.write_text(patch, encoding="utf-8", newline="\n")
    return True


def replace_package(old: Generation, new: Generation) -> None:
    """Replace the package as a whole, if the project has it here.

    This comes before the merge: Git reads no tree into an index with conflicts.
    """
    own = find_own_package()
    is_elsewhere = old.package and not own  # its pin is raised, like every other
    if is_elsewhere or new.package in {old.package, own}:
        return
    if own:
        run("git", "rm", "-r", "--force", "--quiet", "--", *locate_package())
    if new.package:
        prefix = run("git", "rev-parse", "--show-prefix").strip()
        target = f"--prefix={prefix}{VENDOR}/"
        run("git", "read-tree", "-u", target, new.package)


# The merge


def check_ignored_files(old: str, new: str) -> None:
    """End if the release would replace ignored files, which Git cannot bring back."""
    diff = ("git", "diff-tree", "-r", "-z", "--name-only", "--no-renames")
    added = run(*diff, "--diff-filter=A", old, new).split("\0")
    untracked = run("git", "ls-files", "--others", "-z").split("\0")
    replaced = set(added) & set(untracked) - {""}
    if replaced:
        sys.exit(
            "The release adds files that Git ignores here. "
            f"Move yours away first: {', '.join(sorted(replaced))}."
        )


def list_folders(tree: str) -> set[PurePosixPath]:
    """Return the folders of a tree of this repository."""
    output = run("git", "ls-tree", "-rd", "--name-only", "--full-tree", tree)
    return {PurePosixPath(line) for line in output.splitlines()}


def is_conflict(state: str) -> bool:
    """Return whether Git leaves a path in this state to a person."""
    return "U" in state or state in {BOTH_ADDED, BOTH_DELETED}


def add_vendor(commit: str, vendor: str, *parent: str) -> str:
    """Return a commit like another, with a tree as its vendor/."""
    with tempfile.TemporaryDirectory() as temporary:
        env = {"GIT_INDEX_FILE": str(Path(temporary).resolve() / "index")}
        run("git", "read-tree", commit, env=env)
        run("git", "read-tree", f"--prefix={VENDOR}/", vendor, env=env)
        tree = run("git", "write-tree", env=env).strip()
    return run(*GIT, "commit-tree", tree, *parent, "-m", "with vendor/").strip()


def insert_around(
    base: list[str], inserted: list[str], other: list[str]
) -> list[str] | None:
    """Return the lines that one side inserted around `base`, with the other side's.

    Return None if this side changed the lines of `base` too.
    """
    for start in range(len(inserted) - len(base) + 1):
        end = start + len(base)
        if inserted[start:end] == base:
            return inserted[:start] + other + inserted[end:]
    return None


def merge_hunk(hunk: re.Match[str]) -> str | None:
    """Return both changes of a conflict, or None if both changed the same line.

    Git finds a conflict as well where one side inserts a line beside a line that the
    other changes, as in a list to which a team and a feature add entries.
    """
    sides = [
        hunk[side].splitlines(keepends=True) for side in ("ours", "base", "theirs")
    ]
    ours, base, theirs = sides
    if not base and set(ours) & set(theirs):
        return None  # both wrote the line
    merged = insert_around(base, theirs, ours)
    if merged is None:
        merged = insert_around(base, ours, theirs)
    return None if merged is None else "".join(merged)


def merge_neighbors(path: str, prefix: str) -> bool:
    """Merge what both sides inserted beside each other; return whether all is merged.

    Conflicts in lines that both changed stay in the file, between Git's marks.
    """
    with tempfile.TemporaryDirectory() as temporary:
        files = [str(Path(temporary) / name) for name in ("HEAD", "before", "template")]
        # In the index, 1 is the text before both changes, 2 ours and 3 theirs.
        for file, stage in zip(files, (2, 1, 3), strict=True):
            text = run("git", "show", f":{stage}:{prefix}{path}")
            Path(file).write_text(text, encoding="utf-8", newline="\n")
        codes = tuple(range(128))  # the number of conflicts
        labels = ("-L", "HEAD", "-L", "", "-L", "template")
        merge = ("git", "merge-file", "--stdout", *labels)
        both = run(*merge, "--diff3", *files, codes=codes)
        for file, side in zip(files, ("ours", "base", "theirs"), strict=True):
            Path(file).write_text(
                choose_side(both, side), encoding="utf-8", newline="\n"
            )
        merged = run(*merge, *files, codes=codes)
    Path(path).write_text(merged, encoding="utf-8", newline="\n")
    if re.search(r"^<{7} HEAD$", merged, re.MULTILINE):
        return False
    run("git", "add", "--", path)
    return True


def choose_side(both: str, side: str) -> str:
    """Return a text with conflicts as a side has it, where they cannot be merged."""

    def choose(hunk: re.Match[str]) -> str:
        merged = merge_hunk(hunk)
        return hunk[side] if merged is None else merged

    return HUNK.sub(choose, both)


def is_text(path: str, prefix: str) -> bool:
    """Return whether the project's version of a file is text in UTF-8."""
    text = run("git", "show", f":2:{prefix}{path}")
    return "\0" not in text and "\N{REPLACEMENT CHARACTER}" not in text


def merge_difference(old: str, new: str) -> Merge:
    """Merge the difference of two commits; return what is left to a person."""
    # The path of the project in its repository, empty if both are the same folder.
    prefix = run("git", "rev-parse", "--show-prefix").strip()
    shift = [f"-Xsubtree={prefix}"] if prefix else []
    target = new
    if run("git", "ls-files", "--", VENDOR):
        # The same on all sides. Otherwise, Git would take the package's files for those
        # that this project has removed, and apply the changes there.
        vendor = run("git", "write-tree", f"--prefix={prefix}{VENDOR}/").strip()
        base = add_vendor(old, vendor)
        target = add_vendor(new, vendor, "-p", base)
    run(*GIT, "cherry-pick", "--no-commit", *shift, target, codes=(0, 1))
    states = {
        path.removeprefix(prefix): state for path, state in list_changes().items()
    }
    removed_folders = list_folders(old) - list_folders(f"HEAD:{prefix}")
    left_out = []
    for path, state in states.items():
        folders = PurePosixPath(path).parents
        if state == DELETED_HERE or not removed_folders.isdisjoint(folders):
            left_out.append(path)
    if left_out:
        run("git", "rm", "--quiet", "--force", "--", *left_out)
    written = [path for path in WRITTEN if states.get(path) in {"UU", BOTH_ADDED}]
    if written:
        run("git", "checkout", "--quiet", "--ours", "--", *written)
        run("git", "add", "--", *written)
    neighbors = [
        path
        for path, state in states.items()
        if state == "UU"
        and path not in [*left_out, *written]
        and is_text(path, prefix)
        and merge_neighbors(path, prefix)
    ]
    conflicts = {
        path: CONFLICTS.get(state, MOVED)
        for path, state in states.items()
        if is_conflict(state) and path not in [*left_out, *written, *neighbors]
    }
    return Merge(conflicts, left_out, neighbors, written)


# The report


def read_actions(commit: str) -> list[tuple[str, str]]:
    """Return the numbers of releases in the changelog, each with what owners must do.

    An old commit may have no changelog.
    """
    show = ("git", "show", f"{commit}:CHANGELOG.md")
    changelog = run(*show, folder=TEMPLATE, codes=(0, 128))
    return ACTIONS.findall(changelog)


def list_new_actions(old: str, new: str) -> list[str]:
    """Return what the changelog tells owners to do since the old commit."""
    known = read_actions(old)
    return [
        f"{number}: {text.strip()}"
        for number, text in read_actions(new)
        if (number, text) not in known
    ]


def list_changed_prompts(
    recorded: Answers, answers: Answers, prompts: Answers
) -> list[str]:
    """Return a line for each prompt that is new, gone or renamed."""
    lines = []
    known = set()
    for old_name, answer in recorded.items():
        name = find_present_name(old_name, prompts)
        if not is_prompt(name, prompts):
            spelled = spell_answer(answer)
            lines.append(f"{old_name}: gone; it was answered {spelled}")
            continue
        known.add(name)
        if name != old_name:
            lines.append(f"{old_name}: now called {name}; it keeps the answer")
    for name, answer in answers.items():
        if name not in known:
            advice = f"uv run poe template-update --answer {name}=ANSWER"
            spelled = spell_answer(answer)
            lines.append(f"{name}: new, answered {spelled}; another answer: {advice}")
    return lines


def print_section(title: str, lines: list[str]) -> None:
    """Print a list under a title, if there is one."""
    if lines:
        print(f"\n{title}:", *lines, sep="\n- ")


def print_merged(update: Update, old: Generation) -> None:
    """Print what was merged, and whether the project came from what is recorded."""
    source = update.source
    if update.is_newer:
        print(f"Merged {update.release} over {source.commit}.")
    else:
        print(f"Merged other answers into {update.release}.")
    digest = old.record.get("generated", {}).get("digest")
    if source.digest not in {"", digest}:
        text = CAME_FROM_ELSEWHERE.format(
            commit=source.commit, template=source.template
        )
        print(text)


def print_report(
    update: Update, prompts: Answers, old: Generation, new: Generation, merge: Merge
) -> None:
    """Print what was merged, and what is left to a person."""
    print_merged(update, old)
    if merge.has_patch:
        print(KEPT_PATCH)
    answers = new.record["context"]["cookiecutter"]
    changed = [
        f"{name}: {spell_answer(answers[name])}" for name in update.changed_answers
    ]
    print_section("Answers", changed)
    print_section("What is lost", find_losses(update.changed_answers))
    changed_prompts = list_changed_prompts(update.recorded_answers, answers, prompts)
    print_section("Prompts of the template", changed_prompts)
    left_out = "Changed by the template, but removed from this project, so left out"
    print_section(left_out, merge.left_out)
    neighbors = "Merged where both sides wrote beside each other, so read the order"
    print_section(neighbors, merge.neighbors)
    written = [f"{path}: {WRITTEN[path]}" for path in merge.written]
    print_section("Left as it is, so write it anew once the rest is merged", written)
    conflicts = [f"{path}: {reason}" for path, reason in merge.conflicts.items()]
    print_section("Conflicts", conflicts)
    actions = list_new_actions(update.start, update.target)
    print_section("What to do, from the changelog", actions or ["nothing"])
    sys.stdout.flush()
    advice = "\nNothing is committed yet: see `git status` and `git diff HEAD`."
    print(advice, file=sys.stderr)


def main(wanted: str, given: Answers, *, keep_patch: bool) -> int:
    """Merge the wanted release and the other answers; return 3 if there are conflicts.

    The release, or the answers, can be empty.
    """
    # A console that cannot show a character shows its code point.
    sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    update = plan_update(wanted, given)
    if not update.is_newer and not update.changed_answers:
        print(f"Nothing to do: this project has {update.release}.")
        return 0
    prompts = read_prompts(update.target)
    kept_answers = rename_answers(update.recorded_answers, prompts)
    answers = kept_answers | update.changed_answers
    check_answers(answers, prompts, update.release, wanted)
    for loss in find_losses(update.changed_answers):
        print(loss, file=sys.stderr, flush=True)
    old, new = generate_both(update, answers)
    check_ignored_files(old.commit, new.commit)
    package = find_given_package(update, old)
    has_patch = check_package(package, old, new, keep_patch=keep_patch)
    replace_package(old, new)
    merge = merge_difference(old.commit, new.commit)._replace(has_patch=has_patch)
    raise_pins(old.pins, new.pins, merge.conflicts)
    write_record(update, new)
    print_report(update, prompts, old, new, merge)
    return NEEDS_A_PERSON if merge.conflicts else 0


if __name__ == "__main__":
    release, *words = sys.argv[1:]
    if words == ["--package"]:
        sys.exit(bring_package(release))
    answers = parse_answers([word for word in words if word != "--patch"])
    sys.exit(main(release, answers, keep_patch="--patch" in words))
