from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from django.http import HttpRequest
from django.utils.translation import get_language

from core import mail
from core.logging import log_event
from core.middleware import client_ip


class AccountAdapter(DefaultAccountAdapter):
    def get_client_ip(self, request: HttpRequest) -> str:
        return client_ip(request)

    def _get_login_attempts_cache_key(self, request: HttpRequest, **credentials: str) -> str:
        # Private, but there is no public hook. allauth's key includes the Host header: each host would allow five more.
        return credentials["email"].lower()

    def is_safe_url(self, url: str) -> bool:
        try:
            return bool(super().is_safe_url(url))
        except ValueError:  # urllib cannot parse it, such as https://[::1]evil
            return False

    def validation_error(self, code: str, *args: object) -> Any:
        if code == "too_many_login_attempts":
            log_event("authn_login_lock", self.request)
        return super().validation_error(code, *args)

    def format_email_subject(self, subject: str) -> str:
        # In English, allauth capitalizes each word.
        return str(super().format_email_subject(subject.capitalize() if get_language() == "en" else subject))

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        # Rendered on the thread too: the time of a password reset must not tell whether the account exists.
        mail.send_later(super().send_mail, template_prefix, email, context)
