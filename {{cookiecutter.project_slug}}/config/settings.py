"""Settings of {{ cookiecutter.project_name }}.

The environment sets them; .env.example documents each variable. Comments say why a
value differs from Django's default. No secret has a default. Without DEBUG, the project
refuses to start with an insecure setting.
"""

import os
import tomllib
from datetime import timedelta
from pathlib import Path
from urllib.parse import quote

from django.utils.csp import CSP

from config import environment
from config.environment import Environment, boolean, is_local, number, secret_key

BASE_DIR = Path(__file__).resolve().parent.parent
pyproject = (BASE_DIR / "pyproject.toml").read_text(encoding="utf-8")
metadata = tomllib.loads(pyproject)["project"]
SITE_NAME = "{{ cookiecutter.project_name }}"
SITE_DESCRIPTION = metadata["description"]
DOMAIN_NAME = "{{ cookiecutter.domain_name }}"
SECURITY_CONTACT = metadata["authors"][0]["email"]

env = Environment()
# Variables of the process override the file.
env.read_file(BASE_DIR / (os.environ.get("ENV_FILE") or ".env"))
DEBUG = env.read("DEBUG", boolean, "off")


def debug_default(value: str) -> str | None:
    """Return a default for DEBUG, without which the variable is required."""
    return value if DEBUG else None


SECRET_KEY = env.read("SECRET_KEY", secret_key)
SECRET_KEY_FALLBACKS = env.read("SECRET_KEY_FALLBACKS", environment.secret_keys, "")
FIELD_ENCRYPTION_KEYS = env.read("FIELD_ENCRYPTION_KEYS", environment.fernet_keys)
ALLOWED_HOSTS = env.read(
    "ALLOWED_HOSTS", environment.hosts, debug_default("localhost,127.0.0.1,[::1]")
)
CSRF_TRUSTED_ORIGINS = env.read("CSRF_TRUSTED_ORIGINS", environment.origins, "")
sqlite = f"sqlite:///{quote((BASE_DIR / 'db.sqlite3').as_posix())}"
database = env.read("DATABASE_URL", environment.database_url, debug_default(sqlite))
DATABASES = {"default": database}
CACHES = {"default": env.read("CACHE_URL", environment.cache_url, "db://django_cache")}
storage = env.read("STORAGE_URL", environment.storage_url, "")
mail_server = env.read("EMAIL_URL", environment.email_url, debug_default("console://"))
# Emails wait in the database for the worker. The console prints them at once.
prints_emails = mail_server == {"BACKEND": "core.mail.ConsoleBackend"}
MAILERS = {"server": mail_server, "default": {"BACKEND": "core.mail.OutboxBackend"}}
if prints_emails:
    MAILERS["default"] = mail_server
noreply = f"noreply@{DOMAIN_NAME}"
DEFAULT_FROM_EMAIL = env.read(
    "DEFAULT_FROM_EMAIL", environment.sender, debug_default(noreply)
)
HEARTBEAT_URL = env.read("HEARTBEAT_URL", environment.heartbeat_url, "")
SECURE_HSTS_SECONDS = env.read("SECURE_HSTS_SECONDS", number(0), "31536000")  # a year
SECURE_HSTS_INCLUDE_SUBDOMAINS = env.read(
    "SECURE_HSTS_INCLUDE_SUBDOMAINS", boolean, "on"
)
SECURE_HSTS_PRELOAD = env.read("SECURE_HSTS_PRELOAD", boolean, "off")
TRUSTED_PROXY_COUNT = env.read("TRUSTED_PROXY_COUNT", number(0), "0")
CSP_REPORT_ONLY = env.read("CSP_REPORT_ONLY", boolean, "off")
LANGUAGE_CODE = env.read("LANGUAGE_CODE", environment.language, "en")
TIME_ZONE = env.read("TIME_ZONE", environment.time_zone, "UTC")
MEDIA_ROOT = env.read("MEDIA_ROOT", environment.photo_folder(BASE_DIR), "media")
# % if cookiecutter.auth_app
CHECK_BREACHED_PASSWORDS = env.read("CHECK_BREACHED_PASSWORDS", boolean, "on")
UNVERIFIED_ACCOUNT_DAYS = env.read("UNVERIFIED_ACCOUNT_DAYS", number(1, 36_500), "7")
# % endif
# By default, 10 MiB.
UPLOAD_MAX_BYTES = env.read("UPLOAD_MAX_BYTES", number(1, 20 * 1024**2), "10485760")
# With 0, FORMATS of uploads/images.py has the limits.
UPLOAD_MAX_PIXELS = env.read("UPLOAD_MAX_PIXELS", number(0), "0")
UPLOADS_PER_HOUR = env.read("UPLOADS_PER_HOUR", number(1), "30")
UPLOAD_DECODE_SECONDS = env.read("UPLOAD_DECODE_SECONDS", number(1), "10")
# At most a hundred years: Python has no dates before the year 1.
REJECTED_RETENTION_DAYS = env.read("REJECTED_RETENTION_DAYS", number(1, 36_500), "30")
MODERATION_STUCK_HOURS = env.read("MODERATION_STUCK_HOURS", number(1, 876_000), "24")

# % if cookiecutter.cloudinary_moderation
from uploads.moderation.cloudinary import environment as cloudinary  # noqa: E402

CLOUDINARY = env.read("CLOUDINARY_URL", cloudinary.url, debug_default(""))
CLOUDINARY_API_SECRET_FALLBACKS = env.read(
    "CLOUDINARY_API_SECRET_FALLBACKS", environment.items, ""
)
CLOUDINARY_MODERATION = env.read(
    "CLOUDINARY_MODERATION", cloudinary.kinds, "aws_rek|perception_point"
)

# % endif
if DEBUG and not all(map(is_local, ALLOWED_HOSTS or [])):
    env.add_problem(
        "DEBUG",
        "Must be off when ALLOWED_HOSTS names a public host:"
        " error pages would show source code.",
    )
if not DEBUG and prints_emails:
    env.add_problem(
        "EMAIL_URL",
        "Must name a mail server without DEBUG:"
        " the console would log password reset links.",
    )
if SECURE_HSTS_PRELOAD and not SECURE_HSTS_INCLUDE_SUBDOMAINS:
    env.add_problem(
        "SECURE_HSTS_PRELOAD",
        "Needs SECURE_HSTS_INCLUDE_SUBDOMAINS: browsers list whole domains.",
    )
env.stop_on_problems()

# The project

INSTALLED_APPS = [
    # `poe app` names new apps above this line.
    # % if cookiecutter.gallery
    "gallery",
    # % endif
    "core",
    # % if cookiecutter.auth_app
    "accounts",
    # % endif
    "users",
    "uploads",
    # % if cookiecutter.cloudinary_moderation
    "uploads.moderation.cloudinary",
    # % endif
    "core.apps.AdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    # In development too, the middleware serves static files, with security headers.
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "allauth",
    "allauth.account",
    # % if cookiecutter.auth_app
    "django.contrib.humanize",
    "allauth.mfa",
    "allauth.usersessions",
    # % endif
]

# The first classes add headers to every response, including static files, redirects and
# errors.
MIDDLEWARE = [
    "core.middleware.RequestLogMiddleware",
    "django_permissions_policy.PermissionsPolicyMiddleware",
    "django.middleware.csp.ContentSecurityPolicyMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "core.middleware.ResponseHeadersMiddleware",
    "core.middleware.RequestValidationMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    # % if cookiecutter.auth_app
    "accounts.middleware.SecondFactorMiddleware",
    # % endif
    "core.middleware.SessionTimeoutMiddleware",
    # Before CSRF, which parses the body: an anonymous upload is refused unread.
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
    "core.middleware.BodySizeMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "core.middleware.CacheDownMiddleware",
    # After CSRF, so that forged forms do not wait here. By now, a form has cost the
    # query for the session, as any page does.
    "users.middleware.FormTurnMiddleware",
]

ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "core.context_processors.project",
                "django.template.context_processors.csp",
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
            # For `translate` and `blocktranslate` in each template, without `load`.
            "builtins": ["django.templatetags.i18n"],
        },
    }
]

# Django's default runs tasks inside the request.
TASKS = {"default": {"BACKEND": "core.jobs.NoTaskBackend"}}
# Translations of the project's own texts: see docs/languages.md.
LOCALE_PATHS = [BASE_DIR / "locale"]

# Transport: HTTPS only

SECURE_SSL_REDIRECT = not DEBUG
# Load balancers send health checks over plain HTTP.
SECURE_REDIRECT_EXEMPT = [r"^health/(live|ready)/\Z"]
if DEBUG:
    # A browser that received this header from localhost would refuse plain HTTP to
    # every other project there.
    SECURE_HSTS_SECONDS = 0
if TRUSTED_PROXY_COUNT:
    # Only behind a proxy that sets it: otherwise any client could claim to use HTTPS.
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
# E180 reports missing JSON support if another process locks the SQLite file. W021 asks
# for `preload`, against hstspreload.org's advice: leaving the list takes months. W005
# asks for subdomains: only the team knows whether each of its own has HTTPS.
SILENCED_SYSTEM_CHECKS = ["fields.E180", "security.W021", "security.W005"]

# Headers

CSP_POLICY: dict[str, list[str]] = {
    "default-src": [CSP.NONE],
    "script-src": [CSP.SELF, CSP.NONCE],
    "style-src": [CSP.SELF],
    "img-src": [CSP.SELF],
    "connect-src": [CSP.SELF],
    "form-action": [CSP.SELF],
    "base-uri": [CSP.NONE],
    "object-src": [CSP.NONE],
    "frame-ancestors": [CSP.NONE],
    "report-uri": ["/csp-report/"],  # for older browsers; newer ones read report-to
    "report-to": ["csp"],
}
SECURE_CSP = {} if CSP_REPORT_ONLY else CSP_POLICY
SECURE_CSP_REPORT_ONLY = CSP_POLICY if CSP_REPORT_ONLY else {}
DEVICES = [
    "accelerometer",
    "camera",
    "geolocation",
    "gyroscope",
    "magnetometer",
    "microphone",
    "midi",
    "usb",
]
CAPABILITIES = [
    "autoplay",
    "display-capture",
    "encrypted-media",
    "fullscreen",
    "payment",
    "xr-spatial-tracking",
]
PERMISSIONS_POLICY: dict[str, list[str]] = {
    feature: [] for feature in DEVICES + CAPABILITIES
}

# Cookies and sessions

# The prefix binds a cookie to this host, the path / and HTTPS. Browsers refuse it over
# plain HTTP.
COOKIE_PREFIX = "" if DEBUG else "__Host-"
SESSION_COOKIE_NAME = f"{COOKIE_PREFIX}sessionid"
SESSION_COOKIE_SECURE = not DEBUG
CSRF_COOKIE_NAME = f"{COOKIE_PREFIX}csrftoken"
CSRF_COOKIE_SECURE = not DEBUG
CSRF_COOKIE_HTTPONLY = True
CSRF_FAILURE_VIEW = "core.error_pages.csrf_failure"
# The default storage sets a cookie whose name cannot have the prefix.
MESSAGE_STORAGE = "django.contrib.messages.storage.session.SessionStorage"
SESSION_COOKIE_AGE = 30 * 60  # seconds; the idle timeout (OWASP: 15 to 30 minutes)
SESSION_ABSOLUTE_AGE = timedelta(hours=8)  # the absolute timeout (OWASP: 4 to 8 hours)

# Passwords and log-in

AUTH_USER_MODEL = "users.User"
LOGIN_REDIRECT_URL = "home"
LOGOUT_REDIRECT_URL = "home"
AUTH_PASSWORD_VALIDATORS = [
    {
        "NAME": (
            "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"
        )
    },
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": 12},
    },
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
    # Add rules of your own here.
    {"NAME": "users.password_validation.SiteNameValidator"},
]
# % if cookiecutter.auth_app
if CHECK_BREACHED_PASSWORDS:
    AUTH_PASSWORD_VALIDATORS.append(
        {"NAME": "accounts.password_validation.BreachedPasswordValidator"}
    )
# % endif
PASSWORD_HASHERS = [
    "users.hashers.Argon2idHasher",
    # For imported passwords, which are rehashed at the next log-in.
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
    "django.contrib.auth.hashers.ScryptPasswordHasher",
]
# In seconds. Django's default is three days, too long for a link that opens an account.
PASSWORD_RESET_TIMEOUT = 3600
# The only backend: a second one would hash wrong passwords twice, so response times
# would reveal accounts.
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
# % if not cookiecutter.auth_app
ACCOUNT_ADAPTER = "users.adapters.AccountAdapter"
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_EMAIL_UNKNOWN_ACCOUNTS = False
# % endif
ACCOUNT_FORMS = {
    "login": "users.forms.LoginForm",
    "reset_password": "users.forms.ResetPasswordForm",
}
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*"]  # the log-in form asks for these too
# allauth's own generator adds the user's email to a table of allauth, where an old
# email would keep its access.
ACCOUNT_PASSWORD_RESET_TOKEN_GENERATOR = (
    "django.contrib.auth.tokens.PasswordResetTokenGenerator"  # noqa: S105
)
ACCOUNT_EMAIL_SUBJECT_PREFIX = f"[{SITE_NAME}] "
ACCOUNT_EMAIL_NOTIFICATIONS = True
ACCOUNT_SESSION_REMEMBER = True  # the timeouts above decide how long a session lasts
# Others can block a user's log-in with wrong passwords. So the link itself logs the
# user in, after the second factor.
ACCOUNT_LOGIN_ON_PASSWORD_RESET = True
# Per IP address (ip), per account from any IP address (key), and per user who is logged
# in. The other limits are allauth's defaults. A link is valid for longer than its limit
# lasts, so that an attacker cannot leave a user without one (users/forms.py).
ACCOUNT_RATE_LIMITS = {
    "login": "600/m/ip",  # an office has one IP address
    "login_failed": "10/m/ip,5/5m/key",
    "change_password": "5/m/user,20/h/user",  # each change sends an email
    "reset_password": "20/m/ip",
    "reset_link": "3/30m/key",
    "invitation": "2/d/key,40/d/ip",  # core/invitations.py; key: the mailbox
    "invitation_by_user": "20/d/user",
}

# % if cookiecutter.auth_app
ACCOUNT_ADAPTER = "accounts.adapters.AccountAdapter"
ACCOUNT_FORMS |= {
    "signup": "accounts.forms.SignupForm",
    "confirm_email_verification_code": (
        "accounts.forms.ConfirmEmailVerificationCodeForm"
    ),
}
ACCOUNT_EMAIL_VERIFICATION = "mandatory"
ACCOUNT_EMAIL_VERIFICATION_BY_CODE_ENABLED = True
# In seconds. The default is 15 minutes; ASVS 6.5.5 allows 10.
ACCOUNT_EMAIL_VERIFICATION_BY_CODE_TIMEOUT = 600
ACCOUNT_EMAIL_VERIFICATION_SUPPORTS_RESEND = 1  # once
ACCOUNT_EMAIL_UNKNOWN_ACCOUNTS = True
ACCOUNT_CHANGE_EMAIL = True  # a new email replaces the old one once it is verified
ACCOUNT_REAUTHENTICATION_REQUIRED = True
ACCOUNT_REAUTHENTICATION_METHODS = ["password", "mfa"]  # by default also by email
ACCOUNT_RATE_LIMITS |= {
    "signup": "120/m/ip,600/h/ip",
    "email": "5/h/key",  # per recipient
    "emailed_code": "3/10m/key",
    "manage_email": "10/m/user,20/h/user",  # each change sends two emails
}
MFA_RATE_LIMITS = {"webauthn_login": "120/m/ip"}  # a passkey cannot be guessed
MFA_ADAPTER = "accounts.adapters.SecondFactorAdapter"
MFA_FORMS = {
    "add_webauthn": "accounts.forms.AddPasskeyForm",
    "authenticate_webauthn": "accounts.forms.PasskeyForm",
    "login_webauthn": "accounts.forms.LoginPasskeyForm",
    "reauthenticate_webauthn": "accounts.forms.ReauthenticatePasskeyForm",
}
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_TOTP_ISSUER = SITE_NAME
MFA_WEBAUTHN_ALLOW_INSECURE_ORIGIN = DEBUG  # for passkeys on http://localhost

# % endif
# Files and photos

STATIC_URL = "/static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
STATICFILES_DIRS = [BASE_DIR / "static"]
WHITENOISE_ALLOW_ALL_ORIGINS = False  # by default, every site may read static files
# Only the site's user reads photos. FILE_UPLOAD_PERMISSIONS would also apply to
# collected static files.
owner_only = {"file_permissions_mode": 0o600, "directory_permissions_mode": 0o700}
local_storage = {
    "BACKEND": "core.storage.SyncedFileSystemStorage",
    "OPTIONS": owner_only,
}
STORAGES = {
    "default": storage or local_storage,
    "staticfiles": {"BACKEND": "core.storage.StaticFilesStorage"},
}
# There is no MEDIA_URL: a view serves photos to those who may see them, or redirects to
# a signed URL of the bucket.
BUCKET_URL = ""
if storage:
    BUCKET_URL = "{endpoint_url}/{bucket_name}/".format(**storage["OPTIONS"])
    CSP_POLICY["img-src"].append(BUCKET_URL)
# Keeps no file over UPLOAD_MAX_BYTES, and writes no temporary files. Django itself has
# no limit for files.
FILE_UPLOAD_HANDLERS = ["uploads.uploadhandler.MaxSizeUploadHandler"]
# Only Linux can confine the process that decodes images. Other systems are for
# development.
DECODER_MAY_BE_UNCONFINED = DEBUG
# The limit of a whole request: a photo, other files and texts. nginx's limit allows the
# largest value.
BODY_MAX_BYTES = UPLOAD_MAX_BYTES + 6 * 1024**2
PHOTO_MODERATION_BACKEND = "uploads.moderation.backends.StaffReviewBackend"

# % if cookiecutter.cloudinary_moderation
if CLOUDINARY:
    PHOTO_MODERATION_BACKEND = "uploads.moderation.cloudinary.backend.CloudinaryBackend"
    CSP_POLICY["img-src"].append(
        f"https://res.cloudinary.com/{CLOUDINARY['cloud_name']}/"
    )

# % endif
# Logging: JSON lines in production

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "json": {"()": "core.logging.JSONFormatter"},
        "text": {"format": "{levelname} {name} {message}", "style": "{"},
    },
    "handlers": {
        "console": {
            "class": "logging.StreamHandler",
            "formatter": "text" if DEBUG else "json",
        }
    },
    "root": {"handlers": ["console"], "level": "INFO"},
    "loggers": {
        # The development server logs requests itself.
        "access": {"level": "WARNING" if DEBUG else "INFO"},
        "django": {"handlers": []},  # without Django's handler that mails tracebacks
        # These two log untrusted input. The project logs its own event instead.
        "django.security.csrf": {"level": "CRITICAL"},
        "django.security.DisallowedHost": {"level": "CRITICAL"},
        # % if cookiecutter.auth_app
        "fido2": {"level": "WARNING"},  # it logs the ids of passkeys
        # % endif
    },
}
