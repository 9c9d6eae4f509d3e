from datetime import timedelta
from typing import Any, ClassVar

from allauth.account.adapter import DefaultAccountAdapter
from allauth.core import ratelimit
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils.translation import get_language

from secure_django.logging import log_event
from secure_django.login.devices import find_device, forget_device, remember_device
from secure_django.login.models import Device
from secure_django.mail.outbox import LIFETIME, OutboxBackend, subject_of_site
from secure_django.models import Mail
from secure_django.validators import validate_recipient
from secure_django.web.client import client_ip
from secure_django.web.languages import in_language_of, remember_language
from secure_django.web.links import own_host

__all__ = ["AccountAdapter"]

FAILED = "unknown_device_failed"  # of ACCOUNT_RATE_LIMITS
SHARED = "shared_computer"  # in the session, until the log-in is complete
NOBODY = 0  # the id in place of a user's, for an email without an account


class AccountAdapter(DefaultAccountAdapter):
    # By template: the kind and the lifetime of an email. All others are notices, which
    # the outbox refuses unless they are to a user.
    purposes: ClassVar = {
        # To the email from before the change.
        "secure_django/login/email/changed_by_staff": (Mail.Kind.NORMAL, LIFETIME),
        "account/email/password_reset_key": (
            Mail.Kind.AWAITED,
            timedelta(seconds=settings.PASSWORD_RESET_TIMEOUT),
        ),
    }

    device: Device | None = None  # of the log-in, if it is a known one

    def get_client_ip(self, request: HttpRequest) -> str:
        return client_ip(request)

    def clean_email(self, email: str) -> str:
        validate_recipient(email)
        return str(super().clean_email(email))

    def _get_login_attempts_cache_key(
        self, request: HttpRequest, **credentials: str
    ) -> str:
        # Private, but there is no public hook. allauth's key includes the Host header:
        # each host would allow five more attempts.
        return credentials["email"].lower()

    def is_safe_url(self, url: str) -> bool:
        try:
            return bool(super().is_safe_url(url))
        except ValueError:  # urllib cannot parse it, such as https://[::1]evil
            return False

    def pre_authenticate(self, request: HttpRequest, **credentials: str) -> None:
        """Count an attempt: by device if it is known, else by address and account."""
        device = find_device(request, credentials["email"])
        if device and device.take_attempt():
            self.device = device
            return
        # Turns let few attempts run at a time, so few exceed this limit. The limit of
        # the account is counted in advance.
        if not ratelimit.consume(request, action=FAILED, dry_run=True):
            raise self.validation_error("too_many_login_attempts")
        super().pre_authenticate(request, **credentials)

    def authentication_failed(self, request: HttpRequest, **credentials: str) -> None:
        if not self.device:
            ratelimit.consume(request, action=FAILED)

    def post_login(
        self, request: HttpRequest, user: Any, **options: Any
    ) -> HttpResponse:
        response: HttpResponse = super().post_login(request, user, **options)
        if request.session.pop(SHARED, False):
            forget_device(request, response, user)
        else:
            remember_device(request, response, user)
        remember_language(request, response, user)
        return response

    def validation_error(self, code: str, *args: object) -> Any:
        if code == "too_many_login_attempts":
            log_event("authn_login_lock", self.request)
        return super().validation_error(code, *args)

    def send_mail(
        self, template_prefix: str, email: str, context: dict[str, Any]
    ) -> None:
        # allauth's own value has the Host header of the request.
        site = {"name": settings.SITE_NAME, "domain": own_host()}
        super().send_mail(template_prefix, email, {"current_site": site, **context})

    def send_notification_mail(
        self,
        template_prefix: str,
        user: Any,
        context: dict[str, Any] | None = None,
        email: str | None = None,
    ) -> None:
        with in_language_of(user):
            super().send_notification_mail(template_prefix, user, context, email)

    def format_email_subject(self, subject: str) -> str:
        if get_language() == "en":
            # allauth capitalizes each word.
            subject = subject.capitalize()
        return subject_of_site(subject)

    def render_mail(
        self,
        template_prefix: str,
        email: Any,
        context: dict[str, Any],
        headers: Any = None,
    ) -> Any:
        purpose = self.purposes.get(template_prefix)
        if purpose:
            _, lifetime = purpose
            context = context | {"minutes": lifetime // timedelta(minutes=1)}
        with in_language_of(context.get("user")):
            message = super().render_mail(template_prefix, email, context, headers)
        if purpose:
            message.kind, message.lifetime = purpose
        if getattr(context.get("user"), "pk", None) == NOBODY:
            message.kind = Mail.Kind.UNKNOWN
            message.lifetime = timedelta()
            OutboxBackend().send_messages([message])
            message.to = []  # so that send() skips it
        return message
