"""What people type: texts that are found again in pages, emails and logs."""

WORD = "typ3d"  # found in lower case, in a slug, and without markup
TEXT = f"{WORD}<i>"
PASSWORD = f"{WORD.capitalize()}-passw0rd-47"
LONG = WORD * 4200
OUTSIDER = "outsider@example.org"
EVIL = "https://evil.example/<i>("  # the bracket is half an expression
EVIL_HOST = "//evil.example/<i>"  # of another site, although it begins with a slash
