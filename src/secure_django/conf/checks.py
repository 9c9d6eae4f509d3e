"""System checks of the settings that a project decides.

They run before each command of manage.py, and a server logs them at its start. Each
problem has an id of its own, so that silencing one hides no other: docs/checks.md. The
numbers stay: a new class, app or limit gets the next one. What a value is compared with
stands here, since a project may change the lists of secure_django.conf.defaults.
"""

import re
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any, NamedTuple

from django.apps import apps
from django.conf import global_settings, settings
from django.core.checks import CheckMessage, Error, Tags, register
from django.utils.csp import CSP
from django.utils.module_loading import import_string

from secure_django.conf import env
from secure_django.sessions import is_in_use

ACCOUNTS = "secure_django.accounts"

# In their order: a response passes the last one first.
NUMBERS = {
    # Outermost, so that each response is logged and has the headers.
    "secure_django.web.middleware.RequestLogMiddleware": 101,
    "django_permissions_policy.PermissionsPolicyMiddleware": 102,
    "django.middleware.csp.ContentSecurityPolicyMiddleware": 103,
    "django.middleware.clickjacking.XFrameOptionsMiddleware": 104,
    "django.middleware.security.SecurityMiddleware": 105,
    "secure_django.web.middleware.ResponseHeadersMiddleware": 106,
    # Before anything that reads the query, cookies or the body.
    "secure_django.web.middleware.RequestValidationMiddleware": 107,
    "whitenoise.middleware.WhiteNoiseMiddleware": 108,
    # Before the sessions, whose cookies belong to the answer that it keeps.
    "secure_django.web.repeats.RepeatedFormMiddleware": 121,
    "django.contrib.sessions.middleware.SessionMiddleware": 109,
    "django.contrib.auth.middleware.AuthenticationMiddleware": 110,
    # Before anything that asks for the user's rights.
    "secure_django.accounts.middleware.SecondFactorMiddleware": 111,
    "secure_django.web.middleware.SessionTimeoutMiddleware": 112,
    # Before CSRF protection, which parses the body.
    "django.contrib.auth.middleware.LoginRequiredMiddleware": 113,
    "secure_django.web.middleware.BodySizeMiddleware": 114,
    "django.middleware.common.CommonMiddleware": 115,
    "django.middleware.csrf.CsrfViewMiddleware": 116,
    "django.contrib.messages.middleware.MessageMiddleware": 117,
    "allauth.account.middleware.AccountMiddleware": 118,
    "secure_django.web.middleware.UnavailableMiddleware": 119,
    # After CSRF protection, so that forged forms do not wait.
    "secure_django.login.middleware.FormTurnMiddleware": 120,
    "secure_django.web.repeats.FormNoteMiddleware": 122,
}
APPS = {
    "secure_django.login": 301,
    "secure_django.photos": 302,
    "django.contrib.auth": 306,
    "django.contrib.contenttypes": 307,
    "django.contrib.sessions": 308,
    "django.contrib.messages": 309,
    "django.contrib.staticfiles": 310,
    # The development server's static files have the site's headers.
    "whitenoise.runserver_nostatic": 311,
    "allauth": 312,
    "allauth.account": 313,
    # FORM_RENDERER finds the templates of Django's widgets there.
    "django.forms": 318,
    "secure_django.profile": 319,
}
ACCOUNTS_APPS = {
    "django.contrib.humanize": 314,
    "allauth.mfa": 315,
    "allauth.usersessions": 316,
}
# A setting of each feature's defaults.
FEATURES = {
    ACCOUNTS: (304, "MFA_ADAPTER"),
    "secure_django.photos.cloudinary": (305, "CLOUDINARY"),
}
# Templates and commands of the package replace those of these apps.
REPLACED_APPS = ("allauth", "django.contrib", "whitenoise")

DJANGO_RULES = "django.contrib.auth.password_validation"
PASSWORD_RULES = {
    f"{DJANGO_RULES}.UserAttributeSimilarityValidator": 401,
    f"{DJANGO_RULES}.MinimumLengthValidator": 402,
    f"{DJANGO_RULES}.CommonPasswordValidator": 403,
    f"{DJANGO_RULES}.NumericPasswordValidator": 404,
    "secure_django.login.password_validation.SiteNameValidator": 405,
    "secure_django.accounts.password_validation.BreachedPasswordValidator": 406,
}
SHORTEST_PASSWORD = 12
# A stolen hash of these is broken in seconds.
FAST_HASHERS = re.compile(r".*\.(Unsalted)?(MD5|SHA1)PasswordHasher")

# For each limit, what it must count by: the IP address, the account or recipient
# (key), the user who is logged in.
LIMITS = {
    "unknown_device": (441, {"ip"}),
    "login_failed": (442, {"key"}),
    "unknown_device_failed": (456, {"ip"}),
    "change_password": (443, {"user"}),
    "reset_password": (444, {"ip"}),
    "reset_link": (445, {"key"}),
    "invitation": (446, {"ip", "key"}),
    "invitation_by_user": (447, {"user"}),
    "invitation_by_visitor": (457, {"ip", "key"}),
}
ACCOUNTS_LIMITS = {
    "signup": (448, {"ip"}),
    "email": (449, {"key"}),
    "emailed_code": (450, {"key"}),
    "manage_email": (451, {"user"}),
}
# Limits that allauth has by itself, unless a project switches them off.
ALLAUTH_LIMITS = {
    "reset_password_from_key": (452, {"ip"}),
}
ALLAUTH_ACCOUNTS_LIMITS = {
    "reauthenticate": (453, {"user"}),
    "confirm_email": (454, {"key"}),
}

DIRECTIVES = {
    "default-src": 601,
    "script-src": 602,
    "style-src": 603,
    "img-src": 604,
    "connect-src": 605,
    "form-action": 606,
    "base-uri": 607,
    "object-src": 608,
    "frame-ancestors": 609,
    "report-uri": 610,
    "report-to": 611,
}
# What a project with settings of its own is asked too. The others are about the
# package's own classes.
FOREIGN_MIDDLEWARE = [
    name
    for name in NUMBERS
    if name.startswith("django.") and not name.endswith(".LoginRequiredMiddleware")
]
FOREIGN_DIRECTIVES = {
    name: number
    for name, number in DIRECTIVES.items()
    if not name.startswith("report-")
}
# Settings of Django whose rules expect a class or a variable of the package.
OWN_VALUES = {
    "AUTHENTICATION_BACKENDS",
    "AUTH_USER_MODEL",
    "FILE_UPLOAD_HANDLERS",
    "SECURE_PROXY_SSL_HEADER",
}
# Images of any site are what some pages need, and they run nothing.
OPEN_DIRECTIVES = {"img-src", "report-uri", "report-to"}
UNSAFE_SOURCES = {
    *(CSP.UNSAFE_INLINE, CSP.UNSAFE_EVAL, CSP.UNSAFE_HASHES),
    *("http:", "https:", "data:", "blob:", "filesystem:"),
}
ANY_HOST = re.compile(r"(\w+://)?\*(:[\d*]+)?")
# What browsers allow every page by default, and this site none.
DENIED_FEATURES = {
    *("accelerometer", "camera", "geolocation", "gyroscope", "magnetometer"),
    *("microphone", "midi", "usb"),
    *("autoplay", "display-capture", "encrypted-media", "fullscreen", "payment"),
    "xr-spatial-tracking",
}
# Other sites see the origin at most.
REFERRER_POLICIES = {
    *("no-referrer", "same-origin", "strict-origin"),
    "strict-origin-when-cross-origin",
}


def error(number: int, text: str, hint: str) -> Error:
    return Error(text, hint=hint, id=f"secure_django.E{number}")


def is_subclass(name: object, base_name: str) -> bool:
    """Return whether a setting names a class, or a subclass of it."""
    if name == base_name:
        return True
    if not isinstance(name, str):
        return False
    own, base = import_string(name), import_string(base_name)
    return isinstance(own, type) and isinstance(base, type) and issubclass(own, base)


def find_places(wanted: list[str], names: list[str]) -> dict[str, int]:
    """Return where each wanted class is in a list of names.

    A subclass stands for its base.
    """
    places = {}
    for base in wanted:
        fitting = [i for i, name in enumerate(names) if name == base]
        if not fitting:
            others = [i for i, name in enumerate(names) if name not in wanted]
            fitting = [i for i in others if is_subclass(names[i], base)]
        if fitting:
            places[base] = fitting[0]
    return places


def longest_ordered(places: dict[str, int]) -> list[str]:
    """Return the most names whose places rise: all others are misplaced."""
    runs: list[list[str]] = []
    for name, place in places.items():
        before = [run for run in runs if places[run[-1]] < place]
        runs.append([*max(before, key=len, default=[]), name])
    return max(runs, key=len, default=[])


def check_middleware() -> Iterator[CheckMessage]:
    wanted = list(NUMBERS)
    if not apps.is_installed(ACCOUNTS):
        wanted = [name for name in wanted if not name.startswith(ACCOUNTS)]
    places = find_places(wanted, settings.MIDDLEWARE)
    ordered = longest_ordered(places)
    for index, name in enumerate(wanted):
        if name in ordered:
            continue
        number = NUMBERS[name]
        following = [other for other in wanted[index:] if other in ordered]
        place = f"before {following[0]}" if following else "at the end"
        if name in places:
            text = f"MIDDLEWARE has {name} in the wrong place."
            yield error(number, text, f"Move it {place}.")
        else:
            text = f"MIDDLEWARE lacks {name}."
            yield error(number, text, f"Add it {place}.")


def check_apps() -> Iterator[CheckMessage]:
    wanted = APPS
    if apps.is_installed(ACCOUNTS):
        wanted = APPS | ACCOUNTS_APPS
    for name, number in wanted.items():
        if not apps.is_installed(name):
            yield error(number, f"INSTALLED_APPS lacks {name}.", f'Add "{name}".')
    for name, (number, setting) in FEATURES.items():
        if hasattr(settings, setting) and not apps.is_installed(name):
            text = f"INSTALLED_APPS lacks {name}, whose defaults the settings import."
            yield error(number, text, f'Add "{name}", or remove the import.')
    yield from check_admin()
    yield from check_order_of_apps()


def check_admin() -> Iterator[CheckMessage]:
    configs = [app for app in apps.get_app_configs() if app.label == "admin"]
    sites = [getattr(app, "default_site", "") for app in configs]
    if not any(is_subclass(site, "secure_django.admin.AdminSite") for site in sites):
        text = "The admin is not the package's: it has a log-in without limits."
        hint = 'Put "secure_django.apps.AdminConfig" into INSTALLED_APPS.'
        yield error(303, text, hint)


def check_order_of_apps() -> Iterator[CheckMessage]:
    names = [app.name for app in apps.get_app_configs()]
    own = [index for index, name in enumerate(names) if is_own(name)]
    replaced = [i for i, name in enumerate(names) if name.startswith(REPLACED_APPS)]
    if own and replaced and own[-1] > replaced[0]:
        first = names[replaced[0]]
        text = f"INSTALLED_APPS has {first} before {names[own[-1]]}."
        hint = "Put the apps of secure_django first: their templates replace others."
        yield error(317, text, hint)


def is_own(name: str) -> bool:
    return name.partition(".")[0] == "secure_django"


def check_passwords(
    rules: dict[str, int] = PASSWORD_RULES,
) -> Iterator[CheckMessage]:
    validators: list[Any] = list(settings.AUTH_PASSWORD_VALIDATORS)
    places = find_places(list(rules), [item["NAME"] for item in validators])
    for name, number in rules.items():
        is_needed = apps.is_installed(ACCOUNTS) or not name.startswith(ACCOUNTS)
        if is_needed and name not in places:
            text = f"AUTH_PASSWORD_VALIDATORS lacks {name}."
            yield error(number, text, f'Add {{"NAME": "{name}"}}.')
    length_rule = f"{DJANGO_RULES}.MinimumLengthValidator"
    if length_rule in places:
        item = validators[places[length_rule]]
        rule = import_string(item["NAME"])(**item.get("OPTIONS", {}))
        if rule.min_length < SHORTEST_PASSWORD:
            text = f"Passwords may have fewer than {SHORTEST_PASSWORD} characters."
            hint = f'Set "min_length" to {SHORTEST_PASSWORD} or more.'
            yield error(407, text, hint)


def check_limits() -> Iterator[CheckMessage]:
    wanted = LIMITS | ALLAUTH_LIMITS
    if apps.is_installed(ACCOUNTS):
        wanted = wanted | ACCOUNTS_LIMITS | ALLAUTH_ACCOUNTS_LIMITS
    limits = getattr(settings, "ACCOUNT_RATE_LIMITS", None) or None
    for name, (number, scopes) in wanted.items():
        if limits is None:
            value = None
        elif name in ALLAUTH_LIMITS | ALLAUTH_ACCOUNTS_LIMITS and name not in limits:
            continue
        else:
            value = limits.get(name)
        if missing := scopes - scopes_of(value):
            text = f"ACCOUNT_RATE_LIMITS has no limit of {name} by {listed(missing)}."
            hint = f'Set "{name}", such as "20/h/{min(missing)}".'
            yield error(number, text, hint)


def scopes_of(limit: object) -> set[str]:
    """Return what a limit such as "10/m/ip,5/5m/key" counts by."""
    if not isinstance(limit, str):
        return set()
    return {rate.strip().rpartition("/")[2] for rate in limit.split(",")}


def listed(names: set[str]) -> str:
    return " and by ".join(sorted(names))


def check_csp(directives: dict[str, int] = DIRECTIVES) -> Iterator[CheckMessage]:
    policy = settings.SECURE_CSP
    if getattr(settings, "CSP_REPORT_ONLY", False):
        policy = settings.SECURE_CSP_REPORT_ONLY
    elif not policy:
        text = "SECURE_CSP is empty: browsers enforce no Content-Security-Policy."
        yield error(612, text, "Assign CSP_POLICY to it.")
        return
    for name, number in directives.items():
        if not policy.get(name):
            text = f"The Content-Security-Policy lacks {name}."
            yield error(number, text, "Add it to CSP_POLICY.")
        unsafe = unsafe_sources(policy, name)
        if unsafe and name not in OPEN_DIRECTIVES:
            text = f"{name} of the Content-Security-Policy allows {unsafe[0]}."
            hint = "Name the hosts, or give scripts and styles a file or the nonce."
            yield error(number, text, hint)


def unsafe_sources(policy: dict[str, Any], name: str) -> list[str]:
    """Return the sources of a directive, and of those that refine it, that are unsafe.

    script-src-elem and script-src-attr stand in for script-src.
    """
    sources: list[str] = []
    for directive in (name, f"{name}-elem", f"{name}-attr"):
        values = policy.get(directive) or []
        # Django takes a single text too.
        sources += [values] if isinstance(values, str) else values
    words = [word for source in sources for word in str(source).lower().split()]
    return sorted(
        word for word in words if word in UNSAFE_SOURCES or ANY_HOST.fullmatch(word)
    )


class Rule(NamedTuple):
    number: int
    setting: str
    is_fine: Callable[[Any], bool]  # of the value, or of None if there is none
    problem: str  # the end of a sentence that begins with the setting
    hint: str


def at_most(limit: Any) -> Callable[[Any], bool]:
    return lambda value: type(value) is type(limit) and value <= limit


def one_of(*values: object) -> Callable[[Any], bool]:
    return lambda value: value in values


def subclass_of(name: str) -> Callable[[Any], bool]:
    return lambda value: is_subclass(value, name)


def begins_with_subclass_of(name: str) -> Callable[[Any], bool]:
    return lambda values: bool(values) and is_subclass(values[0], name)


def has_forms(wanted: dict[str, str]) -> Callable[[Any], bool]:
    return lambda forms: all(
        is_subclass((forms or {}).get(key), base) for key, base in wanted.items()
    )


def is_on(value: object) -> bool:
    return value is True


def is_off(value: object) -> bool:
    return not value


def is_set(value: object) -> bool:
    return value is not None


def has_no_wildcard(values: Any) -> bool:
    return "*" not in "".join(values or [])


def has_no_fast_hasher(names: Any) -> bool:
    return not any(FAST_HASHERS.fullmatch(name) for name in names)


def is_login_backend(names: Any) -> bool:
    wanted = "allauth.account.auth_backends.AuthenticationBackend"
    return len(names) == 1 and is_subclass(names[0], wanted)


def is_user_model(label: str) -> bool:
    base = import_string("secure_django.login.models.AbstractUser")
    return issubclass(apps.get_model(label), base)


def exempts_no_page(patterns: Any) -> bool:
    pages = ("", "accounts/login/", "admin/")
    return not any(re.search(pattern, page) for pattern in patterns for page in pages)


def is_shared(caches: Any) -> bool:
    backend = str(caches["default"]["BACKEND"])
    return not backend.endswith((".LocMemCache", ".DummyCache"))


def escapes(templates: Any) -> bool:
    return all(
        engine.get("OPTIONS", {}).get("autoescape", True) for engine in templates
    )


def is_referrer_policy(value: Any) -> bool:
    names = value.split(",") if isinstance(value, str) else value or ["unsafe-url"]
    return {name.strip() for name in names} <= REFERRER_POLICIES


def denies_features(policy: Any) -> bool:
    if not policy or DENIED_FEATURES - policy.keys():
        return False
    return not any("*" in policy[name] for name in DENIED_FEATURES)


def hides_cookies(engine: object) -> bool:
    # A project with settings of its own may lack the table of the package's sessions.
    return not env.is_loaded or is_in_use()


def is_unspoofed(header: Any) -> bool:
    return header is None or settings.TRUSTED_PROXY_COUNT > 0


def is_confined(may_be_unconfined: Any) -> bool:
    # Other systems than Linux cannot confine the decoder, and are for development.
    return not may_be_unconfined or sys.platform != "linux"


RULES = [
    Rule(
        408,
        "PASSWORD_HASHERS",
        begins_with_subclass_of("django.contrib.auth.hashers.Argon2PasswordHasher"),
        "does not begin with Argon2: new passwords are hashed with the first one",
        'Put "secure_django.login.hashers.Argon2idHasher" first.',
    ),
    Rule(
        409,
        "PASSWORD_HASHERS",
        has_no_fast_hasher,
        "has MD5 or SHA-1: a stolen hash of these is broken in seconds",
        "Remove it, and wrap imported hashes in a strong one, as Django documents.",
    ),
    Rule(
        410,
        "PASSWORD_RESET_TIMEOUT",
        at_most(60 * 60),  # in seconds; the link opens an account
        "lets a link for a new password be valid for longer than an hour",
        "Set it to 60 * 60 or less.",
    ),
    Rule(
        421,
        "AUTHENTICATION_BACKENDS",
        is_login_backend,
        "has other backends than allauth's: response times reveal accounts, and a"
        " log-in can go past limits and second factor",
        "Name allauth's alone, or a subclass.",
    ),
    Rule(
        422,
        "AUTH_USER_MODEL",
        is_user_model,
        "is no subclass of secure_django.login.models.AbstractUser",
        "Let the model inherit from it.",
    ),
    Rule(
        423,
        "ACCOUNT_ADAPTER",
        subclass_of("secure_django.login.adapters.AccountAdapter"),
        "is no subclass of the package's, which limits and logs log-ins",
        "Let the adapter inherit from it.",
    ),
    Rule(
        424,
        "ACCOUNT_FORMS",
        has_forms(
            {
                "login": "secure_django.login.forms.LoginForm",
                "reset_password": "secure_django.login.forms.ResetPasswordForm",
            }
        ),
        "lacks the package's forms, which limit log-ins and reset links",
        "Let the forms inherit from them.",
    ),
    Rule(
        425,
        "ACCOUNT_PREVENT_ENUMERATION",
        lambda value: value is not False,  # allauth's default is True
        "lets visitors find out who has an account",
        "Remove the line.",
    ),
    Rule(
        426,
        "ACCOUNT_LOGOUT_ON_GET",
        is_off,
        "lets other sites log users out with an image",
        "Remove the line.",
    ),
    Rule(
        427,
        "ACCOUNT_EMAIL_NOTIFICATIONS",
        is_on,
        "is off: the user is not told that a password was changed",
        "Remove the line.",
    ),
    Rule(
        501,
        "SESSION_COOKIE_AGE",
        at_most(30 * 60),  # in seconds; OWASP: 15 to 30 minutes
        "lets a session without requests last longer than 30 minutes",
        "Set it to 30 * 60 or less.",
    ),
    Rule(
        502,
        "SESSION_ABSOLUTE_AGE",
        at_most(timedelta(hours=8)),  # OWASP: 4 to 8 hours
        "lets a session last longer than 8 hours",
        "Set it to timedelta(hours=8) or less.",
    ),
    Rule(
        503,
        "SESSION_ENGINE",
        lambda value: value != "django.contrib.sessions.backends.signed_cookies",
        "keeps sessions in cookies, where no log-out ends a stolen one",
        "Keep them in the database.",
    ),
    Rule(
        504,
        "SESSION_SERIALIZER",
        subclass_of("django.contrib.sessions.serializers.JSONSerializer"),
        "is not JSON: others can run code from what they read",
        "Remove the line.",
    ),
    Rule(
        505,
        "SESSION_COOKIE_HTTPONLY",
        is_on,
        "is off: scripts can read the cookie",
        "Remove the line.",
    ),
    Rule(
        506,
        "CSRF_COOKIE_HTTPONLY",
        is_on,
        "is off: scripts can read the cookie",
        "Remove the line: scripts can read the token in a form.",
    ),
    Rule(
        507,
        "SESSION_COOKIE_SAMESITE",
        one_of("Lax", "Strict"),
        "lets browsers send the cookie with requests of other sites",
        'Set it to "Lax" or "Strict".',
    ),
    Rule(
        508,
        "CSRF_COOKIE_SAMESITE",
        one_of("Lax", "Strict"),
        "lets browsers send the cookie with requests of other sites",
        'Set it to "Lax" or "Strict".',
    ),
    Rule(
        509,
        "SESSION_COOKIE_DOMAIN",
        one_of(None),
        "gives the cookie to each subdomain",
        "Remove the line.",
    ),
    Rule(
        510,
        "CSRF_COOKIE_DOMAIN",
        one_of(None),
        "lets each subdomain set the cookie",
        "Remove the line.",
    ),
    Rule(
        511,
        "MESSAGE_STORAGE",
        subclass_of("django.contrib.messages.storage.session.SessionStorage"),
        "keeps messages in a cookie without the prefix __Host-",
        'Set it to "django.contrib.messages.storage.session.SessionStorage".',
    ),
    Rule(
        512,
        "SESSION_ENGINE",
        hides_cookies,
        "is not the package's: whoever reads the database or the cache can log in",
        'Set it to "secure_django.sessions".',
    ),
    Rule(
        521,
        "SECURE_PROXY_SSL_HEADER",
        is_unspoofed,
        "is set without a proxy: any client can claim to use HTTPS",
        "Remove the line, and set TRUSTED_PROXY_COUNT in the environment.",
    ),
    Rule(
        522,
        "USE_X_FORWARDED_HOST",
        is_off,
        "lets a client choose the host in links of emails",
        "Remove the line: the proxy passes the header Host.",
    ),
    Rule(
        523,
        "USE_X_FORWARDED_PORT",
        is_off,
        "lets a client choose the port in links",
        "Remove the line.",
    ),
    Rule(
        524,
        "CSRF_TRUSTED_ORIGINS",
        has_no_wildcard,
        "has a wildcard: each subdomain can send forms in a user's name",
        "Name each origin.",
    ),
    Rule(
        525,
        "DATA_UPLOAD_MAX_MEMORY_SIZE",
        is_set,
        "is None: a form may fill the memory",
        "Set a number of bytes.",
    ),
    Rule(
        526,
        "DATA_UPLOAD_MAX_NUMBER_FIELDS",
        is_set,
        "is None: a form of a million fields occupies a process",
        "Set a number.",
    ),
    Rule(
        527,
        "DATA_UPLOAD_MAX_NUMBER_FILES",
        is_set,
        "is None: a form of a million files occupies a process",
        "Set a number.",
    ),
    Rule(
        528,
        "BODY_MAX_BYTES",
        at_most(26 * 1024**2),  # nginx lets no larger body through
        "is above 26 MB: requests fill the memory of a process",
        "Lower it, or have large files sent to object storage directly.",
    ),
    Rule(
        529,
        "FILE_UPLOAD_HANDLERS",
        begins_with_subclass_of(
            "secure_django.photos.uploadhandler.MaxSizeUploadHandler"
        ),
        "does not begin with the package's: Django has no limit for files",
        'Put "secure_django.photos.uploadhandler.MaxSizeUploadHandler" first.',
    ),
    Rule(
        530,
        "TEMPLATES",
        escapes,
        "has autoescape off: what users write runs as a script",
        "Remove the option, and use the filter safe where it is.",
    ),
    Rule(
        613,
        "PERMISSIONS_POLICY",
        denies_features,
        "allows each embedded page a feature, such as the camera",
        "Deny each of secure_django.conf.defaults, or name who may use it.",
    ),
    Rule(
        614,
        "SECURE_REFERRER_POLICY",
        is_referrer_policy,
        "gives other sites the URLs of pages",
        "Remove the line.",
    ),
    Rule(
        615,
        "SECURE_CROSS_ORIGIN_OPENER_POLICY",
        one_of("same-origin"),
        "lets a page that opens this site keep a hold of its window",
        "Remove the line.",
    ),
    Rule(
        616,
        "WHITENOISE_ALLOW_ALL_ORIGINS",
        lambda value: value is False,  # WhiteNoise's default is True
        "lets scripts of every site read static files",
        "Remove the line.",
    ),
]
ACCOUNTS_RULES = [
    Rule(
        428,
        "ACCOUNT_ADAPTER",
        subclass_of("secure_django.accounts.adapters.AccountAdapter"),
        "is no subclass of that of secure_django.accounts",
        "Let the adapter inherit from it.",
    ),
    Rule(
        429,
        "ACCOUNT_FORMS",
        has_forms(
            {
                "signup": "secure_django.accounts.forms.SignupForm",
                "confirm_email_verification_code": (
                    "secure_django.accounts.forms.ConfirmEmailVerificationCodeForm"
                ),
            }
        ),
        "lacks the forms of secure_django.accounts, which limit emails and codes",
        "Let the forms inherit from them.",
    ),
    Rule(
        430,
        "ACCOUNT_EMAIL_VERIFICATION",
        one_of("mandatory"),
        "lets a user log in with an email of someone else",
        'Set it to "mandatory".',
    ),
    Rule(
        431,
        "ACCOUNT_REAUTHENTICATION_REQUIRED",
        is_on,
        "is off: whoever finds an open browser can take the account",
        "Remove the line.",
    ),
    Rule(
        432,
        "ACCOUNT_REAUTHENTICATION_METHODS",
        lambda values: bool(values) and {*values} <= {"password", "mfa"},
        "lets a user prove who they are by email, which an open browser often has too",
        'Leave "password" and "mfa".',
    ),
    Rule(
        433,
        "MFA_ADAPTER",
        subclass_of("secure_django.accounts.adapters.SecondFactorAdapter"),
        "is no subclass of the package's, which encrypts second factors",
        "Let the adapter inherit from it.",
    ),
    Rule(
        455,
        "MFA_RATE_LIMITS",
        lambda limits: (
            limits is None or bool(limits and limits.get("webauthn_login", "allauth's"))
        ),
        "switches the limit of log-ins by passkey off",
        'Set "webauthn_login", such as "120/m/ip".',
    ),
]
# With DEBUG these are off by design: the development server has no HTTPS.
PRODUCTION_RULES = [
    Rule(
        541,
        "SESSION_COOKIE_SECURE",
        is_on,
        "is off: browsers send the cookie over plain HTTP too",
        "Set it to True, or to `not DEBUG`.",
    ),
    Rule(
        542,
        "CSRF_COOKIE_SECURE",
        is_on,
        "is off: browsers send the cookie over plain HTTP too",
        "Set it to True, or to `not DEBUG`.",
    ),
    Rule(
        543,
        "SESSION_COOKIE_NAME",
        lambda value: value.startswith("__Host-"),
        "lacks the prefix __Host-: a subdomain can set the cookie",
        'Let the name begin with "__Host-".',
    ),
    Rule(
        544,
        "CSRF_COOKIE_NAME",
        lambda value: value.startswith("__Host-"),
        "lacks the prefix __Host-: a subdomain can set the cookie",
        'Let the name begin with "__Host-".',
    ),
    Rule(
        545,
        "SECURE_SSL_REDIRECT",
        is_on,
        "is off: the site answers over plain HTTP",
        "Set it to True, or to `not DEBUG`.",
    ),
    Rule(
        546,
        "SECURE_REDIRECT_EXEMPT",
        exempts_no_page,
        "lets pages be read over plain HTTP",
        "Exempt the health checks alone.",
    ),
    Rule(
        547,
        "ALLOWED_HOSTS",
        lambda names: "*" not in names,
        "allows every host: an attacker's would stand in links of emails",
        "Name the hosts in the environment.",
    ),
    Rule(
        548,
        "CACHES",
        is_shared,
        "gives each process a cache of its own: limits count for each anew",
        "Set CACHE_URL in the environment.",
    ),
    Rule(
        549,
        "DECODER_MAY_BE_UNCONFINED",
        is_confined,
        "lets images be decoded without the sandbox",
        "Remove the line.",
    ),
    Rule(
        550,
        "MFA_WEBAUTHN_ALLOW_INSECURE_ORIGIN",
        is_off,
        "lets passkeys be used over plain HTTP",
        "Remove the line.",
    ),
]


def check_rules() -> Iterator[CheckMessage]:
    rules = RULES
    if apps.is_installed(ACCOUNTS):
        rules = rules + ACCOUNTS_RULES
    if not settings.DEBUG:
        rules = rules + PRODUCTION_RULES
    for rule in rules:
        yield from check_value(rule)


def check_value(rule: Rule) -> Iterator[CheckMessage]:
    if not rule.is_fine(getattr(settings, rule.setting, None)):
        yield error(rule.number, f"{rule.setting} {rule.problem}.", rule.hint)


@register(Tags.security)
def check_settings(**kwargs: Any) -> list[CheckMessage]:
    """Check the settings of a project that secure_django.conf configures.

    A site that only uses one room of the package has settings of its own.
    """
    if not env.is_loaded:
        return []
    return [
        *check_middleware(),
        *check_apps(),
        *check_passwords(),
        *check_limits(),
        *check_csp(),
        *check_rules(),
    ]


def check_foreign_middleware() -> Iterator[CheckMessage]:
    """Name what is missing. Such a project decides the order itself."""
    places = find_places(FOREIGN_MIDDLEWARE, settings.MIDDLEWARE)
    for name in FOREIGN_MIDDLEWARE:
        if name not in places:
            text = f"MIDDLEWARE lacks {name}."
            yield error(NUMBERS[name], text, f'Add "{name}".')


def check_foreign_settings(**kwargs: Any) -> list[CheckMessage]:
    """Check the settings of a project that has secure_django.conf as an app.

    Its settings are its own, so only the rules about Django's settings are asked, and
    only for a deployment: development settings are not what visitors meet.
    """
    if env.is_loaded:
        return []  # check_settings asks all
    passwords = {
        name: number
        for name, number in PASSWORD_RULES.items()
        if name.startswith("django.")
    }
    return [
        *check_foreign_middleware(),
        *check_passwords(passwords),
        *check_csp(FOREIGN_DIRECTIVES),
        *check_foreign_values(),
    ]


def check_foreign_values() -> Iterator[CheckMessage]:
    rules = [*RULES, *PRODUCTION_RULES]
    for rule in rules:
        is_of_django = hasattr(global_settings, rule.setting)
        if is_of_django and rule.setting not in OWN_VALUES:
            yield from check_value(rule)
