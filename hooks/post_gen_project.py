"""Remove what was not chosen, and write what a new project needs.

This is .env with new secrets and .cruft.json for updates. Print the next steps.
"""

import base64
import hashlib
import json
import os
import re
import runpy
import secrets
import shlex
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

ANSWERS = json.loads(r"""{{ cookiecutter | jsonify }}""")
PROMPTS = json.loads(r"""{{ prompts }}""")  # with their defaults, in their order
RAW = Path(*json.loads(r"""{{ raw_folder }}"""))

# The template's repository. A hook starts no program, such as Git.
GIT = RAW.parent / ".git"
ORIGIN = re.compile(r'^\[remote "origin"\]\n(?:\t.*\n)*?\turl = (.+)$', re.MULTILINE)
# An address that works on every machine.
PUBLIC_ADDRESS = re.compile(r"(?:https|ssh)://|[\w.-]+@[\w.-]+:")
# The name before @ in an SSH address is no secret, but part of it.
CREDENTIALS = re.compile(r"^(https://)[^/]*@|^(ssh://[^/:@]+):[^/@]*(?=@)|\?.*")

# The files of each feature. They stay if the prompt has one of these answers.
FEATURE_PATHS = {
    ("gallery", True): ["gallery"],
    # Before CI: its workflow is a file in the folder of CI.
    ("deployment", "server"): [
        ".github/workflows/image.yml",
        "compose.yaml",
        "deploy",
        "docs/containers.md",
        "docs/deployment.md",
        "docs/operations.md",
    ],
    ("deployment", "platform"): ["docs/platforms.md", "nginx"],
    ("ci_scanning", "github"): [".github"],
    ("ci_scanning", "gitlab"): [".gitlab-ci.yml"],
    # On GitHub, Dependabot updates the same.
    ("ci_scanning", "gitlab", "none"): ["renovate.json"],
}

# Pages that a team changes: copies of the package's, with the hash of their original.
TEMPLATES = {
    "base.html": "templates/base.html",
    "error.html": "templates/error.html",
    "home.html": "templates/home.html",
}
ACCOUNTS = "accounts" if ANSWERS.get("auth_app") else "login"
TEMPLATES["account/login.html"] = f"{ACCOUNTS}/templates/account/login.html"
if ANSWERS.get("auth_app"):
    TEMPLATES["account/signup.html"] = "accounts/templates/account/signup.html"

# Files left by work in the raw folder. They are not part of the template.
LEFTOVERS = """
    .env .venv **/__pycache__ **/.*_cache **/.DS_Store *.sqlite3* uv.lock
    media reports secrets staticfiles
""".split()

# The package, as a release has it.
PACKAGE = ["LICENSE", "pyproject.toml", "src"]
# Left by work on the package.
NOT_OF_THE_PACKAGE = re.compile(r"\..*|.*\.(egg-info|orig|py[co]|rej)|__pycache__")
VENDOR = Path("vendor/secure-django")
HASHES = VENDOR.with_suffix(".sha256")
# No public index takes a version with a local part, so none can serve it in our place.
VERSION = f'version = "{ANSWERS["_version"]}"'
VENDORED_VERSION = f'version = "{ANSWERS["_version"]}+vendored"'

# Where the package comes from: "vendor", "index" for the public one, or the URL of one.
SOURCE = str(ANSWERS["_package"])
PINS = RAW.parent / "src" / "secure_django" / "commands" / "pins.py"

FERNET_KEY = base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()
ENV = f"""\
# Secrets for this machine, created with the project. Do not commit this file.
# .env.example describes all variables.
DEBUG=on
SECRET_KEY={secrets.token_urlsafe(64)}
FIELD_ENCRYPTION_KEYS={FERNET_KEY}
"""

SUMMARY = """
{project_name} is ready in {place}/

{answers}

Next:
  cd {place}
  git init
  uv run poe start    asks for the first administrator; then open http://localhost:8000/

Commit uv.lock, which the first uv command writes: it pins every package.
.env contains new secrets for this machine only. README.md describes the rest.
"""
NO_RELEASE = """
The template is at commit {commit:.10}, not at a release. Updates start from there.
"""
RELEASE_EXISTS = """\
To start from a release, generate the project again with --checkout {release}.
"""


def remove(path: Path) -> None:
    """Remove a file or a folder; raise OSError if it does not exist."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()


def read_normalized(path: Path) -> bytes:
    """Return a file with the line ends of Linux: a clone on Windows can have others."""
    content = path.read_bytes()
    return content if b"\0" in content else content.replace(b"\r\n", b"\n")


def package_files(path: Path) -> Iterator[Path]:
    """Yield a file of the package, or those of a folder, without what work has left."""
    if NOT_OF_THE_PACKAGE.fullmatch(path.name):
        return
    if path.is_symlink():
        sys.exit(f"{path} is a link; the package has none.")
    if path.is_file():
        yield path
        return
    for entry in path.iterdir():
        yield from package_files(entry)


def copy_package(template: Path) -> None:
    """Copy the package's source, and list the hash of each file as sha256sum does."""
    hashes: dict[str, str] = {}
    for part in PACKAGE:
        for source in package_files(template / part):
            name = source.relative_to(template).as_posix()
            content = read_normalized(source)
            if name == "pyproject.toml":
                content = content.replace(
                    VERSION.encode(), VENDORED_VERSION.encode(), 1
                )
            target = VENDOR / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
            target.chmod(0o644)
            hashes[name] = hashlib.sha256(content).hexdigest()
    lines = [f"{hashes[name]}  {name}\n" for name in sorted(hashes)]
    HASHES.write_text("".join(lines), encoding="utf-8", newline="\n")


def take_from_index() -> None:
    """Take the package from an index, as `poe package index` does."""
    pins = runpy.run_path(str(PINS))
    metadata = Path("pyproject.toml")
    text = pins["pin_by_answer"](metadata.read_text(encoding="utf-8"), SOURCE)
    metadata.write_text(text, encoding="utf-8", newline="\n")
    remove(VENDOR.parent)


def copy_template(name: str, source: Path) -> None:
    """Copy a page, so that the team has it at hand, with the hash of its original."""
    content = read_normalized(source)
    target = Path("templates", name)
    target.parent.mkdir(parents=True, exist_ok=True)
    original = hashlib.sha256(content).hexdigest()[:12]
    # Cookiecutter would take a comment of Django's templates for one of its own.
    comment = "{" + f"# original: {original} #" + "}"
    target.write_bytes(comment.encode() + content)


def git_file(name: str) -> str:
    """Return a file of the template's repository, or nothing."""
    path = GIT / name
    if not path.is_file():
        return ""
    return path.read_text(encoding="utf-8", errors="replace").strip()


def commit_of(ref: str) -> str:
    """Return the commit of a branch or tag of the template's repository, or nothing."""
    commit = git_file(ref)
    if commit:
        return commit
    line = rf"^(\w+) {re.escape(ref)}$(?:\n\^(\w+))?"
    match = re.search(line, git_file("packed-refs"), re.MULTILINE)
    # The second line of an annotated tag has its commit.
    return match[2] or match[1] if match else ""


def template_commit() -> str:
    """Return the tag of the template's release, or the commit between two releases."""
    commit = git_file("HEAD")
    if commit.startswith("ref: "):
        commit = commit_of(commit.removeprefix("ref: "))
    if not commit or commit == RELEASE_COMMIT:
        return RELEASE
    return commit


def template_address() -> str:
    """Return where the template was cloned from, or else where it is published.

    Credentials are left out.
    """
    origin = ORIGIN.search(git_file("config"))
    if origin and PUBLIC_ADDRESS.match(origin[1]):
        return CREDENTIALS.sub(r"\1\2", origin[1])
    return str(ANSWERS["_repository"])


def digest() -> str:
    """Return a SHA-256 of the template's files as generated, whatever their line ends.

    A clone on Windows can have other line ends.
    """
    sha256 = hashlib.sha256()
    paths = sorted(path.relative_to(RAW).as_posix() for path in RAW.rglob("*"))
    for path in filter(os.path.isfile, paths):
        content = Path(path).read_bytes().replace(b"\r\n", b"\n")
        header = f"{path}\n{len(content)}\n"
        sha256.update(header.encode() + content)
    return sha256.hexdigest()


RELEASE = f"v{ANSWERS['_version']}"
RELEASE_COMMIT = commit_of(f"refs/tags/{RELEASE}")

for pattern in LEFTOVERS:
    for leftover in list(Path().glob(pattern)):
        remove(leftover)

for (prompt, *answers), paths in FEATURE_PATHS.items():
    if ANSWERS[prompt] not in answers:
        for path in paths:
            remove(Path(path))  # a missing path means that the table is out of date

copy_package(RAW.parent)
for name, page in TEMPLATES.items():
    copy_template(name, VENDOR / "src" / "secure_django" / page)

origin = {
    "template": template_address(),
    "commit": template_commit(),
    "digest": digest(),
    "package": hashlib.sha256(HASHES.read_bytes()).hexdigest(),
}

# After the digests: those of a project do not depend on where the package comes from.
if SOURCE != "vendor":
    take_from_index()

env = Path(".env")
env.touch(mode=0o600, exist_ok=False)  # from the start, only its owner can read it
env.write_text(ENV, encoding="utf-8", newline="\n")

context = {prompt: ANSWERS[prompt] for prompt in PROMPTS}
# In the format of cruft. A team may change what is outside of `generated`, to take
# updates from another repository.
record = {
    "template": origin["template"],
    "commit": origin["commit"],
    "checkout": origin["commit"],
    "context": {"cookiecutter": context},
    "directory": None,
    "generated": origin,
}
text = json.dumps(record, ensure_ascii=False, indent=2)
Path(".cruft.json").write_text(f"{text}\n", encoding="utf-8", newline="\n")

# A console that cannot show a character shows its code point.
sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
words = {True: "yes", False: "no"}
width = max(map(len, context))
lines = [
    f"  {prompt:{width}}  {words.get(answer, answer)}"
    for prompt, answer in context.items()
]
# PWD is the folder of the shell; Windows does not name it.
project = Path.cwd()
shell_folder = Path(os.environ.get("PWD", project.parent)).resolve()
is_here = shell_folder == project.parent
place = project.name if is_here else shlex.quote(str(project))
print(SUMMARY.format(**context, place=place, answers="\n".join(lines)))
if not origin["commit"].startswith("v"):
    print(NO_RELEASE.format(**origin), end="")
    if RELEASE_COMMIT:
        print(RELEASE_EXISTS.format(release=RELEASE))
