"""Make the secrets of production as files in secrets/: `python3 -m scripts.make_secrets`.

Existing files are never changed. The command needs Python and OpenSSL only, so it runs on any server.
"""

import base64
import os
import secrets
import subprocess
from collections.abc import Callable
from pathlib import Path

FOLDER = Path("secrets")
DOMAIN = "{{ cookiecutter.domain_name }}"


def main() -> None:
    # Containers read a file as a user of their own, so its mode is 0444. Only the folder's owner gets to the files.
    FOLDER.mkdir(mode=0o700, exist_ok=True)
    write("secret_key", lambda: secrets.token_urlsafe(64))
    write("field_encryption_keys", lambda: base64.urlsafe_b64encode(secrets.token_bytes(32)).decode())
    password = write("database_password", lambda: secrets.token_urlsafe(32))
    write("database_url", lambda: f"postgres://site:{password}@database:5432/site")
    write("email_url", lambda: ask("EMAIL_URL", "submission://USER:PASSWORD@HOST:587"))
    # % if cookiecutter.cloudinary_moderation
    write("cloudinary_url", lambda: ask("CLOUDINARY_URL", "cloudinary://API_KEY:API_SECRET@CLOUD_NAME"))
    # % endif
    make_certificate()


def write(name: str, make: Callable[[], str]) -> str:
    """Write a new file unless it exists, and return its text."""
    path = FOLDER / name
    if not path.exists():
        text = make()
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o400), "w", encoding="utf-8") as file:
            file.write(text)
        path.chmod(0o444)
        print(f"{path}: made")
    return path.read_text(encoding="utf-8").strip()


def ask(name: str, form: str) -> str:
    """Return a value that only its owner knows, from the environment or the terminal."""
    text = os.environ.get(name) or input(f"{name} ({form}): ").strip()
    return text or ask(name, form)


def make_certificate() -> None:
    """Make a self-signed certificate, with which the proxy starts before it has a real one."""
    folder = FOLDER / "tls"
    if not folder.exists():
        folder.mkdir(mode=0o755)
        key, certificate = folder / "privkey.pem", folder / "fullchain.pem"
        names = ("-subj", "/CN=localhost", "-addext", f"subjectAltName=DNS:{DOMAIN}")
        command = ["openssl", "req", "-x509", "-nodes", "-days", "30", "-newkey", "rsa:2048", *names]
        # Fixed arguments, and openssl from the system's path.
        subprocess.run([*command, "-keyout", key, "-out", certificate], check=True, stderr=subprocess.DEVNULL)  # noqa: S603
        key.chmod(0o444)
        print(f"{folder}: made, self-signed")


if __name__ == "__main__":
    main()
