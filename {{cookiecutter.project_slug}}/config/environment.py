"""Reads the environment; collects every problem and tells all of them at once, never a value."""

import re
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import dj_database_url
from cryptography.fernet import Fernet
from django.core.exceptions import ImproperlyConfigured
from environs import FileAwareEnv, ValidationError

# What .env.example puts where a secret belongs.
PLACEHOLDER = "replace-this"


class Environment(FileAwareEnv):
    """environs' reader: each NAME may come from a file named by NAME_FILE, and empty means unset."""

    def __init__(self) -> None:
        super().__init__(eager=False, strip_whitespace=True)
        for parser in (secret_keys, fernet_keys, hosts, origins, database_url, cache_url, email_url):
            self.add_parser(parser.__name__, parser)

    def _get_value(self, env_key: str, default: Any) -> Any:
        try:
            value = super()._get_value(env_key, default)
        except (OSError, ValueError):
            self.problem(env_key, f"{env_key}_FILE names a file that cannot be read.")
            return default
        return default if value == "" else value

    def problem(self, name: str, message: str) -> None:
        """Adds a problem that only shows when variables are seen together."""
        self._errors[name].append(message)

    def stop_on_problems(self) -> None:
        """Raises ImproperlyConfigured, which manage.py and gunicorn both stop at, with all problems."""
        if self._errors:
            lines = [f"  {name}: {' '.join(texts)}" for name, texts in sorted(self._errors.items())]
            raise ImproperlyConfigured(
                "The environment does not allow a start (.env.example documents every variable):\n" + "\n".join(lines)
            )
        self.seal()


def secret_key(value: str) -> None:
    """Validates one signing key by the rules of Django's check security.W009."""
    if value.startswith(PLACEHOLDER):
        raise ValidationError("Is still the placeholder of .env.example.")
    if len(value) < 50 or len(set(value)) < 5 or value.startswith("django-insecure-"):
        raise ValidationError("Must be at least 50 random characters.")


def secret_keys(value: str) -> list[str]:
    keys = items(value)
    for key in keys:
        secret_key(key)
    return keys


def fernet_keys(value: str) -> list[str]:
    keys = items(value)
    for key in keys or [""]:
        try:
            Fernet(key)
        except ValueError:
            raise ValidationError("Each key must be 32 bytes in url-safe base64, as .env.example shows.") from None
    return keys


def hosts(value: str) -> list[str]:
    """Takes names and addresses that a Host header can hold; `.example.com` stands for its subdomains too."""
    names = items(value)
    if not names or not all(re.fullmatch(r"\.?[a-z0-9-]+(\.[a-z0-9-]+)*|\[[0-9a-f:]+\]", name) for name in names):
        raise ValidationError("Must name the hosts that are served, such as example.com: no scheme, port or '*'.")
    return names


def origins(value: str) -> list[str]:
    names = items(value)
    if not all(re.fullmatch(r"https?://[^/\s]+", name) for name in names):
        raise ValidationError("Must be origins, such as https://admin.example.com.")
    return names


def items(value: str) -> list[str]:
    return [item.strip() for item in value.split(",") if item.strip()]


def is_local(host: str) -> bool:
    """Tells whether a value of ALLOWED_HOSTS can only be reached from this machine."""
    return bool(re.fullmatch(r"(.*\.)?localhost|127(\.\d+){3}|\[::1\]", host))


def database_url(value: str) -> dict[str, Any]:
    """Turns DATABASE_URL into Django's DATABASES entry."""
    try:
        config: dict[str, Any] = dict(dj_database_url.parse(value))
    except Exception:  # whatever the parser raises would name the value
        raise ValidationError("Not a valid database URL.") from None
    options: dict[str, Any] = config.get("OPTIONS", {})
    if config["ENGINE"] == "django.db.backends.sqlite3":
        if config["NAME"] != ":memory:" and not Path(config["NAME"]).is_absolute():
            # The worker and the server may start in different folders.
            raise ValidationError("SQLite needs an absolute path: sqlite:////srv/site.sqlite3.")
        # In SQLite's default mode a busy site silently loses cache writes, and log-in limits with them.
        modes = {"transaction_mode": "IMMEDIATE", "init_command": "PRAGMA journal_mode=WAL;"}
        options = {"timeout": 20} | options | modes
    elif config["ENGINE"] == "django.db.backends.postgresql":
        # A silent database must not hold a request for as long as the system's own timeout.
        options = {"connect_timeout": 3} | options
    return config | {"OPTIONS": options}


def cache_url(value: str) -> dict[str, Any]:
    """Turns CACHE_URL into Django's CACHES entry: only caches that all processes share, since limits count in them."""
    scheme, _, location = value.partition("://")
    if value == "db://django_cache":
        # With the default of 300 entries a flood of other keys would flush a victim's limits out.
        options = {"MAX_ENTRIES": 100_000}
        return {"BACKEND": "django.core.cache.backends.db.DatabaseCache", "LOCATION": location, "OPTIONS": options}
    if scheme in {"redis", "rediss"} and location:
        options = {"socket_connect_timeout": 2, "socket_timeout": 2}
        return {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": value, "OPTIONS": options}
    raise ValidationError("Must be db://django_cache, redis://… or rediss://….")


def email_url(value: str) -> dict[str, Any]:
    """Turns EMAIL_URL into Django's MAILERS entry."""
    if value == "console://":
        return {"BACKEND": "django.core.mail.backends.console.EmailBackend"}
    try:
        url = urlsplit(value)
        ports = {"smtp": 25, "submission": 587, "smtps": 465}
        # Looked up even where the URL names a port: an unknown scheme must not end as plain text.
        port = ports[url.scheme]
        options = {"host": url.hostname, "port": url.port or port, "timeout": 10}
    except (KeyError, ValueError):
        options = {}
    if not options.get("host"):
        raise ValidationError("Must be submission://, smtps:// or smtp:// with user:password@host:port.")
    options |= {"username": unquote(url.username or ""), "password": unquote(url.password or "")}
    options |= {"use_tls": url.scheme == "submission", "use_ssl": url.scheme == "smtps"}
    return {"BACKEND": "django.core.mail.backends.smtp.EmailBackend", "OPTIONS": options}
