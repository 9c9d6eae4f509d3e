"""Remove the files of features that were not chosen, write .env with new secrets, and print the next steps."""

import base64
import json
import os
import secrets
import shutil
import sys
from pathlib import Path

ANSWERS = json.loads(r"""{{ cookiecutter | jsonify }}""")

# The files of each feature. They stay if the prompt has this answer.
FEATURE_PATHS = {
    ("auth_app", True): ["accounts"],
    ("cloudinary_moderation", True): ["uploads/moderation/cloudinary"],
    ("ci_scanning", "github"): [".github", "scripts/workflows.py"],
    ("ci_scanning", "gitlab"): [".gitlab-ci.yml"],
}

# Files left by work in the raw folder. They are not part of the template.
LEFTOVERS = [".env", ".venv", "**/__pycache__", "**/.*_cache", "**/.DS_Store", "*.sqlite3*", "uv.lock"]
LEFTOVERS += ["media", "reports", "secrets", "staticfiles"]

ENV = """\
# Secrets for this machine, created with the project. Do not commit this file.
# .env.example describes all variables.
DEBUG=on
SECRET_KEY={secret_key}
FIELD_ENCRYPTION_KEYS={encryption_key}
"""

SUMMARY = """
{project_name} is ready in {project_slug}/

  domain_name            {domain_name}
  author                 {author_name} <{author_email}>
  cloudinary_moderation  {cloudinary_moderation}
  auth_app               {auth_app}
  ci_scanning            {ci_scanning}

Next:
  cd {project_slug}
  git init
  uv run poe admin    creates the first administrator
  uv run poe start    then open http://localhost:8000/

Commit uv.lock, which the first uv command writes: it pins every package.
.env contains new secrets for this machine only. README.md describes the rest.
"""


def remove(path: Path) -> None:
    """Remove a file or a folder; raise OSError if it does not exist."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()


def write_env() -> None:
    """Write the secrets to a file that only its owner can read from the start."""
    text = ENV.format(
        secret_key=secrets.token_urlsafe(64),
        encryption_key=base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
    )
    descriptor = os.open(".env", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8", newline="\n") as file:
        file.write(text)


for pattern in LEFTOVERS:
    for leftover in list(Path().glob(pattern)):
        remove(leftover)

for (prompt, answer), paths in FEATURE_PATHS.items():
    if ANSWERS[prompt] != answer:
        for path in paths:
            remove(Path(path))  # a missing path means that the table is out of date

write_env()

# A console that cannot show a character shows its code point.
sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
words = {key: "yes" if value else "no" for key, value in ANSWERS.items() if isinstance(value, bool)}
print(SUMMARY.format(**ANSWERS | words))
