"""The wiring behind the decisions in a project's settings, whose assignments win.

    from secure_django.conf.defaults import *

Comments say why a value differs from Django's default. What differs between machines
comes from the environment: .env.example of a project documents each variable.
"""

from typing import Any

from secure_django.conf import boolean, env, number, origins, secret_keys
from secure_django.conf.environment import (
    heartbeat_url,
    photo_folder,
    site_url,
    storage_url,
    webhook_secret,
)

# What differs between machines

# Older keys, during a rotation.
SECRET_KEY_FALLBACKS = env.read("SECRET_KEY_FALLBACKS", secret_keys, "")
CSRF_TRUSTED_ORIGINS = env.read("CSRF_TRUSTED_ORIGINS", origins, "")
# For links in emails and for webhooks. If it is empty, secure_django.web.links has a
# default.
SITE_URL = env.read("SITE_URL", site_url, "")
# Of the provider that sends emails. Without it, nobody can report a bounce.
EMAIL_WEBHOOK_SECRET = env.read("EMAIL_WEBHOOK_SECRET", webhook_secret, "")
HEARTBEAT_URL = env.read("HEARTBEAT_URL", heartbeat_url, "")
TRUSTED_PROXY_COUNT = env.read("TRUSTED_PROXY_COUNT", number(0), "0")
CSP_REPORT_ONLY = env.read("CSP_REPORT_ONLY", boolean, "off")
# How long the processes may take to end after a signal.
GRACE_SECONDS = env.read("GRACE_SECONDS", number(10, 3600), "60")
MEDIA_ROOT = env.read("MEDIA_ROOT", photo_folder(env.base_dir), "media")
UPLOAD_MAX_BYTES = env.read("UPLOAD_MAX_BYTES", number(1, 20 * 1024**2), "10485760")
# With 0, FORMATS of secure_django.photos.images has the limits.
UPLOAD_MAX_PIXELS = env.read("UPLOAD_MAX_PIXELS", number(0), "0")
UPLOAD_DECODE_SECONDS = env.read("UPLOAD_DECODE_SECONDS", number(1), "10")
# At most a hundred years: Python has no dates before the year 1.
REJECTED_RETENTION_DAYS = env.read("REJECTED_RETENTION_DAYS", number(1, 36_500), "30")
MODERATION_STUCK_HOURS = env.read("MODERATION_STUCK_HOURS", number(1, 876_000), "24")

# The project

# No query of a page takes longer, not even for a lock (PostgreSQL alone). The visitor
# gets the error page 503. The worker and commands have no such limit.
DATABASE_WAIT_SECONDS = 7
ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
TEMPLATES: list[dict[str, Any]] = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [env.base_dir / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "secure_django.web.context_processors.project",
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
# A template in templates/ takes the place of a widget's too.
FORM_RENDERER = "django.forms.renderers.TemplatesSetting"
# Django's default runs tasks inside the request.
TASKS = {"default": {"BACKEND": "secure_django.jobs.tasks.DatabaseBackend"}}
# Translations of the project's own texts: see docs/languages.md.
LOCALE_PATHS = [env.base_dir / "locale"]
# E180 reports missing JSON support if another process locks the SQLite file. W021 asks
# for `preload`, against hstspreload.org's advice: leaving the list takes months. W005
# asks for subdomains: only the team knows whether each of its own has HTTPS.
SILENCED_SYSTEM_CHECKS = ["fields.E180", "security.W021", "security.W005"]

# Transport and headers

SECURE_HSTS_INCLUDE_SUBDOMAINS = env.read(
    "SECURE_HSTS_INCLUDE_SUBDOMAINS", boolean, "on"
)
SECURE_HSTS_PRELOAD = env.read("SECURE_HSTS_PRELOAD", boolean, "off")
# Load balancers send health checks over plain HTTP.
SECURE_REDIRECT_EXEMPT = [r"^health/(live|ready)/\Z"]
# Only behind a proxy that sets it: otherwise any client could claim to use HTTPS.
SECURE_PROXY_SSL_HEADER = (
    ("HTTP_X_FORWARDED_PROTO", "https") if TRUSTED_PROXY_COUNT else None
)
PERMISSIONS_POLICY: dict[str, list[str]] = {
    # Devices
    "accelerometer": [],
    "camera": [],
    "geolocation": [],
    "gyroscope": [],
    "magnetometer": [],
    "microphone": [],
    "midi": [],
    "usb": [],
    # Capabilities
    "autoplay": [],
    "display-capture": [],
    "encrypted-media": [],
    "fullscreen": [],
    "payment": [],
    "xr-spatial-tracking": [],
}

# Cookies. The prefix binds a cookie to this host, the path / and HTTPS. Browsers refuse
# it over plain HTTP.

# Django's own stores keep the cookie: a dump of the database would log in.
SESSION_ENGINE = "secure_django.sessions"
SESSION_COOKIE_NAME = "sessionid" if env.debug else "__Host-sessionid"
CSRF_COOKIE_NAME = "csrftoken" if env.debug else "__Host-csrftoken"
# Of a browser in which an account has logged in: secure_django.login.devices.
DEVICE_COOKIE_NAME = "device" if env.debug else "__Host-device"
CSRF_COOKIE_HTTPONLY = True
CSRF_FAILURE_VIEW = "secure_django.web.error_pages.csrf_failure"
# The default storage sets a cookie whose name cannot have the prefix.
MESSAGE_STORAGE = "django.contrib.messages.storage.session.SessionStorage"

# The log-in

LOGIN_REDIRECT_URL = "home"
LOGOUT_REDIRECT_URL = "home"
PASSWORD_HASHERS = [
    "secure_django.login.hashers.Argon2idHasher",
    # For imported passwords, which are rehashed at the next log-in.
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
    "django.contrib.auth.hashers.ScryptPasswordHasher",
]
# The only backend: a second one would hash wrong passwords twice, so response times
# would reveal accounts.
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
ACCOUNT_ADAPTER = "secure_django.login.adapters.AccountAdapter"
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_EMAIL_UNKNOWN_ACCOUNTS = False
ACCOUNT_FORMS = {
    "login": "secure_django.login.forms.LoginForm",
    "reset_password": "secure_django.login.forms.ResetPasswordForm",
    "reset_password_from_key": "secure_django.login.forms.ResetPasswordKeyForm",
}
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*"]  # the log-in form asks for these too
# allauth's own generator adds the user's email to a table of allauth, where an old
# email would keep its access.
ACCOUNT_PASSWORD_RESET_TOKEN_GENERATOR = (
    "django.contrib.auth.tokens.PasswordResetTokenGenerator"  # noqa: S105
)
ACCOUNT_EMAIL_NOTIFICATIONS = True
ACCOUNT_SESSION_REMEMBER = True  # the timeouts decide how long a session lasts
# Others can block a user's log-in in a new browser with wrong passwords. So the link
# itself logs the user in, after the second factor.
ACCOUNT_LOGIN_ON_PASSWORD_RESET = True
# Per IP address (ip), per account from any IP address (key), and per user who is logged
# in. The other limits are allauth's defaults. A link is valid for longer than its limit
# lasts, so that no attacker can leave a user without one (secure_django.login.forms).
ACCOUNT_RATE_LIMITS = {
    "login": "",  # it would count known devices
    "login_failed": "5/5m/key",  # wrong passwords and codes
    # An office has one IP address.
    "unknown_device": "600/m/ip",
    "unknown_device_failed": "100/m/ip",
    "change_password": "5/m/user,20/h/user",  # each change sends an email
    "reset_password": "20/m/ip",
    "reset_link": "3/30m/key",
    # Of secure_django.mail.invitations; key: the mailbox. The network comes first, so
    # that what it refuses does not count for the mailbox.
    "invitation": "40/d/ip,2/d/key",  # by users
    "invitation_by_user": "20/d/user",
    "invitation_by_visitor": "40/d/ip,2/d/key",
}

# Files and photos

STATIC_URL = "/static/"
STATIC_ROOT = env.base_dir / "staticfiles"
STATICFILES_DIRS = [env.base_dir / "static"]
WHITENOISE_ALLOW_ALL_ORIGINS = False  # by default, every site may read static files
BUCKET = env.read("STORAGE_URL", storage_url, "")
# There is no MEDIA_URL: a view serves photos to those who may see them, or redirects to
# a signed URL of the bucket.
BUCKET_URL = (
    "{endpoint_url}/{bucket_name}/".format(**BUCKET["OPTIONS"]) if BUCKET else ""
)
# Other sites that photos are loaded from, for the Content-Security-Policy.
PHOTO_HOSTS = [BUCKET_URL] if BUCKET_URL else []
STORAGES = {
    "default": BUCKET
    or {
        "BACKEND": "secure_django.storage.SyncedFileSystemStorage",
        # Only the site's user reads photos. FILE_UPLOAD_PERMISSIONS would also apply to
        # collected static files.
        "OPTIONS": {
            "file_permissions_mode": 0o600,
            "directory_permissions_mode": 0o700,
        },
    },
    "staticfiles": {"BACKEND": "secure_django.storage.StaticFilesStorage"},
}
# Keeps no file over UPLOAD_MAX_BYTES, and writes no temporary files. Django itself has
# no limit for files.
FILE_UPLOAD_HANDLERS = ["secure_django.photos.uploadhandler.MaxSizeUploadHandler"]
# Only Linux can confine the process that decodes images. Other systems are for
# development.
DECODER_MAY_BE_UNCONFINED = env.debug
# The limit of a whole request: a photo, other files and texts. nginx's limit allows the
# largest value.
BODY_MAX_BYTES = (UPLOAD_MAX_BYTES or 0) + 6 * 1024**2
PHOTO_MODERATION_BACKEND = "secure_django.photos.moderation.backends.StaffReviewBackend"

# Logging: JSON lines in production

LOGGING: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "json": {"()": "secure_django.logging.JSONFormatter"},
        "text": {"format": "{levelname} {name} {message}", "style": "{"},
    },
    "handlers": {
        "console": {
            "class": "logging.StreamHandler",
            "formatter": "text" if env.debug else "json",
        }
    },
    "root": {"handlers": ["console"], "level": "INFO"},
    "loggers": {
        # The development server logs requests itself.
        "access": {"level": "WARNING" if env.debug else "INFO"},
        "django": {"handlers": []},  # without Django's handler that mails tracebacks
        # These two log untrusted input. The project logs its own event instead.
        "django.security.csrf": {"level": "CRITICAL"},
        "django.security.DisallowedHost": {"level": "CRITICAL"},
    },
}
