import re

from django.utils.safestring import SafeString

RULES = [
    (re.compile(r"^# (.+)$", re.MULTILINE), r"<h2>\1</h2>"),
    (re.compile(r"\*\*(.+?)\*\*"), r"<strong>\1</strong>"),
    (re.compile(r"\*(.+?)\*"), r"<em>\1</em>"),
    (re.compile(r"\[(.+?)\]\((.+?)\)"), r'<a href="\2">\1</a>'),
    (re.compile(r"\n\n"), "<br><br>"),
]


def render_markdown(text: str) -> SafeString:
    for pattern, replacement in RULES:
        text = pattern.sub(replacement, text)
    return SafeString(text)
