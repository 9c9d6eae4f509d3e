"""The words by which a failure shows that it is about a weakness of a kind.

The unseen features name no words of their own, so these are all words in which the
guard, Ruff and Bandit say such things. They were chosen from the sentences in the
guard's source and from the rules of Ruff and Bandit, before any feature was scored.
"""

from benchmarks.hurried import KINDS as HURRIED_KINDS

# What the guard ranks as reading too: `reads` in secure_django/guard/sentences.py.
READS = r"answers (200|away), not (40\d|log-in|reauth)|sends \w+\.\w+ to others"
# Fields that say how far something has come.
STATE = r"(\w+_)?(status|state|step|stage|phase|at|on|until)\b|is_\w+"
FURTHER_WORDS = {
    "access": rf"{READS}|can be guessed|other sites read it|admits all staff"
    r"|opens a file by a name|returns every field|from a cache|kept in a cache",
    "account": r"lets a user set|makes an account|checks of the log-in"
    r"|deletes an account|check_password|has an account|changes User of",
    "content": r"Spreadsheets run cells|as it came|decodes a user|any length"
    r"|(negative|any) number|what is no URL|stays when",
    "csrf": r"\bGET\b.* sends an email",
    "edge": r"\bwas not asked\b",
    "email": r"to any address|address from a request|in a user's name"
    r"|recipients of an email|sends \w+\.\w+ to others|email in its URL"
    r"|sends HTML with unescaped",
    "header": r"other sites read it|sets the cookie|kept in a cache",
    "injection": r"javascript|name of a field|what is no URL"
    r"|\b[SB](102|301|307|60[0-9]|61[01]|70[1-4])\b",
    "lifetime": r"has no end|used again|stays when|from a cache|kept in a cache"
    r"|\bOnce \w+\.\w+ is",
    "limit": r"any length|(negative|any) number|counts no attempts|all objects at once"
    r"|\b[SB]113\b",
    "log": r"logs a parameter",
    "order": rf"used again|\bOnce \w+\.\w+ is|lets a user set \w+\.({STATE})",
    "performance": r"without an end",
    "redirect": r"redirects to another site",
    "secret": r"can be guessed|email in its URL|returns every field"
    r"|sends \w+\.\w*(password|secret|key|token)|\b[SB](10[567]|311|324|50\d)\b",
    "ssrf": r"\b[SB]310\b",
    "writing": r"lets a user set|opens a file by a name|\bGET\b.* changes \w+",
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
