"""What a project's settings import: the environment, and the readers of its values."""

from secure_django.conf.environment import Environment as _Environment
from secure_django.conf.environment import (
    boolean,
    cache_url,
    database_url,
    email_url,
    fernet_keys,
    hosts,
    items,
    language,
    mailers,
    number,
    origins,
    secret_key,
    secret_keys,
    sender,
    sqlite_url,
    text,
    time_zone,
)

env = _Environment()

__all__ = [
    "boolean",
    "cache_url",
    "database_url",
    "email_url",
    "env",
    "fernet_keys",
    "hosts",
    "items",
    "language",
    "mailers",
    "number",
    "origins",
    "secret_key",
    "secret_keys",
    "sender",
    "sqlite_url",
    "text",
    "time_zone",
]
