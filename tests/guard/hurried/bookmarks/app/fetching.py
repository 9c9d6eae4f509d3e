import html
import re

import urllib3

http = urllib3.PoolManager()


def find(pattern: str, text: str) -> str:
    found = re.search(pattern, text, re.IGNORECASE | re.DOTALL)
    return html.unescape(found[1].strip()) if found else ""


def fetch_preview(url: str) -> dict[str, str]:
    response = http.request("GET", url)
    text = response.data.decode(errors="replace")
    return {
        "url": url,
        "title": find(r"<title>(.*?)</title>", text) or text[:200],
        "description": find(r'name="description" content="(.*?)"', text),
        "image": find(r'property="og:image" content="(.*?)"', text),
    }
