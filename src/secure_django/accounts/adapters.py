import time
from datetime import timedelta
from typing import Any, ClassVar

from allauth.account import app_settings
from allauth.account.authentication import get_authentication_records
from allauth.core import ratelimit
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.models import Authenticator
from allauth.mfa.utils import is_mfa_enabled
from django.conf import settings
from django.http import HttpRequest
from django.utils.translation import gettext as _

from secure_django import encryption
from secure_django.accounts.middleware import missing_step
from secure_django.clock import CLOCK_DIFFERENCE
from secure_django.login import adapters
from secure_django.login.fields import fill_in
from secure_django.mail.outbox import LIFETIME
from secure_django.models import Mail

__all__ = ["AccountAdapter", "SecondFactorAdapter"]

# Of the column `data` of allauth's Authenticator. allauth does not say of which kind of
# factor a secret is.
FACTOR_CONTEXT = "mfa.authenticator.data"
CODE_TIMEOUT = timedelta(seconds=settings.ACCOUNT_EMAIL_VERIFICATION_BY_CODE_TIMEOUT)


class AccountAdapter(adapters.AccountAdapter):
    purposes: ClassVar = {
        **adapters.AccountAdapter.purposes,
        "account/email/unknown_account": (
            Mail.Kind.UNKNOWN,
            timedelta(seconds=settings.PASSWORD_RESET_TIMEOUT),
        ),
        # Their recipients are no longer users.
        "account/email/email_changed": (Mail.Kind.NORMAL, LIFETIME),
        "secure_django/accounts/email/account_deleted": (Mail.Kind.NORMAL, LIFETIME),
        "account/email/account_already_exists": (Mail.Kind.UNVERIFIED, CODE_TIMEOUT),
        "account/email/email_confirmation": (Mail.Kind.UNVERIFIED, CODE_TIMEOUT),
        "account/email/email_confirmation_signup": (Mail.Kind.UNVERIFIED, CODE_TIMEOUT),
    }

    def get_reauthentication_methods(self, user: Any) -> list[dict[str, Any]]:
        """Offer users with a second factor that factor alone.

        Otherwise a password or the mailbox could replace it.
        """
        # allauth's ids. A method that a later release adds is not offered.
        allowed = ["reauthenticate"]
        if is_mfa_enabled(user):
            allowed = ["mfa_reauthenticate", "mfa_reauthenticate:webauthn"]
        methods = super().get_reauthentication_methods(user)
        return [method for method in methods if method["id"] in allowed]

    def is_reauthentication_required(self, *, app: str, **kwargs: Any) -> bool:
        """Require none for the first second factor, if the log-in was recent."""
        user = self.request.user
        if app == "allauth.mfa" and not is_mfa_enabled(user):
            records = get_authentication_records(self.request, user)
            logged_in_at = max((record["at"] for record in records), default=0)
            age = time.time() - logged_in_at
            is_of_a_clock_ahead = age < -CLOCK_DIFFERENCE.total_seconds()
            is_old = age >= app_settings.REAUTHENTICATION_TIMEOUT
            return bool(is_of_a_clock_ahead or is_old)
        return bool(super().is_reauthentication_required(app=app, **kwargs))

    def get_login_stages(self) -> list[str]:
        stages: list[str] = super().get_login_stages()
        stages[stages.index("allauth.mfa.stages.AuthenticateStage")] = (
            "secure_django.accounts.stages.AuthenticateStage"
        )
        return stages

    def get_login_redirect_url(self, request: HttpRequest) -> str:
        """Lead staff on to their second factor.

        The start page would show them as not logged in.
        """
        if missing_step(request, request.user):
            return str(settings.LOGIN_URL)
        return str(super().get_login_redirect_url(request))

    def save_user(
        self, request: HttpRequest, user: Any, form: Any, commit: bool = True
    ) -> Any:
        # Before the account is stored: so no account is without these fields.
        fill_in(user, form.cleaned_data)
        return super().save_user(request, user, form, commit)

    def send_mail(
        self, template_prefix: str, email: str, context: dict[str, Any]
    ) -> None:
        if self.is_limited(template_prefix, context):
            key = email.lower()
            if not ratelimit.consume(self.request, action="email", key=key):
                raise ImmediateHttpResponse(ratelimit.respond_429(self.request))
        super().send_mail(template_prefix, email, context)

    def is_limited(self, template_prefix: str, context: dict[str, Any]) -> bool:
        # Notices name the browser. They are not limited: an attacker could use up the
        # limit first, to suppress them.
        if "user_agent" in context:
            return False
        # Resets have a limit of their own (secure_django.login.forms), which sign-ups
        # with somebody's email cannot use up.
        if template_prefix in {
            "account/email/password_reset_key",
            "account/email/unknown_account",
        }:
            return False
        # On request, allauth sends a code once more, but sends nothing to an email that
        # has an account. Counting the request would reveal which of the two it is.
        page = self.request.resolver_match
        return page is None or page.url_name != "account_email_verification_sent"


class SecondFactorAdapter(DefaultMFAAdapter):
    def encrypt(self, text: str) -> str:
        return encryption.encrypt(text, FACTOR_CONTEXT)

    def decrypt(self, encrypted_text: str) -> str:
        return encryption.decrypt(encrypted_text, FACTOR_CONTEXT)

    def get_totp_issuer(self) -> str:
        return str(settings.SITE_NAME)

    def is_mfa_enabled(self, user: Any, types: Any = None) -> bool:
        if user is None:
            # The account was deleted while its log-in waits for the second factor.
            return False
        return bool(super().is_mfa_enabled(user, types))

    def get_public_key_credential_user_entity(self, user: Any) -> dict[str, Any]:
        # Only the owner sees this name, in a list of passkeys.
        entity: dict[str, Any] = super().get_public_key_credential_user_entity(user)
        return entity | {"display_name": user.email}

    def generate_authenticator_name(self, user: Any, type: Authenticator.Type) -> str:
        passkeys = Authenticator.objects.filter(user=user, type=type)
        return _("Passkey {number}").format(number=passkeys.count() + 1)
