"""No template needs an exception in the Content-Security-Policy.

Every form has a token.
"""

import re
from collections.abc import Collection, Iterator
from importlib import import_module
from itertools import chain
from pathlib import Path

import pytest
from django.apps import apps
from django.conf import settings

from secure_django.controls.project import read_project
from secure_django.guard.tables import is_own_app
from secure_django.user import User

# A script with a nonce is allowed, and JSON is no script. Emails are not pages, and
# need their styles inline.
ALLOWED = r'(?![^>]*\s(?:src=|nonce=|type="application/json"))'
INLINE = re.compile(
    rf"<style|\s(?:style|on\w+)=|javascript:|<script{ALLOWED}", re.IGNORECASE
)
# What shows text as HTML, or runs it.
UNESCAPED = re.compile(
    r"\w*\|\s*safe\b|%\s*autoescape off|(?:mark_safe|SafeString)\([^)\n]*\)?"
    r"|(?:\.|\[.)(?:inner|outer)HTML|AdjacentHTML|(?<![\w.])eval\("
)
# None of these has HTML that a user has written.
TRUSTED = {
    "help_text|safe",
    "totp_svg|safe",
}
# What shows an email. A page shows visitors their own alone.
EMAIL = re.compile(r"\b[\w.]+\.email\b")
OWN = {
    "user.email",
    "form.user.email",
    "new_emailaddress.email",
}
FORM = re.compile(r'<form[^>]*method="post".*?</form>', re.IGNORECASE | re.DOTALL)
NOT_OWN = {"node_modules", "site-packages", "staticfiles", "vendor"}
NOT_RUN = NOT_OWN | {"controls", "guard", "testing", "tests"}


def own_files(pattern: str, without: Collection[str] = NOT_OWN) -> Iterator[Path]:
    """Yield files of this project, and of a package that is asked for with it.

    The setting GUARD_PACKAGES names such packages.
    """
    packages = getattr(settings, "GUARD_PACKAGES", ())
    folders = [Path(import_module(name).__file__ or "").parent for name in packages]
    for folder in (settings.BASE_DIR, *folders):
        for path in folder.glob(f"[a-z]*/**/{pattern}"):
            parts = path.relative_to(folder).parts
            if set(parts).isdisjoint(without):
                yield path


TEMPLATES = {
    path: path.read_text(encoding="utf-8")
    for path in own_files("*.html")
    if "templates" in path.parts and "email" not in path.parts
}


def exempt_code() -> set[str]:
    """Return what [tool.secure-django.exempt] of pyproject.toml has a reason for."""
    entries = read_project(settings.BASE_DIR).exempt
    return {code for code, reason in entries.items() if str(reason).strip()}


def unescaped_code() -> set[str]:
    code = [path for kind in ("py", "js") for path in own_files(f"*.{kind}", NOT_RUN)]
    texts = [*TEMPLATES.values(), *(path.read_text(encoding="utf-8") for path in code)]
    return {code for text in texts for code in UNESCAPED.findall(text)}


def own_emails(path: Path) -> set[str]:
    """Return what shows an email that is no user's, such as that of a contact.

    The objects of its app have such a field.
    """
    models = [
        model
        for app in apps.get_app_configs()
        if path.is_relative_to(app.path)
        for model in app.get_models()
        if model is not User
    ]
    fields = chain.from_iterable(model._meta.concrete_fields for model in models)
    return OWN | {"object.email" for field in fields if field.name == "email"}


def template_name(path: Path) -> Path:
    parts = path.parts
    return Path(*parts[parts.index("templates") + 1 :])


def test_every_replaced_template_is_still_one_of_its_package() -> None:
    own_names = set()
    packages = []
    for app in apps.get_app_configs():
        if is_own_app(app):
            own_names |= {app.label, *app.name.split(".")}
        else:
            packages.append(Path(app.path, "templates"))
    for path in own_files("*.*"):
        if "templates" not in path.parts or path.name.startswith("_"):
            continue
        name = template_name(path)
        # A folder of its own, or a page of the admin for one of its models.
        if len(name.parts) == 1 or not own_names.isdisjoint(name.parts):
            continue
        known = [it for it in packages if (it / name.parts[0]).is_dir()]
        assert not known or any((it / name).is_file() for it in known), path


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
    assert unescaped_code() <= TRUSTED | exempt_code(), (
        "A user's text would run as HTML: let a template escape it, or use format_html."
    )


@pytest.mark.control("names")
def test_pages_show_no_email_of_another_user() -> None:
    names = {
        path: set(EMAIL.findall(text)) - own_emails(path) - exempt_code()
        for path, text in TEMPLATES.items()
        if "admin" not in path.parts
    }
    found = [f"{path}: {whose}" for path, whose in names.items() if whose]
    assert not found, "Print the user, or a name: only its owner may see an email."


def test_exempt_code_is_in_the_project() -> None:
    emails = {code for text in TEMPLATES.values() for code in EMAIL.findall(text)}
    unused = exempt_code() - emails - unescaped_code()
    assert not unused, "Remove it from [tool.secure-django.exempt] of pyproject.toml."


@pytest.mark.control("V3.5.1")
def test_every_form_has_a_csrf_token() -> None:
    forms = [
        (path, form) for path, text in TEMPLATES.items() for form in FORM.findall(text)
    ]
    assert forms
    found = [path for path, form in forms if "% csrf_token %" not in form]
    assert not found, "Put the tag csrf_token into each form that posts."
