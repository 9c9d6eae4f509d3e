"""Read the environment, and report all of its problems at once, never a value."""

import re
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit
from zoneinfo import available_timezones

import dj_database_url
from cryptography.fernet import Fernet, MultiFernet
from django.conf.global_settings import LANGUAGES
from django.core.exceptions import ImproperlyConfigured
from environs import EnvValidationError, FileAwareEnv, ValidationError, validate

language = validate.OneOf({*dict(LANGUAGES), "en-us"}, error="Must be a language of Django, such as de or pt-br.")
time_zone = validate.OneOf(available_timezones(), error="Must be a time zone such as Europe/Berlin.")
sender = validate.Regexp(r"([^<>@\n]+ <)?[^\s<>@,]+@[^\s<>@,]+(?(1)>)\Z", error="Must be one email address.")
PLACEHOLDER = "replace-this"  # how values start that .env.example holds in place of secrets
HOST, IPV6 = r"[a-z0-9-]+(?:\.[a-z0-9-]+)*", r"\[[0-9a-f:]+\]"
S3_URL = re.compile(
    r"s3://((?P<access_key>[^:/@?]+):(?P<secret_key>[^:/@?]+)@)?(?P<host>[a-z0-9.-]+)(?P<port>:\d+)?"
    r"/(?P<bucket_name>[a-z0-9.-]+)\?region=(?P<region_name>[a-z0-9-]+)"
)


class Environment(FileAwareEnv):
    """Read variables: each NAME may come from a file that NAME_FILE names, and an empty value counts as unset."""

    def __init__(self) -> None:
        super().__init__(eager=False, strip_whitespace=True)
        self.problems: dict[str, list[str]] = {}
        parsers = secret_keys, fernet_keys, hosts, origins, database_url, cache_url, email_url, storage_url, sentry_dsn
        for parser in parsers:
            self.add_parser(parser.__name__, parser)

    def read_file(self, path: Path) -> None:
        try:
            self.read_env(path, recurse=False)
        except (OSError, ValueError):
            self.add_problem("ENV_FILE", "The file (default: .env) must be UTF-8 text that this user may read.")

    # A private method, so environs is bounded at its next major version. Its own one raises for an unreadable file.
    def _get_value(self, env_key: str, default: Any) -> Any:
        try:
            value = super()._get_value(env_key, default)
        except (OSError, ValueError):
            self.add_problem(env_key, f"{env_key}_FILE names a file that cannot be read.")
            return default
        return default if value == "" else value

    def add_problem(self, name: str, message: str) -> None:
        self.problems.setdefault(name, []).append(message)

    def stop_on_problems(self) -> None:
        """Raise ImproperlyConfigured with all problems; manage.py and gunicorn both stop at it."""
        try:
            self.seal()
        except EnvValidationError as error:
            messages: Any = error.error_messages
            for name in messages:
                self.problems[name] = self.problems.get(name, []) + messages[name]
        if self.problems:
            lines = ["The project cannot start with this environment (.env.example documents each variable):"]
            lines += [f"  {name}: {' '.join(messages)}" for name, messages in sorted(self.problems.items())]
            raise ImproperlyConfigured("\n".join(lines)) from None


def secret_key(value: str) -> str:
    """Return a signing key that fulfills the rules of Django's check security.W009."""
    if value.startswith(PLACEHOLDER):
        raise ValidationError("Is still the placeholder from .env.example.")
    if len(value) < 50 or len(set(value)) < 5 or value.startswith("django-insecure-"):
        raise ValidationError("Must be at least 50 random characters.")
    if len({value[start : start + 5] for start in range(len(value))}) < 0.6 * len(value):
        raise ValidationError("Must be random, not a repeated word.")
    return value


def secret_keys(value: str) -> list[str]:
    return [secret_key(key) for key in items(value)]


def fernet_keys(value: str) -> list[str]:
    keys = items(value)
    try:
        MultiFernet([Fernet(key) for key in keys])
    except ValueError:
        message = "Each key must be 32 bytes in URL-safe base64. .env.example has the command that makes one."
        raise ValidationError(message) from None
    return keys


def hosts(value: str) -> list[str]:
    """Return host names and IP addresses, as in a Host header; `.example.com` includes its subdomains."""
    names = items(value)
    if not names or not all(re.fullmatch(rf"\.?{HOST}|{IPV6}", name) for name in names):
        raise ValidationError("Must list host names such as example.com, in lowercase, without scheme, port or '*'.")
    return names


def origins(value: str) -> list[str]:
    names = items(value)
    if not all(re.fullmatch(rf"https?://({HOST}|{IPV6})(:\d+)?", name) for name in names):
        raise ValidationError("Must be origins in lowercase without '*', such as https://admin.example.com.")
    return names


def items(value: str) -> list[str]:
    return [item.strip() for item in value.split(",") if item.strip()]


def is_local(host: str) -> bool:
    """Return whether a value of ALLOWED_HOSTS can only be reached from this machine."""
    return bool(re.fullmatch(r"(.*\.)?localhost|127(\.\d+){3}|\[::1\]", host))


def database_url(value: str) -> dict[str, Any]:
    try:
        config: dict[str, Any] = dict(dj_database_url.parse(value))
    except Exception:  # the parser's own message can contain the value
        raise ValidationError("Not a valid database URL.") from None
    options: dict[str, Any] = config.get("OPTIONS", {})
    if config["ENGINE"] == "django.db.backends.sqlite3":
        # A URL without a path would mean a database in memory as well.
        if value != "sqlite://:memory:" and not Path(config["NAME"]).is_absolute():
            # Server and worker may start in different folders.
            raise ValidationError("SQLite needs an absolute path: sqlite:////srv/site.sqlite3.")
        # In SQLite's default mode a busy site silently loses writes to the cache, which holds the rate limits.
        modes = {"transaction_mode": "IMMEDIATE", "init_command": "PRAGMA journal_mode=WAL;"}
        options = {"timeout": 20} | options | modes
    elif config["ENGINE"] == "django.db.backends.postgresql":
        # In seconds and milliseconds, for a new connection and for one whose server has vanished. The system's own
        # timeouts would block a request for minutes.
        options = {"connect_timeout": 3, "tcp_user_timeout": 10_000} | options
        # A new connection takes longer than a page. Each request checks the one that it reuses.
        config |= {"ENGINE": "core.postgresql", "CONN_MAX_AGE": 60, "CONN_HEALTH_CHECKS": True}
    return config | {"OPTIONS": options}


def cache_url(value: str) -> dict[str, Any]:
    """Return the entry of Django's CACHES for CACHE_URL: a cache that all processes share, for the rate limits."""
    if value == "db://django_cache":
        # With the default of 300 entries, an attacker could evict the rate limits of an account.
        limit = {"MAX_ENTRIES": 100_000}
        return {"BACKEND": "django.core.cache.backends.db.DatabaseCache", "LOCATION": "django_cache", "OPTIONS": limit}
    if re.fullmatch(rf"rediss?://([^/?#]*@)?([\w.-]+|{IPV6})(:\d+)?(/\d*)?(\?.*)?", value):
        if not find_spec("redis"):
            raise ValidationError("Needs `uv sync --all-extras`.")
        options = {"socket_connect_timeout": 2, "socket_timeout": 2}
        return {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": value, "OPTIONS": options}
    raise ValidationError("Must be db://django_cache, redis://HOST:PORT or rediss://HOST:PORT.")


def email_url(value: str) -> dict[str, Any]:
    if value == "console://":
        return {"BACKEND": "core.mail.ConsoleBackend"}
    try:
        url = urlsplit(value)
        # Looked up even if the URL has a port: an unknown scheme must not become an unencrypted connection.
        port = {"smtp": 25, "submission": 587, "smtps": 465}[url.scheme]
        options = {"host": url.hostname, "port": url.port or port, "timeout": 5}
    except (KeyError, ValueError):
        options = {}
    if not options.get("host"):
        raise ValidationError("Must be submission://, smtps:// or smtp:// with user:password@host:port.")
    options |= {"username": unquote(url.username or ""), "password": unquote(url.password or "")}
    options |= {"use_tls": url.scheme == "submission", "use_ssl": url.scheme == "smtps"}
    return {"BACKEND": "django.core.mail.backends.smtp.EmailBackend", "OPTIONS": options}


def storage_url(value: str) -> dict[str, Any]:
    """Return the entry of Django's STORAGES for STORAGE_URL; it is empty for an empty value."""
    url = S3_URL.fullmatch(value)
    if value and not (url and find_spec("storages")):
        raise ValidationError("Must be s3://KEY:SECRET@HOST/BUCKET?region=REGION. Needs `uv sync --all-extras`.")
    if not url:
        return {}
    options = {name: part and unquote(part) for name, part in url.groupdict().items()}
    host, port = options.pop("host"), options.pop("port") or ""
    options["endpoint_url"] = f"{'http' if is_local(host) else 'https'}://{host}{port}"
    return {"BACKEND": "uploads.storage.ObjectStorage", "OPTIONS": options}


def sentry_dsn(value: str) -> str:
    url = r"(https|http(?=://\w+@(localhost|127\.0\.0\.1):))://\w+@[\w.-]+(:\d+)?/\d+"
    if value and not (re.fullmatch(url, value) and find_spec("sentry_sdk")):
        raise ValidationError("Must be https://KEY@HOST/PROJECT. Needs `uv sync --all-extras`.")
    return value
