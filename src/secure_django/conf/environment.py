"""Read the environment, and report all of its problems at once, never a value.

`env.read("NAME", parser)` is for a variable of one's own too: a parser takes the text,
and raises ImproperlyConfigured with a sentence that never contains the value.
"""

import os
import re
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlsplit
from zoneinfo import available_timezones

from django.conf.global_settings import LANGUAGES
from django.core.exceptions import ImproperlyConfigured
from django.http.request import validate_host

from secure_django.extras import importing, is_installed, require_django

require_django("secure_django.conf")

CONSOLE = {"BACKEND": "secure_django.mail.outbox.ConsoleBackend"}
PLACEHOLDER = "replace-this"  # the beginning of each secret in .env.example
LANGUAGE_CODES = {*dict(LANGUAGES), "en-us"}
ON = {"on", "true", "yes", "1"}
OFF = {"off", "false", "no", "0"}
MAIL_PORTS = {"smtp": 25, "submission": 587, "smtps": 465}
MAIL_SECONDS = 5  # until a mail server, or a provider, counts as down
# Modules that read variables when a project's settings import them.
DEFAULTS = re.compile(r"secure_django(\.\w+)*\.defaults")
HOST = r"[a-z0-9-]+(?:\.[a-z0-9-]+)*"
IPV6 = r"\[[0-9a-f:]+\]"
ALLOWED_HOST = re.compile(rf"\.?{HOST}|{IPV6}")
# From 1 to 65535.
PORT = (
    r"(?:[1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}"
    r"|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])"
)
ORIGIN = re.compile(rf"https?://({HOST}|{IPV6})(:{PORT})?")
SENDER = re.compile(r"([^<>@\n]+ <)?(?P<local>[^\s<>@,]+)@[^\s<>@,]+(?(1)>)")
QUERY = r"(?:\?(?P<query>\w+=[^&#]*(?:&\w+=[^&#]*)*))?"
# Groups in capitals are settings of Django, percent-encoded. HOST can also be the
# folder of a socket.
POSTGRESQL_URL = re.compile(
    r"postgres(?:ql)?://(?:(?P<USER>[^:@/?#]*)(?::(?P<PASSWORD>[^@/?#]*))?@)?"
    r"(?P<HOST>[^:@/?#[\]]*|\[[\w.:%]+\])"
    rf"(?::(?P<PORT>{PORT}))?/(?P<NAME>[^@/?#]*){QUERY}"
)
SQLITE_URL = re.compile(rf"sqlite:///?(?P<NAME>[^?#]*){QUERY}")
REDIS_URL = re.compile(
    rf"rediss?://([^/?#]*@)?([\w.-]+|{IPV6})(:{PORT})?(/\d*)?(\?.*)?"
)
SITE_URL = re.compile(rf"(?P<scheme>https?)://(?P<host>{HOST}|{IPV6})(:{PORT})?")
HEARTBEAT_URL = re.compile(rf"(https://{HOST}(:{PORT})?(/[!-~]*)?)?")
S3_URL = re.compile(
    r"s3://((?P<access_key>[^:/@?]+):(?P<secret_key>[^:/@?]+)@)?"
    rf"(?P<host>[a-z0-9.-]+)(?P<port>:{PORT})?"
    r"/(?P<bucket_name>[a-z0-9.-]+)\?region=(?P<region_name>[a-z0-9-]+)"
)

# Providers of emails, by scheme. The groups are options of Anymail's backend.
KEY = r"[\w.-]+"
PROVIDER_URLS = {
    "mailgun": re.compile(
        rf"mailgun://(?P<api_key>{KEY})@(?P<sender_domain>{HOST})"
        r"(?:\?region=(?P<region>us|eu))?",
        re.ASCII,
    ),
    "postmark": re.compile(rf"postmark://(?P<server_token>{KEY})", re.ASCII),
}
MAILGUN_HOSTS = {"us": "api.mailgun.net", "eu": "api.eu.mailgun.net"}
WEBHOOK_SECRET = re.compile(r"[A-Za-z0-9_-]{20,200}")


class Environment:
    """Read each NAME from a variable, or from the file that NAME_FILE names.

    An empty value counts as unset.
    """

    def __init__(self) -> None:
        self.folder: Path | None = None
        self.forget()

    def forget(self) -> None:
        """Begin anew, with the variables of the process alone."""
        self.variables: dict[str, str | None] = dict(os.environ)
        self.problems: dict[str, list[str]] = {}
        # What has been read, by variable, and which of them have no default.
        self.values: dict[str, Any] = {}
        self.required: set[str] = set()

    def load(self, folder: Path) -> None:
        """Read the project's .env, or the file that ENV_FILE names.

        Variables of the process win. Without the file, they are all there is.
        """
        with importing("secure_django.conf.env", extra="site"):
            from dotenv import dotenv_values

        self.forget()
        # Django loads settings that failed once more. Their defaults must fail again.
        for name in default_modules():
            del sys.modules[name]
        self.folder = folder
        path = folder / (os.environ.get("ENV_FILE") or ".env")
        try:
            with path.open(encoding="utf-8") as file:
                # The file's values are not copied into the process environment, which
                # child processes inherit.
                self.variables = dotenv_values(stream=file) | self.variables
        except FileNotFoundError:
            pass
        except (OSError, ValueError):
            self.add_problem(
                "ENV_FILE",
                "The file (default: .env) must be UTF-8 text that this user may read.",
            )

    @property
    def is_loaded(self) -> bool:
        return self.folder is not None

    @property
    def base_dir(self) -> Path:
        if self.folder is None:
            message = "Call env.load(BASE_DIR) before secure_django.conf.defaults."
            raise ImproperlyConfigured(message)
        return self.folder

    @property
    def debug(self) -> bool:
        return self.read("DEBUG", boolean, "off")

    def in_debug(self, default: str) -> str | None:
        """Return a default for DEBUG, without which the variable is required."""
        return default if self.debug else None

    def read[T](
        self, name: str, parse: Callable[[str], T], default: str | None = None
    ) -> T:
        """Return what `parse` makes of a variable, or of its default.

        Without a default, the variable is required. If it is missing or invalid, the
        value is None until stop_on_problems raises.
        """
        if default is None:
            self.required.add(name)
        try:
            value = self.find_value(name) or default
            if value is None:
                raise ImproperlyConfigured("Is not set.")
            self.values[name] = parse(value)
        except ImproperlyConfigured as error:
            self.values[name] = None
            self.add_problem(name, str(error))
        return self.values[name]  # type: ignore[no-any-return]

    def find_value(self, name: str) -> str:
        path = self.variables.get(f"{name}_FILE")
        if not path:
            return (self.variables.get(name) or "").strip()
        try:
            return Path(path).read_text(encoding="utf-8").strip()
        except (OSError, ValueError):
            raise ImproperlyConfigured(
                f"{name}_FILE names a file that cannot be read."
            ) from None

    def add_problem(self, name: str, message: str) -> None:
        messages = self.problems.setdefault(name, [])
        if message not in messages:
            messages.append(message)

    def check_together(self) -> None:
        """Add the problems of values that do not fit each other."""
        hosts_of_site = self.values.get("ALLOWED_HOSTS") or []
        if self.debug and not all(map(is_local, hosts_of_site)):
            self.add_problem(
                "DEBUG",
                "Must be off when ALLOWED_HOSTS names a public host:"
                " error pages would show source code.",
            )
        if not self.debug and self.values.get("EMAIL_URL") == CONSOLE:
            self.add_problem(
                "EMAIL_URL",
                "Must name a mail server without DEBUG:"
                " the console would log password reset links.",
            )
        is_preloaded = self.values.get("SECURE_HSTS_PRELOAD")
        if is_preloaded and not self.values.get("SECURE_HSTS_INCLUDE_SUBDOMAINS"):
            self.add_problem(
                "SECURE_HSTS_PRELOAD",
                "Needs SECURE_HSTS_INCLUDE_SUBDOMAINS: browsers list whole domains.",
            )
        if not self.debug:
            self.check_site_url()
            self.check_photos_last()

    def check_site_url(self) -> None:
        url = SITE_URL.fullmatch(self.values.get("SITE_URL") or "")
        if url is None:
            return
        if url["scheme"] != "https":
            self.add_problem("SITE_URL", "Must begin with https:// without DEBUG.")
        hosts_of_site = self.values.get("ALLOWED_HOSTS")
        if hosts_of_site and not validate_host(url["host"], hosts_of_site):
            self.add_problem(
                "SITE_URL",
                "ALLOWED_HOSTS must have its host: the site refuses others, so links"
                " in emails would lead nowhere.",
            )

    def check_photos_last(self) -> None:
        """Only a project for a platform reads MEDIA_ROOT_IS_PERSISTENT."""
        is_temporary = self.values.get("MEDIA_ROOT_IS_PERSISTENT") is False
        if is_temporary and not self.values.get("STORAGE_URL"):
            self.add_problem(
                "STORAGE_URL",
                "Is not set, so the site would lose every photo at the next release,"
                " with the disk of its container. Name a bucket, or mount a volume at"
                " MEDIA_ROOT and set MEDIA_ROOT_IS_PERSISTENT=on.",
            )

    def stop_on_problems(self) -> None:
        """Stop manage.py and gunicorn with all problems (ImproperlyConfigured)."""
        self.check_together()
        if not self.problems:
            return
        lines = [
            "The project cannot start with this environment"
            " (.env.example documents each variable):"
        ]
        for name, messages in sorted(self.problems.items()):
            lines.append(f"  {name}: {' '.join(messages)}")
        raise ImproperlyConfigured("\n".join(lines))


def default_modules() -> list[str]:
    return list(filter(DEFAULTS.fullmatch, sys.modules))


# Each parser raises ImproperlyConfigured with a sentence that never contains the value.


def boolean(value: str) -> bool:
    word = value.lower()
    if word not in ON | OFF:
        raise ImproperlyConfigured("Must be on or off.")
    return word in ON


def number(smallest: int, largest: int = 10**15) -> Callable[[str], int]:
    def parse(value: str) -> int:
        is_number = re.fullmatch(r"[0-9]{1,16}", value)
        if not is_number or not smallest <= int(value) <= largest:
            raise ImproperlyConfigured(
                f"Must be a whole number from {smallest} to {largest}."
            )
        return int(value)

    return parse


def text(is_valid: Callable[[str], object], sentence: str) -> Callable[[str], str]:
    def parse(value: str) -> str:
        if not is_valid(value):
            raise ImproperlyConfigured(sentence)
        return value

    return parse


def photo_folder(project: Path) -> Callable[[str], Path]:
    """Return a parser of a path, which may be relative to the project."""

    def parse(value: str) -> Path:
        folder = project / value
        resolved = folder.resolve()
        paths = {folder, *folder.parents, resolved, *resolved.parents}
        names = {path.name.lower() for path in paths if path.is_relative_to(project)}
        if names & {"static", "staticfiles"}:
            raise ImproperlyConfigured(
                "Must not be in a folder of static files: everyone could read the"
                " photos."
            )
        if project.is_relative_to(resolved):
            raise ImproperlyConfigured(
                "Must not contain the project: a backup of the photos would hold its"
                " secrets."
            )
        return folder

    return parse


def is_sender(value: str) -> bool:
    """Return whether Django sends emails from this address."""
    match = SENDER.fullmatch(value)
    return match is not None and match["local"].isascii()


language = text(
    LANGUAGE_CODES.__contains__, "Must be a language of Django, such as de or pt-br."
)
time_zone = text(
    available_timezones().__contains__, "Must be a time zone such as Europe/Berlin."
)
sender = text(is_sender, "Must be one email address, with ASCII before the @.")
site_url = text(
    lambda value: not value or SITE_URL.fullmatch(value),
    "Must be a scheme and a host in lowercase, such as https://staging.example.com,"
    " without a path.",
)
heartbeat_url = text(HEARTBEAT_URL.fullmatch, "Must begin with https:// and a host.")
webhook_secret = text(
    lambda value: not value or WEBHOOK_SECRET.fullmatch(value),
    "Must be at least 20 letters, digits, - and _.",
)


def secret_key(value: str) -> str:
    """Return a signing key that fulfills the rules of Django's check security.W009."""
    if value.startswith(PLACEHOLDER):
        raise ImproperlyConfigured("Is still the placeholder from .env.example.")
    is_made_by_django = value.startswith("django-insecure-")
    if len(value) < 50 or len(set(value)) < 5 or is_made_by_django:
        raise ImproperlyConfigured("Must be at least 50 random characters.")
    parts = {value[start : start + 5] for start in range(len(value))}
    if len(parts) < 0.6 * len(value):
        raise ImproperlyConfigured("Must be random, not a repeated word.")
    return value


def secret_keys(value: str) -> list[str]:
    return [secret_key(key) for key in items(value)]


def fernet_keys(value: str) -> list[str]:
    with importing("secure_django.conf.fernet_keys", extra="site"):
        from cryptography.fernet import Fernet, MultiFernet

    keys = items(value)
    try:
        MultiFernet([Fernet(key) for key in keys])
    except ValueError:
        message = (
            "Each key must be 32 bytes in URL-safe base64."
            " .env.example has the command that makes one."
        )
        raise ImproperlyConfigured(message) from None
    return keys


def hosts(value: str) -> list[str]:
    """Return host names and IP addresses, as in a Host header.

    `.example.com` includes its subdomains.
    """
    names = items(value)
    if not names or not all(map(ALLOWED_HOST.fullmatch, names)):
        raise ImproperlyConfigured(
            "Must list lowercase host names such as example.com,"
            " without scheme, port or '*'."
        )
    return names


def origins(value: str) -> list[str]:
    names = items(value)
    if not all(map(ORIGIN.fullmatch, names)):
        raise ImproperlyConfigured(
            "Must be origins in lowercase without '*',"
            " such as https://admin.example.com."
        )
    return names


def items(value: str) -> list[str]:
    return [item.strip() for item in value.split(",") if item.strip()]


def is_local(host: str) -> bool:
    """Return whether a value of ALLOWED_HOSTS can only be reached from this machine."""
    return bool(re.fullmatch(r"(.*\.)?localhost|127(\.\d+){3}|\[::1\]", host))


def database_url(value: str) -> dict[str, Any]:
    """Return the entry of Django's DATABASES for DATABASE_URL."""
    url = POSTGRESQL_URL.fullmatch(value) or SQLITE_URL.fullmatch(value)
    if not url:
        raise ImproperlyConfigured(
            "Must be postgres://USER:PASSWORD@HOST:PORT/NAME, each part"
            " percent-encoded, or sqlite:////PATH."
        )
    groups = url.groupdict(default="")
    pairs = parse_qsl(groups["query"], keep_blank_values=True)
    options = {name: read_option(text) for name, text in pairs}
    parts = {name: unquote(part) for name, part in groups.items() if name.isupper()}
    if url.re is SQLITE_URL:
        return sqlite_database(parts, options)
    return postgresql_database(parts, options)


def sqlite_url(folder: Path) -> str:
    """Return DATABASE_URL of the database for development."""
    return f"sqlite:///{quote((folder / 'db.sqlite3').as_posix())}"


def read_option(text: str) -> bool | int | str:
    if text in {"true", "false"}:
        return text == "true"
    return int(text) if text.isdecimal() else text


def sqlite_database(parts: dict[str, str], options: dict[str, Any]) -> dict[str, Any]:
    name = parts["NAME"]
    if name != ":memory:" and not Path(name).is_absolute():
        # Server and worker may start in different folders, and an empty path would be a
        # database in memory.
        raise ImproperlyConfigured(
            "SQLite needs an absolute path: sqlite:////srv/site.sqlite3."
        )
    # In SQLite's default mode a busy site silently loses writes to the cache, which
    # holds the rate limits.
    modes = {
        "transaction_mode": "IMMEDIATE",
        "init_command": "PRAGMA journal_mode=WAL;",
    }
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": name,
        "OPTIONS": {"timeout": 20} | options | modes,
    }


def postgresql_database(
    parts: dict[str, str], options: dict[str, Any]
) -> dict[str, Any]:
    # Seconds for a new connection, and milliseconds until it counts as broken because
    # its server does not answer. The system's timeouts would block requests for
    # minutes.
    timeouts = {"connect_timeout": 3, "tcp_user_timeout": 10_000}
    return parts | {
        "ENGINE": "secure_django.postgresql",
        "HOST": parts["HOST"].strip("[]"),
        "OPTIONS": timeouts | options,
        # A new connection takes longer than a page. Each request checks a reused one.
        "CONN_MAX_AGE": 60,
        "CONN_HEALTH_CHECKS": True,
    }


def cache_url(value: str) -> dict[str, Any]:
    """Return the entry of Django's CACHES for CACHE_URL.

    All processes share the cache, for the rate limits.
    """
    if value == "db://django_cache":
        return {
            "BACKEND": "secure_django.cache.DatabaseCache",
            "LOCATION": "django_cache",
            # With the default of 300, an attacker could evict an account's limits.
            "OPTIONS": {"MAX_ENTRIES": 100_000},
        }
    if not REDIS_URL.fullmatch(value):
        raise ImproperlyConfigured(
            "Must be db://django_cache, redis://HOST:PORT or rediss://HOST:PORT."
        )
    if not is_installed("redis"):
        raise ImproperlyConfigured("Needs `uv sync --all-extras`.")
    return {
        "BACKEND": "secure_django.cache.RedisCache",
        "LOCATION": value,
        "OPTIONS": {"socket_connect_timeout": 2, "socket_timeout": 2},  # seconds
    }


def email_url(value: str) -> dict[str, Any]:
    """Return the entry of MAILERS for EMAIL_URL: a mail server, or a provider's API."""
    if value == "console://":
        return CONSOLE
    scheme, _, _ = value.partition("://")
    if scheme in PROVIDER_URLS:
        return provider_url(scheme, value)
    options: dict[str, Any] = {}
    with suppress(KeyError, ValueError):
        url = urlsplit(value)
        # Looked up even if the URL has a port, so that an unknown scheme is refused: it
        # would become an unencrypted connection.
        port = MAIL_PORTS[url.scheme]
        port = port if url.port is None else url.port
        options = {"host": url.hostname, "port": port, "timeout": MAIL_SECONDS}
    if not (options.get("host") and options["port"]):
        raise ImproperlyConfigured(
            "Must be submission://, smtps:// or smtp:// with user:password@host:port,"
            " or postmark://TOKEN or mailgun://KEY@DOMAIN of a provider."
        )
    options["username"] = unquote(url.username or "")
    options["password"] = unquote(url.password or "")
    options["use_tls"] = url.scheme == "submission"
    options["use_ssl"] = url.scheme == "smtps"
    return {
        "BACKEND": "django.core.mail.backends.smtp.EmailBackend",
        "OPTIONS": options,
    }


def provider_url(name: str, value: str) -> dict[str, Any]:
    url = PROVIDER_URLS[name].fullmatch(value)
    if not url:
        raise ImproperlyConfigured(
            "Must be postmark://TOKEN, mailgun://KEY@DOMAIN or, for Mailgun in the EU,"
            " mailgun://KEY@DOMAIN?region=eu."
        )
    if not is_installed("anymail"):
        raise ImproperlyConfigured("Needs `uv sync --all-extras`.")
    options: dict[str, Any] = url.groupdict()
    # Domains are encoded as Django does for a mail server, and as reports are read.
    options |= {"timeout": MAIL_SECONDS, "idna_encoder": "idna2003"}
    if name == "mailgun":
        host = MAILGUN_HOSTS[options.pop("region") or "us"]
        options["api_url"] = f"https://{host}/v3"
    return {"BACKEND": f"anymail.backends.{name}.EmailBackend", "OPTIONS": options}


def mailers(server: dict[str, Any] | None) -> dict[str, Any]:
    """Return MAILERS: emails wait in the database for the worker, which sends them.

    The console prints them at once.
    """
    if server == CONSOLE:
        return {"server": server, "default": server}
    return {
        "server": server,
        "default": {"BACKEND": "secure_django.mail.outbox.OutboxBackend"},
    }


def storage_url(value: str) -> dict[str, Any]:
    """Return the entry of STORAGES for STORAGE_URL; it is empty for an empty value."""
    if not value:
        return {}
    url = S3_URL.fullmatch(value)
    if not url or not is_installed("storages"):
        raise ImproperlyConfigured(
            "Must be s3://KEY:SECRET@HOST/BUCKET?region=REGION."
            " Needs `uv sync --all-extras`."
        )
    options = {name: part and unquote(part) for name, part in url.groupdict().items()}
    host = options.pop("host")
    port = options.pop("port") or ""
    scheme = "http" if is_local(host) else "https"
    options["endpoint_url"] = f"{scheme}://{host}{port}"
    return {"BACKEND": "secure_django.photos.storage.ObjectStorage", "OPTIONS": options}
