from typing import Any

from allauth.mfa import stages
from allauth.mfa.utils import is_mfa_enabled
from django.http import HttpRequest, HttpResponse

from secure_django.accounts.middleware import SECOND_FACTORS


class AuthenticateStage(stages.AuthenticateStage):
    """Ask for the second factor, and notice what has changed since the first step."""

    def auth_hash(self) -> str:
        user: Any = self.login.user
        return str(user.get_session_auth_hash()) if user else ""

    def handle(self) -> tuple[HttpResponse | None, bool]:
        self.state["auth_hash"] = self.auth_hash()
        response, goes_on = super().handle()
        if response:
            # Session fixation: an attacker who planted the session's cookie must not
            # share a log-in whose password was right.
            self.request.session.cycle_key()
        return response, goes_on

    def is_resumable(self, request: HttpRequest) -> bool:
        # Staff may have deleted the factor. By default, this page and the log-in would
        # redirect to each other.
        return bool(is_mfa_enabled(self.login.user, SECOND_FACTORS))

    def exit(self) -> HttpResponse:
        # If the password was changed meanwhile, the old one must not log in.
        response: HttpResponse
        if self.state.get("auth_hash") == self.auth_hash():
            response = super().exit()
        else:
            response = self.abort()
        return response
