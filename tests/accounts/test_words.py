"""Words of allauth that do not fit the pages of the package.

They are another name for a passkey, and the host as the site's name.
"""

import re
from importlib.resources import files
from pathlib import Path

import secure_django

OTHER_WORDS = re.compile(
    r"security key|master key|contact us|current_site|has given", re.IGNORECASE
)
# No page shows these.
UNUSED = {
    "account/verification_sent.html",
    "account/verified_email_required.html",
    "mfa/webauthn/base.html",
}


def test_templates_with_other_words_are_replaced() -> None:
    package = Path(secure_django.__file__).parent
    own = {
        path.relative_to(folder).as_posix()
        for folder in (package / "login/templates", package / "accounts/templates")
        for path in folder.rglob("*.*")
    }
    allauth = Path(str(files("allauth") / "templates"))
    found = {
        path.relative_to(allauth).as_posix()
        for app in ("account", "mfa", "usersessions")
        for path in (allauth / app).rglob("*.*")
        if OTHER_WORDS.search(path.read_text(encoding="utf-8"))
    }
    assert found - own == UNUSED
