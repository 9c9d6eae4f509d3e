import struct
from typing import Any

from allauth.account import forms
from allauth.account.adapter import get_adapter
from allauth.core import context, ratelimit
from allauth.mfa.models import Authenticator
from allauth.mfa.webauthn import forms as webauthn
from django.conf import settings
from django.core.cache import cache
from django.core.exceptions import ValidationError
from django.db import IntegrityError
from django.forms import Form
from django.http import HttpRequest
from fido2.webauthn import AuthenticationResponse

from secure_django.logging import log_event
from secure_django.login.fields import fill_in, form_fields, signup_fields
from secure_django.user import User
from secure_django.web.error_pages import UnavailableError

__all__ = [
    "AddPasskeyForm",
    "ConfirmEmailVerificationCodeForm",
    "LoginPasskeyForm",
    "PasskeyForm",
    "ReauthenticatePasskeyForm",
    "SignupForm",
]

# What allauth, fido2 and json raise for answers of a passkey that are malformed.
MALFORMED = (
    AssertionError,
    AttributeError,
    LookupError,
    RuntimeError,
    TypeError,
    ValueError,
    struct.error,
)


class SignupForm(forms.SignupForm):
    """Ask for `signup_fields` of the user model too, between email and password."""

    account_already_exists: bool

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, field in form_fields(signup_fields()).items():
            self.fields.setdefault(name, field)  # a subclass may have one of its own
        passwords = [name for name in self.fields if name.startswith("password")]
        others = [name for name in self.fields if name not in passwords]
        self.order_fields(self.field_order or [*others, *passwords])

    def clean(self) -> Any:
        cleaned_data = super().clean()
        self.validate_fields_of_user()
        return cleaned_data

    def validate_fields_of_user(self) -> None:
        """Ask the model, as a ModelForm does. For an email with an account too."""
        names = {name for name in signup_fields() if name in self.cleaned_data}
        if not names:
            return
        user = User(email=self.cleaned_data.get("email", ""))
        fill_in(user, self.cleaned_data)
        others = {field.name for field in User._meta.get_fields()} - names
        try:
            user.full_clean(exclude=others)
        except ValidationError as error:
            for name, messages in error.message_dict.items():
                self.add_error(name if name in self.fields else None, messages)

    def try_save(self, request: HttpRequest) -> Any:
        if not self.account_already_exists:
            try:
                return super().try_save(request)
            except IntegrityError as error:
                # A concurrent sign-up may be faster, with the same email or with the
                # same value of a field that must be unique.
                if not User.objects.filter(email=self.cleaned_data["email"]).exists():
                    raise UnavailableError from error
        self.account_already_exists = True
        # Hash the password as for a new account. Otherwise the response time would
        # reveal that the account exists.
        User().set_password(self.cleaned_data["password1"])
        return super().try_save(request)


class ConfirmEmailVerificationCodeForm(forms.ConfirmEmailVerificationCodeForm):
    minutes = settings.ACCOUNT_EMAIL_VERIFICATION_BY_CODE_TIMEOUT // 60

    def clean_code(self) -> str:
        # allauth counts in the session, which parallel requests read before one writes.
        key = f"{self.email} {self.expected_code}"
        if not ratelimit.consume(context.request, action="emailed_code", key=key):
            raise get_adapter().validation_error("rate_limited")
        return str(super().clean_code())


class CredentialForm(Form):
    """Refuse a malformed answer of a passkey, and do not repeat it on the page."""

    def full_clean(self) -> None:
        try:
            super().full_clean()
        except MALFORMED:
            error = get_adapter().validation_error("incorrect_code")
            self.add_error("credential", error)
        items = self.data.items()
        self.data = {name: value for name, value in items if name != "credential"}


class AddPasskeyForm(CredentialForm, webauthn.AddWebAuthnForm):
    pass


class PasskeyForm(CredentialForm, webauthn.AuthenticateWebAuthnForm):
    def clean_credential(self) -> Authenticator:
        authenticator: Authenticator = super().clean_credential()
        answer = AuthenticationResponse.from_dict(self.cleaned_data["credential"])
        client_data = answer.response.client_data
        origin = f"{context.request.scheme}://{context.request.get_host()}"
        # The library also accepts an answer given to a page of a subdomain.
        is_own = client_data.origin == origin
        # Parallel requests read the session's challenge before one of them deletes it.
        key = f"passkey-{client_data.challenge.hex()}"
        if is_own and cache.add(key, True, settings.SESSION_COOKIE_AGE):
            return authenticator
        raise get_adapter().validation_error("incorrect_code")

    def full_clean(self) -> None:
        super().full_clean()
        if self.is_bound and not self.is_valid():
            log_event(
                "authn_login_fail",
                context.request,
                user=self.user and self.user.pk,
                factor="webauthn",
            )


class LoginPasskeyForm(PasskeyForm, webauthn.LoginWebAuthnForm):
    pass


class ReauthenticatePasskeyForm(PasskeyForm, webauthn.ReauthenticateWebAuthnForm):
    pass
