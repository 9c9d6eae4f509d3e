"""Breaks one control after the other in a generated project, and counts which of its own tests notice.

A mutation is caught when a test fails that is marked with the control it shows. Name a word to run those that hold it.
"""

import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from benchmarks import generated, print_table
from tests.baking import ALL_OFF, ALL_ON, Answers, clean_environment

PARALLEL = 2
SETTINGS = "config/settings.py"
MIDDLEWARE = "config/middleware.py"
ENVIRONMENT = "config/environment.py"
LOGS = "config/logs.py"
IMAGES = "uploads/images.py"
MODELS = "uploads/models.py"
VIEWS = "uploads/views.py"
ADMIN = "uploads/admin.py"
CLOUDINARY = "uploads/moderation/cloudinary"


@dataclass(frozen=True)
class Mutation:
    """What is broken, and how: `old`, which stands once in the file, becomes `new`."""

    what: str
    path: str
    old: str
    new: str = ""

    def fits(self, project: Path) -> bool:
        """Tell whether there is exactly one place to break."""
        return (project / self.path).read_text(encoding="utf-8").count(self.old) == 1

    def apply(self, project: Path) -> None:
        """Break the control."""
        file = project / self.path
        file.write_text(file.read_text(encoding="utf-8").replace(self.old, self.new), encoding="utf-8")


# With nothing chosen
FOUNDATION = [
    # Headers and cookies
    Mutation("CSP middleware removed", SETTINGS, '    "django.middleware.csp.ContentSecurityPolicyMiddleware",\n'),
    Mutation("CSP allows inline scripts", SETTINGS, "[CSP.SELF, CSP.NONCE]", "[CSP.SELF, CSP.UNSAFE_INLINE]"),
    Mutation("CSP allows frames", SETTINGS, '    "frame-ancestors": [CSP.NONE],\n'),
    Mutation("CSP only reports", SETTINGS, "SECURE_CSP = {} if CSP_REPORT_ONLY else CSP_POLICY", "SECURE_CSP = {}"),
    Mutation("framing middleware removed", SETTINGS, '    "django.middleware.clickjacking.XFrameOptionsMiddleware",\n'),
    Mutation("HSTS switched off", SETTINGS, "365 * 24 * 3600", "0"),
    Mutation("HSTS without subdomains", SETTINGS, "HSTS_INCLUDE_SUBDOMAINS = True", "HSTS_INCLUDE_SUBDOMAINS = False"),
    Mutation("HTTP not sent to HTTPS", SETTINGS, "SECURE_SSL_REDIRECT = not DEBUG", "SECURE_SSL_REDIRECT = False"),
    Mutation(
        "referrer sent to everybody",
        SETTINGS,
        'X_FRAME_OPTIONS = "DENY"\n',
        'X_FRAME_OPTIONS = "DENY"\nSECURE_REFERRER_POLICY = "unsafe-url"\n',
    ),
    Mutation(
        "permissions middleware removed", SETTINGS, '    "django_permissions_policy.PermissionsPolicyMiddleware",\n'
    ),
    Mutation("security middleware removed", SETTINGS, '    "django.middleware.security.SecurityMiddleware",\n'),
    Mutation(
        "static files before the headers",
        SETTINGS,
        "MIDDLEWARE = [",
        'MIDDLEWARE = [\n    "whitenoise.middleware.WhiteNoiseMiddleware",',
    ),
    Mutation(
        "session cookie over HTTP", SETTINGS, "SESSION_COOKIE_SECURE = not DEBUG", "SESSION_COOKIE_SECURE = False"
    ),
    Mutation("CSRF cookie read by scripts", SETTINGS, "CSRF_COOKIE_HTTPONLY = True", "CSRF_COOKIE_HTTPONLY = False"),
    Mutation(
        "session cookie sent from anywhere",
        SETTINGS,
        "CSRF_COOKIE_HTTPONLY = True",
        'CSRF_COOKIE_HTTPONLY = True\nSESSION_COOKIE_SAMESITE = "None"',
    ),
    Mutation("cookies without a prefix", SETTINGS, '"" if DEBUG else "__Host-"', '""'),
    Mutation(
        "messages in a cookie", SETTINGS, 'MESSAGE_STORAGE = "django.contrib.messages.storage.session.SessionStorage"\n'
    ),
    Mutation("any method allowed", MIDDLEWARE, "if request.method in METHODS else", "if True else"),
    Mutation(
        "resources for other sites",
        MIDDLEWARE,
        '"Cross-Origin-Resource-Policy", "same-origin"',
        '"Cross-Origin-Resource-Policy", "cross-origin"',
    ),
    Mutation("log-out leaves the browser's data", MIDDLEWARE, 'if getattr(request, "logged_out", False):', "if False:"),
    Mutation(
        "private pages may be stored",
        MIDDLEWARE,
        'if "Cache-Control" not in response.headers:\n            add_never',
        "if False:\n            add_never",
    ),
    Mutation("CSRF middleware removed", SETTINGS, '    "django.middleware.csrf.CsrfViewMiddleware",\n'),
    Mutation("forwarded scheme believed from anybody", SETTINGS, "if TRUSTED_PROXY_COUNT:", "if True:"),
    Mutation(
        "forwarded address believed from anybody",
        "config/proxy.py",
        "return str(ip_address(hops[-count]))",
        "return str(ip_address(hops[0]))",
    ),
    # Starting
    Mutation("DEBUG on", SETTINGS, 'DEBUG = env.bool("DEBUG", False)', "DEBUG = True"),
    Mutation("DEBUG on by default", SETTINGS, 'DEBUG = env.bool("DEBUG", False)', 'DEBUG = env.bool("DEBUG", True)'),
    Mutation("DEBUG with a public host", SETTINGS, "if DEBUG and not all(", "if False and not all("),
    Mutation(
        "short secret key",
        ENVIRONMENT,
        'if len(value) < 50 or len(set(value)) < 5 or value.startswith("django-insecure-"):',
        "if False:",
    ),
    Mutation("placeholder for a secret", ENVIRONMENT, "if value.startswith(PLACEHOLDER):", "if False:"),
    Mutation(
        "problems told with their values",
        ENVIRONMENT,
        '"Not a valid database URL."',
        'f"Not a valid database URL: {value}"',
    ),
    Mutation(
        "default for the secret key",
        SETTINGS,
        'env.str("SECRET_KEY", validate',
        'env.str("SECRET_KEY", "x" * 20 + "0123456789" * 4, validate',
    ),
    # Sessions and log-in
    Mutation("session limits removed", SETTINGS, '    "config.middleware.SessionLimitsMiddleware",\n'),
    Mutation(
        "session without an absolute end",
        MIDDLEWARE,
        "min(now + idle, started + settings.SESSION_ABSOLUTE_AGE)",
        "now + idle",
    ),
    Mutation("session of two weeks", SETTINGS, "SESSION_COOKIE_AGE = 30 * 60", "SESSION_COOKIE_AGE = 14 * 24 * 3600"),
    Mutation(
        "password validators removed",
        SETTINGS,
        '    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},\n',
    ),
    Mutation("short passwords", SETTINGS, "PASSWORD_MIN_LENGTH = 12", "PASSWORD_MIN_LENGTH = 8"),
    Mutation("site's name in passwords", SETTINGS, '    {"NAME": "users.passwords.SiteNameValidator"},\n'),
    Mutation("weak password hash", "users/passwords.py", "memory_cost = 19_456", "memory_cost = 1_024"),
    Mutation(
        "MD5 for passwords",
        SETTINGS,
        "    # Understood, so that imported",
        '    "django.contrib.auth.hashers.MD5PasswordHasher",\n    # Understood, so that imported',
    ),
    Mutation("attempts not limited", SETTINGS, "AXES_FAILURE_LIMIT = 5", "AXES_FAILURE_LIMIT = 5000"),
    Mutation("attempts by spelling", "users/lockout.py", ".strip().lower()", ""),
    Mutation("attempts by any address", SETTINGS, 'AXES_CLIENT_IP_CALLABLE = "config.proxy.client_ip"\n'),
    Mutation("log-in not required", SETTINGS, '    "django.contrib.auth.middleware.LoginRequiredMiddleware",\n'),
    Mutation("staff may take a superuser's account", "users/admin.py", "return allowed and (", "return allowed or ("),
    # Logs, errors, encryption
    Mutation("log lines forged", LOGS, "return json.dumps(line, default=str)", "return str(line['event'])"),
    Mutation(
        "values of errors logged", LOGS, '"error": record.exc_info[0].__name__', '"error": str(record.exc_info[1])'
    ),
    Mutation(
        "forged forms not logged",
        "config/views.py",
        '    log_event("malicious_csrf", request, level=logging.WARNING)\n',
    ),
    Mutation("refused files not logged", VIEWS, 'log_event("upload_validation", request, code=code)', "pass"),
    Mutation(
        "health tells what is wrong",
        "config/views.py",
        "    except Exception:  # the deadline",
        "    except ZeroDivisionError:  # the deadline",
    ),
    Mutation(
        "names not encrypted", "config/encryption.py", "return None if text is None else encrypt(text)", "return text"
    ),
    Mutation(
        "ciphertext shown for a wrong key",
        "config/encryption.py",
        "return None if value is None else decrypt(value)",
        "return value",
    ),
    # The gate
    Mutation("any format opened", IMAGES, 'formats=("JPEG", "PNG", "WEBP")', "formats=None"),
    Mutation("ending not checked", IMAGES, "        check_extension(image, name)\n"),
    Mutation("pixels not counted", IMAGES, "        check_pixels(image)\n"),
    Mutation("frames not counted", IMAGES, "        check_frames(image)\n"),
    Mutation("passes not counted", IMAGES, " or passes > MAX_JPEG_PASSES"),
    Mutation("parts not counted", IMAGES, "parts > MAX_PARTS or "),
    Mutation("passes counted to the first end", IMAGES, '(marker[1] == b"\\xd9" and passes)', 'marker[1] == b"\\xd9"'),
    Mutation(
        "metadata kept",
        IMAGES,
        'image.save(buffer, "JPEG", quality=JPEG_QUALITY)',
        'image.save(buffer, "JPEG", quality=JPEG_QUALITY, exif=image.getexif(), comment=image.info.get("comment"))',
    ),
    Mutation("size not checked", IMAGES, "if size > settings.UPLOAD_MAX_BYTES:", "if False:"),
    Mutation(
        "reading goes on past the limit",
        "uploads/handlers.py",
        "if self.received > settings.UPLOAD_MAX_BYTES:",
        "if False:",
    ),
    Mutation(
        "name of the upload kept",
        MODELS,
        'return f"{self.id}/{variant}.jpg"',
        'return f"{self.original_name}/{variant}.jpg"',
    ),
    # Photos
    Mutation("quota not counted", MODELS, ">= settings.UPLOADS_PER_HOUR", ">= 10**9"),
    Mutation("quota not checked when it is stored", MODELS, "                check_quota(owner)\n"),
    Mutation(
        "hidden photos shown to guests",
        VIEWS,
        "if found.status != Status.APPROVED and not found.is_visible_to(request.user):",
        "if False:",
    ),
    Mutation(
        "photos of others deleted",
        VIEWS,
        "get_object_or_404(request.user.photos.live(), pk=photo_id)",
        "get_object_or_404(Photo, pk=photo_id)",
    ),
    Mutation(
        "pending photos in the gallery", MODELS, "return self.filter(status=Status.APPROVED)", "return self.live()"
    ),
    Mutation(
        "photos of others in one's own list",
        VIEWS,
        "Paginator(request.user.photos.live(), PAGE_SIZE)",
        "Paginator(Photo.objects.live(), PAGE_SIZE)",
    ),
    Mutation("photo deleted by a link", VIEWS, "@require_POST\n"),
    Mutation(
        "photos without a sandbox",
        VIEWS,
        '@csp_override({"default-src": [CSP.NONE], "sandbox": True})',
        "@csp_override({})",
    ),
    Mutation("photos of any type", VIEWS, 'content_type="image/jpeg"', 'content_type="text/html"'),
    Mutation(
        "published before every approval",
        "uploads/moderation/__init__.py",
        'if results == {"approved"}:',
        'if "approved" in results:',
    ),
    Mutation(
        "rejection overruled by an approval",
        "uploads/moderation/__init__.py",
        'if "rejected" in results:',
        'if results == {"rejected"}:',
    ),
    Mutation(
        "review without the permission", ADMIN, 'return request.user.has_perm("uploads.review_photo")', "return True"
    ),
    Mutation("decisions without who decided", MODELS, '"decided_by": by}', '"decided_by": None}'),
    Mutation(
        "bytes kept after a rejection",
        MODELS,
        "                self.drop_bytes()\n        self.save()",
        "                pass\n        self.save()",
    ),
    Mutation(
        "due photos claimed twice",
        "uploads/outbox.py",
        "if free.filter(pk=key).update(claimed_until=now + CLAIM)",
        "if True",
    ),
    Mutation("quota after the decoding", "uploads/forms.py", "        check_quota(self.owner)\n"),
    Mutation("log-in does not start the limits anew", "config/apps.py", "request.session.pop(name, None)", "pass"),
    Mutation(
        "public view added",
        "config/urls.py",
        '    path("health/live/"',
        '    path("everything/", views.health_live),\n    path("health/live/"',
    ),
    Mutation("view made public", VIEWS, "@require_safe\ndef mine", "@login_not_required\n@require_safe\ndef mine"),
    Mutation("CSP loads pictures from anywhere", SETTINGS, '"img-src": [CSP.SELF],', '"img-src": ["*"],'),
    Mutation(
        "windows shared with other sites",
        SETTINGS,
        'X_FRAME_OPTIONS = "DENY"\n',
        'X_FRAME_OPTIONS = "DENY"\nSECURE_CROSS_ORIGIN_OPENER_POLICY = None\n',
    ),
    Mutation(
        "mail with reset links in the log",
        SETTINGS,
        'if not DEBUG and mailer and "console"',
        'if False and mailer and "console"',
    ),
    Mutation("lock-out for ever", SETTINGS, "AXES_COOLOFF_TIME = timedelta(minutes=15)", "AXES_COOLOFF_TIME = None"),
    Mutation("lock-out by account alone", SETTINGS, '[["username", "ip_address"]]', '["username"]'),
    Mutation("administration without a lock-out", SETTINGS, '    "axes.backends.AxesStandaloneBackend",\n'),
    Mutation(
        "reset links for three days",
        SETTINGS,
        "PASSWORD_RESET_TIMEOUT = 3600",
        "PASSWORD_RESET_TIMEOUT = 3 * 24 * 3600",
    ),
    Mutation(
        "numbers for passwords",
        SETTINGS,
        '    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},\n',
    ),
    Mutation(
        "session of a day",
        SETTINGS,
        "SESSION_ABSOLUTE_AGE = timedelta(hours=8)",
        "SESSION_ABSOLUTE_AGE = timedelta(hours=24)",
    ),
    Mutation("plain lines in production's log", SETTINGS, '"text" if DEBUG else "json"', '"text"'),
    Mutation("refusals not logged", "config/views.py", '    log_event("authz_fail", request, level=logging.WARNING)\n'),
    Mutation("lock-outs not logged", "users/lockout.py", '    log_event("authn_login_lock", request)\n'),
    Mutation(
        "files readable by everybody", SETTINGS, "FILE_UPLOAD_PERMISSIONS = 0o600", "FILE_UPLOAD_PERMISSIONS = 0o666"
    ),
    Mutation("cache counts not kept", ENVIRONMENT, '"transaction_mode": "IMMEDIATE", '),
    Mutation(
        "upload page made public",
        VIEWS,
        '@require_http_methods(["GET", "HEAD", "POST"])',
        '@login_not_required\n@require_http_methods(["GET", "HEAD", "POST"])',
    ),
    Mutation("photos kept by shared caches", VIEWS, '"private, max-age=600"', '"public, max-age=600"'),
    Mutation(
        "rejection without the permission",
        ADMIN,
        '"Reject selected photos…", permissions=["review"]',
        '"Reject selected photos…"',
    ),
    Mutation("decisions on deleted pictures", MODELS, "            if photo.has_bytes:", "            if True:"),
    Mutation(
        "two spellings of an address",
        "users/models.py",
        "        self.email = self.email.lower()\n        super()",
        "        super()",
    ),
]

# With everything chosen
FEATURES = [
    Mutation(
        "webhook without a signature", f"{CLOUDINARY}/views.py", "    if not is_genuine(request):", "    if False:"
    ),
    Mutation("webhook at any time", f"{CLOUDINARY}/views.py", "> WINDOW:", "> 10**12:"),
    Mutation("webhook of any length", f"{CLOUDINARY}/views.py", "if int(length) > MAX_BYTES:", "if False:"),
    Mutation(
        "webhook with the first letters right",
        f"{CLOUDINARY}/views.py",
        "hmac.compare_digest(expected.encode(), signature.encode())",
        "expected[:8] == signature[:8]",
    ),
    Mutation(
        "webhook forgets the old secret", f"{CLOUDINARY}/views.py", ", *settings.CLOUDINARY_API_SECRET_FALLBACKS]", "]"
    ),
    Mutation(
        "webhook publishes", f"{CLOUDINARY}/views.py", ".update(due_at=timezone.now())", '.update(status="approved")'
    ),
    Mutation(
        "public assets", f"{CLOUDINARY}/client.py", '"type": "authenticated", "timeout"', '"type": "upload", "timeout"'
    ),
    Mutation("no timeout", f"{CLOUDINARY}/client.py", ', "timeout": 20}', "}"),
    Mutation("redirects followed", f"{CLOUDINARY}/client.py", "redirect=False, retries=False, ", ""),
    Mutation("assets overwritten", f"{CLOUDINARY}/client.py", "overwrite=False", "overwrite=True"),
    Mutation("unsigned addresses", f"{CLOUDINARY}/client.py", "sign_url=True", "sign_url=False"),
    Mutation(
        "Cloudinary's address before approval",
        f"{CLOUDINARY}/moderator.py",
        "photo.status == Status.APPROVED and (asset",
        "(asset",
    ),
    Mutation(
        "unknown words approve",
        f"{CLOUDINARY}/moderator.py",
        "RESULTS.get(words[0], Result.UNKNOWN)",
        "RESULTS.get(words[0], Result.APPROVED)",
    ),
    Mutation("a missing verdict approves", f"{CLOUDINARY}/moderator.py", 'or ["nothing"]', 'or ["approved"]'),
    Mutation(
        "first verdict is enough",
        f"{CLOUDINARY}/moderator.py",
        "settings.CLOUDINARY_MODERATION)\n\n    def next_due",
        "settings.CLOUDINARY_MODERATION[:1])\n\n    def next_due",
    ),
    Mutation(
        "stuck photos wait for ever",
        f"{CLOUDINARY}/moderator.py",
        "if photo.created_at < timezone.now() - timedelta(hours=settings.MODERATION_STUCK_HOURS):",
        "if False:",
    ),
    Mutation(
        "asset stays when the photo goes", f"{CLOUDINARY}/moderator.py", "            client.destroy(str(photo.pk))\n"
    ),
    Mutation(
        "unknown kinds of moderation",
        f"{CLOUDINARY}/environment.py",
        "if not values or not all(map(KIND.fullmatch, values)):",
        "if False:",
    ),
    Mutation(
        "e-mail addresses not verified",
        SETTINGS,
        'ACCOUNT_EMAIL_VERIFICATION = "mandatory"',
        'ACCOUNT_EMAIL_VERIFICATION = "none"',
    ),
    Mutation("codes for 15 minutes", SETTINGS, "BY_CODE_TIMEOUT = 600", "BY_CODE_TIMEOUT = 900"),
    Mutation(
        "changes without asking again",
        SETTINGS,
        "ACCOUNT_REAUTHENTICATION_REQUIRED = True",
        "ACCOUNT_REAUTHENTICATION_REQUIRED = False",
    ),
    Mutation("attempts not limited with the auth app", SETTINGS, '"10/m/ip,5/5m/key"', '"1000/m/ip,500/5m/key"'),
    Mutation("attempts by the Host header", "accounts/adapters.py", "_get_login_attempts_cache_key", "_unused"),
    Mutation(
        "attempts by any address with the auth app",
        "accounts/adapters.py",
        "return client_ip(request)",
        'return request.headers.get("X-Forwarded-For", "192.0.2.1")',
    ),
    Mutation(
        "second factors not encrypted", "accounts/adapters.py", "        return encrypt(text)", "        return text"
    ),
    Mutation("staff without a second factor", SETTINGS, '    "accounts.middleware.SecondFactorMiddleware",\n'),
    Mutation(
        "superusers without a second factor",
        "accounts/middleware.py",
        "if not (user.is_staff or user.is_superuser):",
        "if not user.is_staff:",
    ),
    Mutation(
        "session without the second factor is enough",
        "accounts/middleware.py",
        'return None if proved else "mfa_reauthenticate"',
        "return None",
    ),
    Mutation(
        "attempts unlimited while nothing counts them",
        "accounts/middleware.py",
        'return render(request, "503.html", status=503)',
        "return None",
    ),
    Mutation("breached passwords", SETTINGS, "if CHECK_BREACHED_PASSWORDS:", "if False:"),
    Mutation(
        "sessions of others ended",
        "accounts/views.py",
        "get_object_or_404(UserSession, pk=pk, user=request.user)",
        "get_object_or_404(UserSession, pk=pk)",
    ),
    Mutation(
        "account deleted without asking again",
        "accounts/views.py",
        '@reauthentication_required(app="allauth.account")\n',
    ),
    Mutation(
        "changes not told by mail",
        SETTINGS,
        "ACCOUNT_EMAIL_NOTIFICATIONS = True",
        "ACCOUNT_EMAIL_NOTIFICATIONS = False",
    ),
]


def run_tests(project: Path) -> str:
    """Run a project's tests of controls until one fails, and return the last lines of what they say."""
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-m", "control", "-p", "no:cacheprovider"]
    done = subprocess.run(command, cwd=project, env=clean_environment(), check=False, capture_output=True, text=True)
    return done.stdout + done.stderr


def catch(mutation: Mutation, project: Path) -> list[object]:
    """Break a copy of a project, and return a row for the table: what was broken, who noticed, and the control."""
    with tempfile.TemporaryDirectory() as folder:
        broken = shutil.copytree(project, Path(folder) / project.name)
        mutation.apply(broken)
        said = run_tests(broken)
    test = re.search(r"^(?:FAILED|ERROR) \S*?/?(\w+\.py)(?:::(\w+))?", said, re.MULTILINE)
    red = re.search(r"^\d+ red: (.+)$", said, re.MULTILINE)
    if test and red:
        return [mutation.what, f"`{test[2]}`", red[1]]
    return [mutation.what, f"`{test[1]}` does not start" if test else "NOBODY", ""]


def catch_all(mutations: list[Mutation], answers: Answers) -> Iterator[list[object]]:
    """Yield a row for each mutation of a freshly generated project, whose tests pass before."""
    with generated(answers) as project, ThreadPoolExecutor(PARALLEL) as executor:
        if stale := [mutation.what for mutation in mutations if not mutation.fits(project)]:
            sys.exit(f"These no longer fit the code: {', '.join(stale)}.")
        said = run_tests(shutil.copytree(project, project.with_name("sound")))
        if "\n0 red\n" not in said:
            sys.exit(f"Tests fail already:\n{said}")
        yield from executor.map(lambda mutation: catch(mutation, project), mutations)


def main(words: list[str]) -> None:
    """Print the table and the count; end with an error when one of them went by unnoticed."""
    started = time.monotonic()
    rows: list[list[object]] = []
    for answers, mutations in ((ALL_OFF, FOUNDATION), (ALL_ON, FEATURES)):
        chosen = [it for it in mutations if not words or any(word in it.what for word in words)]
        for row in catch_all(chosen, answers) if chosen else ():
            rows.append(row)
            print(*row, sep="  ", file=sys.stderr, flush=True)
    caught = [row for row in rows if row[2]]
    print_table(["what was broken", "the first test that fails", "control"], rows)
    print(f"\n{len(caught)} of {len(rows)} mutations are caught ({time.monotonic() - started:.0f} s).")
    if len(caught) < len(rows):
        sys.exit(1)


if __name__ == "__main__":
    main(sys.argv[1:])
