"""The words by which a failure shows that it is about a weakness of a kind.

The unseen features name no words of their own, so these are all words in which the
guard, Ruff and Bandit say such things. They were chosen from the sentences in the
guard's source and from the rules of Ruff and Bandit, before any feature was scored.
The place of a weakness is taken out of a line before the words are looked for.
"""

from tests.guard.hurried import KINDS as HURRIED_KINDS

# A sentence in which the field is the place itself: `shows Note.text (other)`.
NOTHING = r" +(\(|from|by|:|$)"
SHOWS = rf"\bshows(?: \w+\.\w+|{NOTHING})"
CHANGES = r"(changes|uses) +(\w+ +)?of the owner"
SENDS = r"sends +(\w+\.\w+ +)?to others"
# What the guard ranks as reading too: `reads` in secure_django/guard/sentences.py.
READS = r"answers (200|away), not (40\d|log-in|reauth)"
ONCE = r"\bOnce +(\w+\.\w+ +)?is\b"
# Fields that say how far something has come.
STATE = r"((\w+_)?(status|state|step|stage|phase|at|on|until)\b|is_\w+)"
CACHE = "from a cache|kept in a cache"
NUMBER = "(negative|any) number"
FURTHER_WORDS = {
    "access": rf"{SHOWS}|{READS}|{SENDS}|{CACHE}|can be guessed|other sites read it"
    r"|admits all staff|opens a file by a name|returns every field",
    "account": r"lets a user set|makes an account|checks of the log-in"
    r"|deletes an account|check_password|has an account|changes +(User +)?of",
    "content": rf"Spreadsheets run cells|as it came|decodes a user|any length|{NUMBER}"
    r"|what is no URL|stays when",
    "csrf": r"\bGET\b.* (sends an email|changes\b)",
    "edge": r"\bwas not asked\b",
    "email": rf"{SENDS}|shows{NOTHING}|to any address|address from a request"
    r"|in a user's name|recipients of an email|email in its URL"
    r"|sends HTML with unescaped",
    "header": rf"{CACHE}|other sites read it|sets the cookie",
    "injection": r"javascript|name of a field|what is no URL"
    r"|\b[SB](102|301|307|60[0-9]|61[01]|70[1-4])\b",
    "lifetime": rf"{CACHE}|{ONCE}|has no end|used again|stays when",
    "limit": rf"{NUMBER}|any length|counts no attempts|all objects at once"
    r"|\b[SB]113\b",
    "log": rf"\blogs( a parameter|{NOTHING})",
    "order": rf"{ONCE}|used again|lets a user set( \w+\.{STATE}|{NOTHING})",
    "performance": r"without an end",
    "redirect": r"redirects to another site",
    "secret": rf"shows{NOTHING}|can be guessed|email in its URL|returns every field"
    r"|sends \w+\.\w*(password|secret|key|token)|\b[SB](10[567]|311|324|50\d)\b",
    "ssrf": r"\b[SB]310\b",
    "writing": rf"{CHANGES}|lets a user set|opens a file by a name"
    r"|\bGET\b.* changes\b",
}
KINDS = {
    kind: "|".join(filter(None, [HURRIED_KINDS.get(kind, ""), words]))
    for kind, words in FURTHER_WORDS.items()
}
# What Schemathesis says, which the project's own checks do not.
SCHEMATHESIS = {
    "access": "object-level authorization|authentication",
    "edge": "server error",
    "writing": "object-level authorization|authentication",
}
