from typing import Any

from allauth.account import app_settings, forms
from allauth.core import context, ratelimit
from allauth.core.exceptions import ImmediateHttpResponse
from django.conf import settings
from django.db import transaction
from django.forms import BooleanField
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext_lazy as _

from secure_django.login.adapters import NOBODY, SHARED
from secure_django.user import User

__all__ = ["LoginForm", "ResetPasswordForm", "ResetPasswordKeyForm"]


class LoginForm(forms.LoginForm):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # Password managers look for this value in a log-in form.
        self.fields["login"].widget.attrs["autocomplete"] = "username"
        # Last, since allauth orders the fields above.
        self.fields["shared"] = BooleanField(
            label=_("This computer is shared"), required=False
        )

    def login(self, request: HttpRequest, redirect_url: str | None) -> HttpResponse:
        # In the session, since a second factor may come before the log-in.
        if self.cleaned_data["shared"]:
            request.session[SHARED] = True
        else:
            request.session.pop(SHARED, None)
        response: HttpResponse = super().login(request, redirect_url)
        return response


class ResetPasswordForm(forms.ResetPasswordForm):
    users: list[User]

    def save(self, request: HttpRequest, **kwargs: Any) -> str:
        email = str(self.cleaned_data["email"])
        # Beyond the limit the answer is the same: the newest link is still valid. An
        # error would lock the owner out.
        if ratelimit.consume(request, action="reset_link", key=email.lower()):
            if not settings.ACCOUNT_EMAIL_UNKNOWN_ACCOUNTS and not self.users:
                # The same work, so that its time does not reveal accounts. The email is
                # never sent.
                self.users = [User(pk=NOBODY, email=email, password="!" * 90)]
            super().save(request, **kwargs)
        return email


class ResetPasswordKeyForm(forms.ResetPasswordKeyForm):
    def save(self) -> None:
        """Use the link, or lead to the page that says that it was used.

        Two browsers may have opened it, and sent their passwords at the same time.
        """
        tokens = app_settings.PASSWORD_RESET_TOKEN_GENERATOR()
        with transaction.atomic():
            user = User.objects.select_for_update().filter(pk=self.user.pk).first()
            if not tokens.check_token(user, self.temp_key):
                page = context.request.get_full_path()
                raise ImmediateHttpResponse(redirect(page))
            super().save()
