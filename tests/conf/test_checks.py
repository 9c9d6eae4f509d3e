"""Each setting that weakens a project has an error with an id of its own."""

import re
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.apps import apps
from django.conf import settings as site
from django.core import checks as django_checks
from django.middleware.csrf import CsrfViewMiddleware
from pytest_django import Settings

import secure_django
from secure_django.conf import checks, env

PACKAGE = Path(secure_django.__file__).parent
DOCUMENT = (PACKAGE / "docs" / "checks.md").read_text(encoding="utf-8")
PBKDF2 = "django.contrib.auth.hashers.PBKDF2PasswordHasher"
MD5 = "django.contrib.auth.hashers.MD5PasswordHasher"


def ids() -> set[int]:
    """Return the numbers of the errors that the settings have."""
    messages = django_checks.run_checks(tags=[django_checks.Tags.security])
    errors = [message for message in messages if message.level >= django_checks.ERROR]
    assert all(message.hint and message.msg.endswith(".") for message in errors)
    names = [str(message.id) for message in errors]
    return {int(name.removeprefix("secure_django.E")) for name in names}


def without(setting: str, *names: str) -> dict[str, Any]:
    """Return a list without the entries that end with one of the names."""
    return {
        setting: [name for name in getattr(site, setting) if not name.endswith(names)]
    }


def without_middleware(*names: str) -> dict[str, Any]:
    return without("MIDDLEWARE", *names)


def without_rule(name: str) -> dict[str, Any]:
    rules: list[Any] = list(site.AUTH_PASSWORD_VALIDATORS)
    kept = [rule for rule in rules if not rule["NAME"].endswith(name)]
    return {"AUTH_PASSWORD_VALIDATORS": kept}


def shortest_password(number: int) -> dict[str, Any]:
    name = "django.contrib.auth.password_validation.MinimumLengthValidator"
    rule = {"NAME": name, "OPTIONS": {"min_length": number}}
    rules = without_rule("MinimumLengthValidator")["AUTH_PASSWORD_VALIDATORS"]
    return {"AUTH_PASSWORD_VALIDATORS": [rule, *rules]}


def policy(**directives: list[str]) -> dict[str, Any]:
    """Return the policy with other directives; an underscore stands for a hyphen."""
    changes = {name.replace("_", "-"): value for name, value in directives.items()}
    return {"SECURE_CSP": site.SECURE_CSP | changes}


def limits(**changes: str) -> dict[str, Any]:
    return {"ACCOUNT_RATE_LIMITS": site.ACCOUNT_RATE_LIMITS | changes}


def without_entry(setting: str, name: str) -> dict[str, Any]:
    entries = getattr(site, setting)
    others = {key: entries[key] for key in entries if key != name}
    return {setting: others}


ALL_LIMITS = (
    checks.LIMITS
    | checks.ACCOUNTS_LIMITS
    | checks.ALLAUTH_LIMITS
    | checks.ALLAUTH_ACCOUNTS_LIMITS
)
LIMIT_NUMBERS = {number for number, _ in ALL_LIMITS.values()}
# What a team can break by one line, and which error names it. Twelve of them are the
# ones that a suite of tests in each project noticed before the package had checks.
TWELVE: dict[str, tuple[dict[str, Any], set[int]]] = {
    "no CSRF middleware": (without_middleware("CsrfViewMiddleware"), {116}),
    "no LoginRequiredMiddleware": (
        without_middleware("LoginRequiredMiddleware"),
        {113},
    ),
    "no RequestValidationMiddleware": (
        without_middleware("RequestValidationMiddleware"),
        {107},
    ),
    "no SessionTimeoutMiddleware": (
        without_middleware("SessionTimeoutMiddleware"),
        {112},
    ),
    "no ResponseHeadersMiddleware": (
        without_middleware("ResponseHeadersMiddleware"),
        {106},
    ),
    "cookies without secure": (
        {"SESSION_COOKIE_SECURE": False, "CSRF_COOKIE_SECURE": False},
        {541, 542},
    ),
    "CSP with unsafe-inline": (
        policy(script_src=["'self'", "'unsafe-inline'"]),
        {602},
    ),
    "no redirect to HTTPS": ({"SECURE_SSL_REDIRECT": False}, {545}),
    "no password rules": (
        {"AUTH_PASSWORD_VALIDATORS": []},
        set(checks.PASSWORD_RULES.values()),
    ),
    "no limits of log-ins": ({"ACCOUNT_RATE_LIMITS": False}, LIMIT_NUMBERS),
    "MD5": ({"PASSWORD_HASHERS": [MD5]}, {408, 409}),
    "sessions of 30 days": ({"SESSION_COOKIE_AGE": 30 * 86400}, {501}),
}
FURTHER: list[tuple[dict[str, Any], set[int]]] = [
    (shortest_password(11), {407}),
    ({"PASSWORD_HASHERS": [PBKDF2]}, {408}),
    ({"PASSWORD_HASHERS": [*site.PASSWORD_HASHERS, MD5]}, {409}),
    ({"PASSWORD_RESET_TIMEOUT": 3 * 86400}, {410}),
    ({"PASSWORD_RESET_TIMEOUT": None}, {410}),
    (
        {
            "AUTHENTICATION_BACKENDS": [
                *site.AUTHENTICATION_BACKENDS,
                "django.contrib.auth.backends.ModelBackend",
            ]
        },
        {421},
    ),
    (
        {
            "AUTHENTICATION_BACKENDS": ["django.contrib.auth.backends.ModelBackend"],
        },
        {421},
    ),
    ({"ACCOUNT_ADAPTER": "allauth.account.adapter.DefaultAccountAdapter"}, {423, 428}),
    ({"ACCOUNT_ADAPTER": "secure_django.login.adapters.AccountAdapter"}, {428}),
    (without_entry("ACCOUNT_FORMS", "login"), {424}),
    (without_entry("ACCOUNT_FORMS", "signup"), {429}),
    ({"ACCOUNT_FORMS": {}}, {424, 429}),
    ({"ACCOUNT_PREVENT_ENUMERATION": False}, {425}),
    ({"ACCOUNT_LOGOUT_ON_GET": True}, {426}),
    ({"ACCOUNT_EMAIL_NOTIFICATIONS": False}, {427}),
    ({"ACCOUNT_EMAIL_VERIFICATION": "optional"}, {430}),
    ({"ACCOUNT_REAUTHENTICATION_REQUIRED": False}, {431}),
    ({"ACCOUNT_REAUTHENTICATION_METHODS": ["password", "mfa", "email"]}, {432}),
    ({"MFA_ADAPTER": "allauth.mfa.adapter.DefaultMFAAdapter"}, {433}),
    ({"ACCOUNT_RATE_LIMITS": None}, LIMIT_NUMBERS),
    (limits(login_failed="10/m/ip"), {442}),  # by many networks, without end
    (limits(unknown_device_failed=""), {456}),
    ({"MFA_RATE_LIMITS": False}, {455}),
    ({"MFA_RATE_LIMITS": {"webauthn_login": None}}, {455}),
    ({"SESSION_ABSOLUTE_AGE": timedelta(days=1)}, {502}),
    ({"SESSION_ABSOLUTE_AGE": 3600}, {502}),
    (
        {"SESSION_ENGINE": "django.contrib.sessions.backends.signed_cookies"},
        {503, 512},
    ),
    ({"SESSION_ENGINE": "django.contrib.sessions.backends.cached_db"}, {512}),
    ({"SESSION_ENGINE": "django.contrib.sessions.backends.db"}, {512}),
    ({"SESSION_SERIALIZER": "pickle.Pickler"}, {504}),
    ({"SESSION_COOKIE_HTTPONLY": False}, {505}),
    ({"CSRF_COOKIE_HTTPONLY": False}, {506}),
    ({"SESSION_COOKIE_SAMESITE": "None"}, {507}),
    ({"CSRF_COOKIE_SAMESITE": False}, {508}),
    ({"SESSION_COOKIE_DOMAIN": "example.com"}, {509}),
    ({"CSRF_COOKIE_DOMAIN": ".example.com"}, {510}),
    (
        {"MESSAGE_STORAGE": "django.contrib.messages.storage.cookie.CookieStorage"},
        {511},
    ),
    ({"SECURE_PROXY_SSL_HEADER": ("HTTP_X_FORWARDED_PROTO", "https")}, {521}),
    ({"USE_X_FORWARDED_HOST": True}, {522}),
    ({"USE_X_FORWARDED_PORT": True}, {523}),
    ({"CSRF_TRUSTED_ORIGINS": ["https://*.example.com"]}, {524}),
    ({"DATA_UPLOAD_MAX_MEMORY_SIZE": None}, {525}),
    ({"DATA_UPLOAD_MAX_NUMBER_FIELDS": None}, {526}),
    ({"DATA_UPLOAD_MAX_NUMBER_FILES": None}, {527}),
    ({"BODY_MAX_BYTES": 10**9}, {528}),
    (
        {
            "FILE_UPLOAD_HANDLERS": [
                "django.core.files.uploadhandler.TemporaryFileUploadHandler",
                *site.FILE_UPLOAD_HANDLERS,
            ]
        },
        {529},
    ),
    (
        {"TEMPLATES": [{**site.TEMPLATES[0], "OPTIONS": {"autoescape": False}}]},
        {530},
    ),
    ({"SESSION_COOKIE_NAME": "sessionid"}, {543}),
    ({"CSRF_COOKIE_NAME": "__Secure-csrftoken"}, {544}),
    ({"SECURE_REDIRECT_EXEMPT": [*site.SECURE_REDIRECT_EXEMPT, "^accounts/"]}, {546}),
    ({"ALLOWED_HOSTS": ["*"]}, {547}),
    (
        {
            "CACHES": {
                "default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}
            }
        },
        {548},
    ),
    ({"MFA_WEBAUTHN_ALLOW_INSECURE_ORIGIN": True}, {550}),
    ({"SECURE_CSP": {}}, {612}),
    (
        {"SECURE_CSP": {}, "CSP_REPORT_ONLY": True},
        set(checks.DIRECTIVES.values()),
    ),
    ({"PERMISSIONS_POLICY": {}}, {613}),
    (without_entry("PERMISSIONS_POLICY", "camera"), {613}),
    ({"PERMISSIONS_POLICY": site.PERMISSIONS_POLICY | {"usb": ["*"]}}, {613}),
    ({"SECURE_REFERRER_POLICY": "unsafe-url"}, {614}),
    ({"SECURE_REFERRER_POLICY": None}, {614}),
    ({"SECURE_CROSS_ORIGIN_OPENER_POLICY": "unsafe-none"}, {615}),
    ({"WHITENOISE_ALLOW_ALL_ORIGINS": True}, {616}),
]
# Broken by tests of their own below.
ELSEWHERE = {
    *checks.NUMBERS.values(),
    *checks.APPS.values(),
    *checks.ACCOUNTS_APPS.values(),
    *(303, 304, 305, 317, 422, 549),
}


def change(settings: Settings, values: dict[str, Any]) -> None:
    for name, value in values.items():
        setattr(settings, name, value)


def test_settings_of_the_site_have_no_errors() -> None:
    assert ids() == set()


@pytest.mark.control("V13.2.3")
@pytest.mark.parametrize("name", TWELVE)
def test_broken_setting_is_named(name: str, settings: Settings) -> None:
    values, expected = TWELVE[name]
    change(settings, values)
    assert ids() == expected


@pytest.mark.parametrize(
    ("values", "expected"), FURTHER, ids=[" ".join(values) for values, _ in FURTHER]
)
def test_further_broken_setting_is_named(
    values: dict[str, Any], expected: set[int], settings: Settings
) -> None:
    change(settings, values)
    assert ids() == expected


@pytest.mark.parametrize("name", checks.NUMBERS)
def test_each_middleware_has_an_id_of_its_own(name: str, settings: Settings) -> None:
    number = checks.NUMBERS[name]
    index = settings.MIDDLEWARE.index(name)
    others = [other for other in settings.MIDDLEWARE if other != name]
    settings.MIDDLEWARE = others
    assert ids() == {number}
    is_in_first_half = index < len(others) // 2
    settings.MIDDLEWARE = [*others, name] if is_in_first_half else [name, *others]
    assert ids() == {number}


def test_hint_names_the_place_of_a_middleware(settings: Settings) -> None:
    last_missing = without_middleware("FormNoteMiddleware")
    change(settings, without_middleware("CsrfViewMiddleware", "MessageMiddleware"))
    settings.MIDDLEWARE += ["django.middleware.csrf.CsrfViewMiddleware"]
    misplaced, missing = checks.check_middleware()
    before = "before allauth.account.middleware.AccountMiddleware."
    assert misplaced.hint == f"Move it {before}"
    assert missing.hint == f"Add it {before}"
    change(settings, last_missing)
    (last,) = checks.check_middleware()
    assert last.hint == "Add it at the end."


class OwnMiddleware:
    """A middleware of a project."""


def test_subclasses_count_and_own_classes_may_stand_anywhere(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    subclass = type("OwnCsrf", (CsrfViewMiddleware,), {})
    monkeypatch.setattr(f"{__name__}.OwnCsrf", subclass, raising=False)
    own = f"{__name__}.OwnMiddleware"
    names = {"django.middleware.csrf.CsrfViewMiddleware": f"{__name__}.OwnCsrf"}
    middleware = [names.get(name, name) for name in settings.MIDDLEWARE]
    for index in range(len(middleware) + 1):
        settings.MIDDLEWARE = [*middleware[:index], own, *middleware[index:]]
        assert list(checks.check_middleware()) == []
    others = [name for name in middleware if not name.endswith("OwnCsrf")]
    settings.MIDDLEWARE = [f"{__name__}.OwnCsrf", *others]
    assert ids() == {116}


@pytest.mark.parametrize("name", checks.PASSWORD_RULES)
def test_each_password_rule_has_an_id_of_its_own(name: str, settings: Settings) -> None:
    change(settings, without_rule(name))
    assert ids() == {checks.PASSWORD_RULES[name]}


@pytest.mark.parametrize("name", ALL_LIMITS)
def test_each_limit_has_an_id_of_its_own(name: str, settings: Settings) -> None:
    number, _ = ALL_LIMITS[name]
    present = settings.ACCOUNT_RATE_LIMITS
    for value in (False, None, ""):
        settings.ACCOUNT_RATE_LIMITS = present | {name: value}
        assert ids() == {number}
    settings.ACCOUNT_RATE_LIMITS = {
        other: present[other] for other in present if other != name
    }
    assert ids() == ({number} if name in present else set())  # allauth has the others


@pytest.mark.parametrize("name", checks.DIRECTIVES)
def test_each_directive_has_an_id_of_its_own(name: str, settings: Settings) -> None:
    change(settings, without_entry("SECURE_CSP", name))
    assert ids() == {checks.DIRECTIVES[name]}
    settings.SECURE_CSP = site.SECURE_CSP | {name: None}
    assert ids() == {checks.DIRECTIVES[name]}


@pytest.mark.parametrize(
    "source",
    [
        *("'unsafe-inline'", "'unsafe-eval'", "'UNSAFE-INLINE'", "*", "https:"),
        *("http:", "data:", "https://*", "*:*", "https://*:443", "blob:"),
    ],
)
def test_unsafe_source_is_named(source: str, settings: Settings) -> None:
    safe = settings.SECURE_CSP
    for name in checks.DIRECTIVES.keys() - checks.OPEN_DIRECTIVES:
        for values in ([source], ("'self'", source), {source}, f"'self' {source}"):
            settings.SECURE_CSP = safe | {name: values}
            messages = checks.check_csp()
            number = checks.DIRECTIVES[name]
            assert [m.id for m in messages] == [f"secure_django.E{number}"]


def test_directive_that_refines_another_is_checked(settings: Settings) -> None:
    change(settings, policy(script_src_elem=["'unsafe-inline'"]))
    assert ids() == {602}


def test_hosts_and_images_may_be_added(settings: Settings) -> None:
    sources = ["'self'", "https://cdn.example.com", "*.example.com"]
    change(settings, policy(script_src=sources, img_src=["*", "data:"]))
    assert ids() == set()


@pytest.mark.parametrize("name", checks.APPS | checks.ACCOUNTS_APPS)
def test_each_app_has_an_id_of_its_own(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    is_installed = apps.is_installed
    monkeypatch.setattr(
        apps, "is_installed", lambda other: other != name and is_installed(other)
    )
    assert ids() == {(checks.APPS | checks.ACCOUNTS_APPS)[name]}


@pytest.mark.parametrize("name", checks.FEATURES)
def test_feature_without_its_app_is_named(name: str, settings: Settings) -> None:
    settings.INSTALLED_APPS = [app for app in settings.INSTALLED_APPS if app != name]
    assert checks.FEATURES[name][0] in ids()


def test_admin_of_django_is_named(settings: Settings) -> None:
    change(settings, without("INSTALLED_APPS", "AdminConfig"))
    assert ids() == {303}
    plain = "django.contrib.admin.apps.SimpleAdminConfig"
    settings.INSTALLED_APPS = [*settings.INSTALLED_APPS, plain]
    assert ids() == {303}


def test_apps_that_replace_templates_stand_first(settings: Settings) -> None:
    settings.INSTALLED_APPS = sorted(settings.INSTALLED_APPS)
    assert ids() == {317}


def test_user_model_without_the_package_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Without Django's signal, which would replace the model in forms.
    monkeypatch.setattr(site, "AUTH_USER_MODEL", "auth.Group")
    assert ids() == {422}


def test_decoder_without_sandbox_is_named(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.DECODER_MAY_BE_UNCONFINED = True
    monkeypatch.setattr("sys.platform", "linux")
    assert ids() == {549}
    monkeypatch.setattr("sys.platform", "darwin")
    assert ids() == set()


def test_features_that_are_not_installed_need_nothing(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    is_installed = apps.is_installed
    monkeypatch.setattr(
        apps,
        "is_installed",
        lambda name: "accounts" not in name and is_installed(name),
    )
    monkeypatch.setattr(checks, "FEATURES", {})
    change(settings, without_middleware("SecondFactorMiddleware"))
    change(settings, without_rule("BreachedPasswordValidator"))
    for name in checks.ACCOUNTS_LIMITS:
        change(settings, without_entry("ACCOUNT_RATE_LIMITS", name))
    settings.ACCOUNT_ADAPTER = "secure_django.login.adapters.AccountAdapter"
    settings.ACCOUNT_EMAIL_VERIFICATION = "none"
    assert ids() == set()


def test_development_needs_no_https(settings: Settings) -> None:
    settings.DEBUG = True
    settings.SECURE_SSL_REDIRECT = False
    settings.SESSION_COOKIE_SECURE = False
    settings.CSRF_COOKIE_SECURE = False
    settings.SESSION_COOKIE_NAME = "sessionid"
    settings.CSRF_COOKIE_NAME = "csrftoken"
    settings.MFA_WEBAUTHN_ALLOW_INSECURE_ORIGIN = True
    settings.DECODER_MAY_BE_UNCONFINED = True
    assert ids() == set()
    settings.SESSION_COOKIE_AGE = 86400
    assert ids() == {501}


def test_list_that_a_project_changes_is_compared() -> None:
    """The reference is no list that a project can change in place."""
    hashers = site.PASSWORD_HASHERS
    hashers.insert(0, PBKDF2)
    try:
        assert ids() == {408}
    finally:
        del hashers[0]


def test_site_with_settings_of_its_own_is_not_checked(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.MIDDLEWARE = []
    monkeypatch.setattr(env, "folder", None)
    assert ids() == set()


def test_silenced_id_hides_no_other(settings: Settings) -> None:
    settings.SILENCED_SYSTEM_CHECKS = ["secure_django.E116"]
    change(
        settings, without_middleware("CsrfViewMiddleware", "LoginRequiredMiddleware")
    )
    messages = checks.check_settings()
    shown = [message.id for message in messages if not message.is_silenced()]
    assert shown == ["secure_django.E113"]


def test_ids_of_other_checks_are_documented() -> None:
    package = Path(checks.__file__).parents[1]
    paths = package.rglob("*.py")
    code = "".join(path.read_text(encoding="utf-8") for path in paths)
    used = set(re.findall(r"secure_django\.([EWI]\d{3})\b", code))
    assert {"E201", "W301", "I001"} <= used
    assert used <= set(re.findall(r"\b[EWI]\d{3}\b", DOCUMENT))


def test_every_id_is_documented_and_tested() -> None:
    source = Path(checks.__file__).read_text(encoding="utf-8")
    used = set(map(int, re.findall(r"\b[1-6]\d\d\b", source)))
    numbers = re.findall(r"^\| `?E?(\d+)`? \|", DOCUMENT, re.MULTILINE)
    documented = set(map(int, numbers))
    tested = ELSEWHERE.union(*(expected for _, expected in TWELVE.values()))
    tested = tested.union(*(expected for _, expected in FURTHER))
    assert used == documented == tested


def foreign_ids(monkeypatch: pytest.MonkeyPatch) -> set[int]:
    """Return what is named in a project whose settings are its own."""
    monkeypatch.setattr(checks, "env", SimpleNamespace(is_loaded=False))
    names = [str(message.id) for message in checks.check_foreign_settings()]
    return {int(name.removeprefix("secure_django.E")) for name in names}


def test_settings_of_a_site_are_fine_in_a_foreign_project(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.DEBUG = False
    assert foreign_ids(monkeypatch) <= set(range(541, 549))
    monkeypatch.undo()
    assert checks.check_foreign_settings() == []  # the others ask all


@pytest.mark.control("V13.2.3")
@pytest.mark.parametrize(
    ("setting", "value", "number"),
    [
        ("SESSION_COOKIE_HTTPONLY", False, 505),
        ("PASSWORD_HASHERS", [PBKDF2], 408),
        ("SECURE_CSP", {}, 612),
        ("AUTH_PASSWORD_VALIDATORS", [], 404),
        ("MIDDLEWARE", [], 116),
    ],
)
def test_weakness_of_a_foreign_project_is_named(
    setting: str,
    value: object,
    number: int,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = foreign_ids(monkeypatch)
    assert number not in before
    setattr(settings, setting, value)
    assert number in foreign_ids(monkeypatch)


def test_foreign_project_is_not_asked_for_classes_of_the_package(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.MIDDLEWARE = []
    settings.ACCOUNT_FORMS = {}
    settings.ACCOUNT_RATE_LIMITS = {}
    asked = foreign_ids(monkeypatch)
    assert asked & {101, 102, 106, 107, 113, 119, 120, 424, 441, 502} == set()
