"""Words of allauth that do not fit the pages of the package.

They are another name for a passkey, the host as the site's name, and jargon of the
admin.
"""

import re
from importlib.resources import files
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import call_command

import secure_django
from secure_django.testing import HTTPSClient, MakeUser

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


@pytest.mark.django_db
def test_staff_read_of_second_factors_in_the_admin(
    client: HTTPSClient, make_user: MakeUser
) -> None:
    boss = make_user("boss@example.com", is_staff=True, is_superuser=True)
    client.force_login(boss)
    for page in ("/admin/", "/admin/mfa/authenticator/"):
        text = client.get(page).text
        assert "Second factors" in text
        assert not re.search(r"MFA|[Aa]uthenticators", text)
    # The names are none of the models that migrations compare.
    call_command("makemigrations", "--check", "--dry-run", stdout=StringIO())
