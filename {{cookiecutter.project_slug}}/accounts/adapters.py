"""Where allauth asks the project: addresses, limits, mails, and the secrets of second factors."""

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.mfa.adapter import DefaultMFAAdapter
from django.core.exceptions import ValidationError
from django.core.mail import EmailMultiAlternatives
from django.http import HttpRequest
from django.template.loader import render_to_string

from config.encryption import decrypt, encrypt
from config.logs import log_event
from config.proxy import client_ip


class AccountAdapter(DefaultAccountAdapter):
    def get_client_ip(self, request: HttpRequest) -> str:
        return client_ip(request)

    def _get_login_attempts_cache_key(self, request: HttpRequest, **credentials: str) -> str:
        # allauth's own key starts with the Host header: another port in it would give fresh attempts.
        return credentials["email"].lower()

    def get_reauthentication_methods(self, user: Any) -> list[dict[str, Any]]:
        """Asks for the second factor where there is one: else a password alone could replace it."""
        methods = super().get_reauthentication_methods(user)
        return [method for method in methods if method["id"] != "reauthenticate"] or methods

    def validation_error(self, code: str, *args: object) -> ValidationError:
        if code in {"too_many_login_attempts", "rate_limited"}:
            log_event("authn_login_lock", self.request)
        error: ValidationError = super().validation_error(code, *args)
        return error

    def render_mail(self, template_prefix: str, email: Any, context: dict[str, Any], headers: Any = None) -> Any:
        """Sends each text as HTML too: one frame for all, with links to nowhere but this site."""
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
        """Returns the QR code as an element of the page: as an image it would need an exception in the CSP."""
        svg: str = super().build_totp_svg(url)
        return svg[svg.index("<svg") :]
