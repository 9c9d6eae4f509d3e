import html
import re

from secure_django.fetch import FetchError, fetch


def find(pattern: str, text: str) -> str:
    found = re.search(pattern, text, re.IGNORECASE | re.DOTALL)
    return html.unescape(found[1].strip()) if found else ""


def fetch_preview(url: str) -> dict[str, str]:
    try:
        text = fetch(url).content.decode(errors="replace")
    except FetchError as error:
        text = str(error)
    return {
        "url": url,
        "title": find(r"<title>(.*?)</title>", text) or text[:200],
        "description": find(r'name="description" content="(.*?)"', text),
        "image": find(r'property="og:image" content="(.*?)"', text),
    }
