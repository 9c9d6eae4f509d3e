"""Settings of Full Site: what this team decides.

The environment sets what differs between machines: .env.example. The wiring comes from
secure_django.conf.defaults; what is assigned here, wins. settings.lock shows it all.
"""

from datetime import timedelta
from pathlib import Path

from django.utils.csp import CSP

from secure_django import conf
from secure_django.conf import env, number

BASE_DIR = Path(__file__).resolve().parent.parent
env.load(BASE_DIR)  # .env, read by python-dotenv; variables of the process win

from secure_django.conf.defaults import *

from secure_django.accounts.defaults import *

from secure_django.photos.cloudinary.defaults import *

# fmt: off
SITE_NAME = "Full Site"
SITE_DESCRIPTION = "A website made with Django."
DOMAIN_NAME = "example.com"
SECURITY_CONTACT = "security@example.com"
# fmt: on

# Secrets, which have no default, and what each machine has of its own

DEBUG = env.debug
SECRET_KEY = env.read("SECRET_KEY", conf.secret_key)
FIELD_ENCRYPTION_KEYS = env.read("FIELD_ENCRYPTION_KEYS", conf.fernet_keys)
ALLOWED_HOSTS = env.read(
    "ALLOWED_HOSTS", conf.hosts, env.in_debug("localhost,127.0.0.1,[::1]")
)
DATABASES = {
    "default": env.read(
        "DATABASE_URL", conf.database_url, env.in_debug(conf.sqlite_url(BASE_DIR))
    )
}
CACHES = {"default": env.read("CACHE_URL", conf.cache_url, "db://django_cache")}
MAILERS = conf.mailers(
    env.read("EMAIL_URL", conf.email_url, env.in_debug("console://"))
)
DEFAULT_FROM_EMAIL = env.read(
    "DEFAULT_FROM_EMAIL", conf.sender, env.in_debug(f"noreply@{DOMAIN_NAME}")
)
LANGUAGE_CODE = env.read("LANGUAGE_CODE", conf.language, "en")
TIME_ZONE = env.read("TIME_ZONE", conf.time_zone, "UTC")

# Apps and middleware

INSTALLED_APPS = [
    # `poe app` names new apps above this line.
    "users",
    "secure_django",
    "secure_django.accounts",
    "secure_django.profile",
    "secure_django.login",
    "secure_django.photos",
    "secure_django.photos.cloudinary",
    "secure_django.apps.AdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.forms",
    # In development too, the middleware serves static files, with security headers.
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "allauth",
    "allauth.account",
    "django.contrib.humanize",
    "allauth.mfa",
    "allauth.usersessions",
]

# Put your own where you want; `manage.py check` says if one of these is misplaced.
MIDDLEWARE = [
    # Headers on every response, including static files, redirects and errors.
    "secure_django.web.middleware.RequestLogMiddleware",
    "django_permissions_policy.PermissionsPolicyMiddleware",
    "django.middleware.csp.ContentSecurityPolicyMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "secure_django.web.middleware.ResponseHeadersMiddleware",
    "secure_django.web.middleware.RequestValidationMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    # What a double click sends again gets the answer of the first.
    "secure_django.web.repeats.RepeatedFormMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "secure_django.accounts.middleware.SecondFactorMiddleware",
    "secure_django.web.middleware.SessionTimeoutMiddleware",
    # Before CSRF, which parses the body: an anonymous upload is refused unread.
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
    "secure_django.web.middleware.BodySizeMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "secure_django.web.middleware.UnavailableMiddleware",
    # After CSRF, so that forged forms do not wait here.
    "secure_django.login.middleware.FormTurnMiddleware",
    "secure_django.web.repeats.FormNoteMiddleware",
]

# HTTPS, cookies and sessions

SECURE_SSL_REDIRECT = not DEBUG
# A browser that received the header would refuse HTTP to all projects on localhost.
SECURE_HSTS_SECONDS = (
    0 if DEBUG else env.read("SECURE_HSTS_SECONDS", number(0), "31536000")
)
SESSION_COOKIE_SECURE = not DEBUG
CSRF_COOKIE_SECURE = not DEBUG
SESSION_COOKIE_AGE = 30 * 60  # seconds; the idle timeout (OWASP: 15 to 30 minutes)
SESSION_ABSOLUTE_AGE = timedelta(hours=8)  # the absolute timeout (OWASP: 4 to 8 hours)

# The Content-Security-Policy

CSP_POLICY: dict[str, list[str]] = {
    "default-src": [CSP.NONE],
    "script-src": [CSP.SELF, CSP.NONCE],
    "style-src": [CSP.SELF],
    "img-src": [CSP.SELF, *PHOTO_HOSTS],
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

# Passwords

AUTH_USER_MODEL = "users.User"
RULES = "django.contrib.auth.password_validation"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"{RULES}.UserAttributeSimilarityValidator"},
    {"NAME": f"{RULES}.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": f"{RULES}.CommonPasswordValidator"},
    {"NAME": f"{RULES}.NumericPasswordValidator"},
    {"NAME": "secure_django.login.password_validation.SiteNameValidator"},
    {"NAME": "secure_django.accounts.password_validation.BreachedPasswordValidator"},
]
PASSWORD_RESET_TIMEOUT = 60 * 60  # seconds; Django's three days are long for a link

# Limits: per IP address, per account from any IP address (key), per user

ACCOUNT_RATE_LIMITS = ACCOUNT_RATE_LIMITS | {
    "login_failed": "5/5m/key",
    "unknown_device_failed": "100/m/ip",  # an office has one IP address
}
UPLOADS_PER_HOUR = env.read("UPLOADS_PER_HOUR", number(1), "30")  # per user

env.stop_on_problems()  # all of them at once, so keep this at the end
