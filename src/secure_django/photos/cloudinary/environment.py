"""Parsers for Cloudinary's environment variables."""

import re
from urllib.parse import parse_qsl

from django.core.exceptions import ImproperlyConfigured

URL = re.compile(
    r"cloudinary://(?P<api_key>[\w-]+):(?P<api_secret>[\w-]+)"
    r"@(?P<cloud_name>[\w-]+)(?:\?(.*))?",
    re.ASCII,
)
# No other options: the SDK reads each one as text, so that `secure=false` would count
# as true.
OPTIONS = {
    "upload_prefix": re.compile(
        r"https://[\w.:-]+|http://(127\.0\.0\.1|localhost):\d+", re.ASCII
    ),
    "signature_algorithm": re.compile(r"sha1|sha256"),
}
KIND = re.compile(
    r"aws_rek|webpurify|perception_point|manual|duplicate:(0(\.\d+)?|1(\.0+)?)",
    re.ASCII,
)


def url(value: str) -> dict[str, str]:
    """Return the SDK's configuration from CLOUDINARY_URL.

    It is empty for an empty value, which DEBUG allows.
    """
    if not value:
        return {}
    match = URL.fullmatch(value)
    if not match:
        raise ImproperlyConfigured(
            "Must be cloudinary://API_KEY:API_SECRET@CLOUD_NAME."
        )
    query = match[4] or ""
    options = dict(parse_qsl(query, keep_blank_values=True))
    for name, option in options.items():
        pattern = OPTIONS.get(name)
        if not pattern or not pattern.fullmatch(option):
            raise ImproperlyConfigured(
                f"Valid options after the question mark: {', '.join(OPTIONS)}."
            )
    return match.groupdict() | options


def kinds(value: str) -> list[str]:
    """Return the kinds in CLOUDINARY_MODERATION, in the order in which they run."""
    entries = value.split("|")
    if not all(map(KIND.fullmatch, entries)):
        raise ImproperlyConfigured(
            "Valid kinds: aws_rek, webpurify, perception_point, "
            "duplicate:0.8 (0 to 1), manual."
        )
    names = [entry.partition(":")[0] for entry in entries]
    is_repeated = len(set(names)) < len(names)
    if is_repeated or "manual" in names[:-1]:
        raise ImproperlyConfigured("Name each kind once, and manual last.")
    return entries
