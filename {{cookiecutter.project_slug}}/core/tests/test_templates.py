"""No template needs an exception in the Content-Security-Policy.

Every form has a token.
"""

import re
from pathlib import Path

import pytest
from django.apps import apps
from django.conf import settings

# A script with a nonce is allowed, and JSON is no script. Emails are not pages, and
# need their styles inline.
ALLOWED = r'(?![^>]*\s(?:src=|nonce=|type="application/json"))'
INLINE = re.compile(
    rf"<style|\s(?:style|on\w+)=|javascript:|<script{ALLOWED}", re.IGNORECASE
)
# What shows text as HTML, or runs it.
UNESCAPED = re.compile(
    r"\w*\|\s*safe\b|autoescape off|(?:mark_safe|SafeString)\([^)\n]*\)?"
    r"|(?:\.|\[.)(?:inner|outer)HTML|AdjacentHTML|(?<![\w.])eval\("
)
# None of these has HTML that a user has written.
TRUSTED = {
    "help_text|safe",
    # % if cookiecutter.auth_app
    "totp_svg|safe",
    # % endif
}
# What shows an email. A page shows visitors their own alone.
EMAIL = re.compile(r"\b([\w.]+)\.email\b")
OWN = {
    "user",
    "form.user",
    # % if cookiecutter.auth_app
    "new_emailaddress",
    # % endif
}
FORM = re.compile(r'<form[^>]*method="post".*?</form>', re.IGNORECASE | re.DOTALL)
PATHS = [
    path
    for path in settings.BASE_DIR.glob("[a-z]*/**/*.html")
    if "templates" in path.parts
]
TEMPLATES = {
    path: path.read_text(encoding="utf-8")
    for path in PATHS
    if not {"email", "site-packages"} & {*path.parts}
}


def is_own(folder: str) -> bool:
    return (settings.BASE_DIR / folder).is_dir()


def test_every_replaced_template_is_still_one_of_its_package() -> None:
    packages = [
        Path(app.path) / "templates"
        for app in apps.get_app_configs()
        if not is_own(app.name.partition(".")[0])
    ]
    for file in settings.BASE_DIR.glob("*/templates/*/**/[!_]*.*"):
        name = Path(*file.relative_to(settings.BASE_DIR).parts[2:])
        assert any(map(is_own, name.parts[:-1])) or any(
            (folder / name).is_file() for folder in packages
        ), name


@pytest.mark.control("V1.2.3")
@pytest.mark.control("V3.4.3")
def test_templates_have_no_inline_scripts_or_styles() -> None:
    found = [
        f"{path}: {code}"
        for path, text in TEMPLATES.items()
        for code in INLINE.findall(text)
    ]
    assert not found, "Browsers ignore this code: move it to a file in static/."


@pytest.mark.control("V1.2.1")
@pytest.mark.control("V1.3.2")
@pytest.mark.control("V3.2.2")
def test_nothing_is_shown_without_escaping() -> None:
    code = [
        path
        for kind in ("py", "js")
        for path in settings.BASE_DIR.glob(f"[a-z]*/**/*.{kind}")
    ]
    own = [
        path
        for path in code
        if not {"tests", "staticfiles", "site-packages", "vendor"} & {*path.parts}
    ]
    texts = [*TEMPLATES.values(), *(path.read_text(encoding="utf-8") for path in own)]
    found = {code for text in texts for code in UNESCAPED.findall(text)}
    assert found <= TRUSTED, (
        "A user's text would run as HTML: let a template escape it, or use format_html."
    )


@pytest.mark.control("names")
def test_pages_show_no_email_of_another_user() -> None:
    names = {
        path: set(EMAIL.findall(text)) - OWN
        for path, text in TEMPLATES.items()
        if "admin" not in path.parts
    }
    found = [f"{path}: {whose}" for path, whose in names.items() if whose]
    assert not found, "Print the user, or a name: only its owner may see an email."


@pytest.mark.control("V3.5.1")
def test_every_form_has_a_csrf_token() -> None:
    forms = [
        (path, form) for path, text in TEMPLATES.items() for form in FORM.findall(text)
    ]
    assert forms
    found = [path for path, form in forms if "% csrf_token %" not in form]
    assert not found, "Put the tag csrf_token into each form that posts."
