"""Remove what was not chosen, and write what a new project needs.

This is .env with new secrets and .cruft.json for updates. Print the next steps.
"""

import base64
import hashlib
import json
import re
import secrets
import shutil
import sys
from pathlib import Path

ANSWERS = json.loads(r"""{{ cookiecutter | jsonify }}""")
PROMPTS = json.loads(r"""{{ prompts }}""")  # with their defaults, in their order
RAW = Path(*json.loads(r"""{{ raw_folder }}"""))
GIT = RAW.parent / ".git"

# The files of each feature. They stay if the prompt has one of these answers.
FEATURE_PATHS = {
    ("gallery", True): ["gallery"],
    ("auth_app", True): ["accounts"],
    ("cloudinary_moderation", True): ["uploads/moderation/cloudinary"],
    # Before CI: its workflow is a file in the folder of CI.
    ("deployment", "server"): [
        ".github/workflows/image.yml",
        "compose.yaml",
        "core/keepalive.py",
        "core/live_release.py",
        "core/tests/test_backup.py",
        "core/tests/test_deployment.py",
        "core/tests/test_keepalive.py",
        "core/tests/test_nginx.py",
        "core/tests/test_release.py",
        "deploy",
        "docs/containers.md",
        "docs/deployment.md",
        "docs/operations.md",
        "docs/several-machines.md",
        "scripts/backups.py",
    ],
    ("deployment", "platform"): ["docs/platforms.md", "nginx"],
    ("ci_scanning", "github"): [".github"],
    ("ci_scanning", "gitlab"): [".gitlab-ci.yml"],
    # On GitHub, Dependabot updates the same.
    ("ci_scanning", "gitlab", "none"): ["renovate.json"],
}

# Files left by work in the raw folder. They are not part of the template.
LEFTOVERS = [
    ".env",
    ".venv",
    "**/__pycache__",
    "**/.*_cache",
    "**/.DS_Store",
    "*.sqlite3*",
    "uv.lock",
]
LEFTOVERS += ["media", "reports", "secrets", "staticfiles"]

ENV = f"""\
# Secrets for this machine, created with the project. Do not commit this file.
# .env.example describes all variables.
DEBUG=on
SECRET_KEY={secrets.token_urlsafe(64)}
FIELD_ENCRYPTION_KEYS={base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()}
"""

SUMMARY = """
{project_name} is ready in {project_slug}/

{answers}

Next:
  cd {project_slug}
  git init
  uv run poe start    asks for the first administrator; then open http://localhost:8000/

Commit uv.lock, which the first uv command writes: it pins every package.
.env contains new secrets for this machine only. README.md describes the rest.
"""
BETWEEN = """
The template is at commit {commit:.10}, not at a release. \
Updates start from there. To start from a
release, generate the project again with --checkout and the tag of one.
"""


def remove(path: Path) -> None:
    """Remove a file or a folder; raise OSError if it does not exist."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()


def git_file(name: str) -> str:
    """Return a file of the template's repository, or nothing.

    A hook starts no program, such as Git.
    """
    path = GIT / name
    return (
        path.read_text(encoding="utf-8", errors="replace").strip()
        if path.is_file()
        else ""
    )


def commit_of(ref: str) -> str:
    """Return the commit of a branch or tag of the template's repository, or nothing."""
    packed = re.search(
        rf"^(\w+) {re.escape(ref)}$(?:\n\^(\w+))?",
        git_file("packed-refs"),
        re.MULTILINE,
    )
    return git_file(ref) or (packed[2] or packed[1] if packed else "")


def template_commit() -> str:
    """Return the tag of the template's release, or the commit between two releases."""
    release, head = f"v{ANSWERS['_version']}", git_file("HEAD")
    commit = commit_of(head.removeprefix("ref: ")) if head.startswith("ref: ") else head
    return commit if commit and commit != commit_of(f"refs/tags/{release}") else release


def template_address() -> str:
    """Return where the template was cloned from, or else where it is published.

    Credentials are left out.
    """
    origin = re.search(
        r'^\[remote "origin"\]\n(?:\t.*\n)*?\turl = (.+)$',
        git_file("config"),
        re.MULTILINE,
    )
    # Only an address that works on every machine.
    if origin and re.match(r"(?:https|ssh)://|[\w.-]+@[\w.-]+:", origin[1]):
        # The name before @ in an SSH address is no secret, but part of it.
        return re.sub(
            r"^(https://)[^/]*@|^(ssh://[^/:@]+):[^/@]*(?=@)|\?.*", r"\1\2", origin[1]
        )
    return str(ANSWERS["_repository"])


def digest() -> str:
    """Return a SHA-256 of the template's files as generated, whatever their line ends.

    A clone on Windows can have other line ends.
    """
    total = hashlib.sha256()
    for path in sorted(path.relative_to(RAW).as_posix() for path in RAW.rglob("*")):
        if Path(path).is_file():
            content = Path(path).read_bytes().replace(b"\r\n", b"\n")
            total.update(f"{path}\n{len(content)}\n".encode() + content)
    return total.hexdigest()


for pattern in LEFTOVERS:
    for leftover in list(Path().glob(pattern)):
        remove(leftover)

for (prompt, *answers), paths in FEATURE_PATHS.items():
    if ANSWERS[prompt] not in answers:
        for path in paths:
            remove(Path(path))  # a missing path means that the table is out of date

origin = {
    "template": template_address(),
    "commit": template_commit(),
    "digest": digest(),
}

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
shown = {
    prompt: {True: "yes", False: "no"}.get(answer, answer)
    for prompt, answer in context.items()
}
lines = (
    f"  {prompt:{max(map(len, shown))}}  {answer}" for prompt, answer in shown.items()
)
print(SUMMARY.format(**context, answers="\n".join(lines)))
if not origin["commit"].startswith("v"):
    print(BETWEEN.format(**origin))
