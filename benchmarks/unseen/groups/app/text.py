"""From what members write to HTML."""

import re

from django.contrib.auth import get_user_model
from django.urls import reverse
from django.utils.html import escape, linebreaks, urlize
from django.utils.http import urlencode
from django.utils.safestring import mark_safe

MENTION = re.compile(r"@([\w.+-]+@[\w-]+\.[\w.-]+\w)")
RULES = [
    (r"^### (.+)$", r"<h4>\1</h4>"),
    (r"^## (.+)$", r"<h3>\1</h3>"),
    (r"^# (.+)$", r"<h2>\1</h2>"),
    (r"\*\*(.+?)\*\*", r"<strong>\1</strong>"),
    (r"\*(.+?)\*", r"<em>\1</em>"),
    (r"`(.+?)`", r"<code>\1</code>"),
    (r"^- (.+)$", r"<li>\1</li>"),
]


def mentioned_users(text):
    emails = {email.lower() for email in MENTION.findall(text)}
    return get_user_model().objects.filter(email__in=emails)


def link_mentions(html):
    names = {user.email: str(user) for user in mentioned_users(html)}

    def link(match):
        name = names.get(match[1].lower())
        return f"<strong>@{name}</strong>" if name else match[0]

    return MENTION.sub(link, html)


def link_out(match):
    text, url = match[1], match[2]
    if url.startswith("http"):
        url = f"{reverse('groups:out')}?{urlencode({'url': url})}"
    return f'<a href="{url}" rel="nofollow">{text}</a>'


def render_markdown(text):
    html = escape(text)
    html = re.sub(r"\[([^\]]+)\]\(([^)\s]+)\)", link_out, html)
    for pattern, replacement in RULES:
        html = re.sub(pattern, replacement, html, flags=re.MULTILINE)
    return mark_safe(linebreaks(link_mentions(html)))


def render_plain(text):
    return mark_safe(linebreaks(urlize(text, nofollow=True, autoescape=True)))
