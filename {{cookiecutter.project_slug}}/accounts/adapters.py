"""allauth's hooks: IP address, rate limits, emails, and the encryption of second factors."""

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.mfa.adapter import DefaultMFAAdapter
from django.core.exceptions import ValidationError
from django.core.mail import EmailMultiAlternatives
from django.http import HttpRequest
from django.template.loader import render_to_string

from core.encryption import decrypt, encrypt
from core.http import client_ip
from core.logging import log_event


class AccountAdapter(DefaultAccountAdapter):
    def get_client_ip(self, request: HttpRequest) -> str:
        return client_ip(request)

    def _get_login_attempts_cache_key(self, request: HttpRequest, **credentials: str) -> str:
        # Private, but there is no public hook. allauth's key includes the Host header: another port, more attempts.
        return credentials["email"].lower()

    def get_reauthentication_methods(self, user: Any) -> list[dict[str, Any]]:
        """Do not offer the password to users with a second factor: a password alone could then replace the factor."""
        methods = super().get_reauthentication_methods(user)
        return [method for method in methods if method["id"] != "reauthenticate"] or methods

    def validation_error(self, code: str, *args: object) -> ValidationError:
        if code in {"too_many_login_attempts", "rate_limited"}:
            log_event("authn_login_lock", self.request)
        error: ValidationError = super().validation_error(code, *args)
        return error

    def format_email_subject(self, subject: str) -> str:
        return str(super().format_email_subject(subject.capitalize()))

    def render_mail(self, template_prefix: str, email: Any, context: dict[str, Any], headers: Any = None) -> Any:
        """Add an HTML version, made from the text. Only URLs of this site become links."""
        mail: EmailMultiAlternatives = super().render_mail(template_prefix, email, context, headers)
        origin = self.request.build_absolute_uri("/")
        texts = [text.strip() for text in str(mail.body).split("\n\n") if text.strip()]
        paragraphs = [(text, text.startswith(origin) and not any(map(str.isspace, text))) for text in texts]
        values = {"subject": mail.subject, "paragraphs": paragraphs, "code": context.get("code")}
        mail.attach_alternative(render_to_string("account/email/message.html", values), "text/html")
        return mail


class SecondFactorAdapter(DefaultMFAAdapter):
    def encrypt(self, text: str) -> str:
        return encrypt(text)

    def decrypt(self, encrypted_text: str) -> str:
        return decrypt(encrypted_text)

    def build_totp_svg(self, url: str) -> str:
        """Return the QR code as an inline SVG element. An <img> with a data: URL would need an exception in the CSP."""
        svg: str = super().build_totp_svg(url)
        return svg[svg.index("<svg") :]
