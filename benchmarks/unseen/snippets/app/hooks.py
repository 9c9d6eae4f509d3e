"""Requests to other servers: the webhook of a snippet, and imports."""

import json
import logging
import posixpath
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

logger = logging.getLogger(__name__)


def call_webhook(snippet, event):
    if not snippet.webhook_url:
        return
    data = {
        "event": event,
        "slug": snippet.slug,
        "title": snippet.title,
        "visibility": snippet.visibility,
        "code": snippet.code,
    }
    request = Request(
        snippet.webhook_url,
        json.dumps(data).encode(),
        {"Content-Type": "application/json", "User-Agent": "snippets"},
    )
    try:
        with urlopen(request) as answer:
            result = f"{answer.status}\n{answer.read().decode(errors='replace')}"
    except Exception as error:
        result = str(error)
    snippet.webhook_answer = result
    snippet.save()


def fetch_code(url):
    """Return the name and the text of a file on the web."""
    with urlopen(url, timeout=20) as answer:
        text = answer.read().decode()
    return posixpath.basename(urlsplit(url).path) or "imported.txt", text
