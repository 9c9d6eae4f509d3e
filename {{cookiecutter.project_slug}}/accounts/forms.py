"""allauth's forms with small corrections."""

from typing import Any

from allauth.account import forms
from django.contrib.auth import get_user_model
from django.db import IntegrityError
from django.http import HttpRequest


class LoginForm(forms.LoginForm):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # Password managers look for this value in a log-in form.
        self.fields["login"].widget.attrs["autocomplete"] = "username"


class SignupForm(forms.SignupForm):
    account_already_exists: bool

    def try_save(self, request: HttpRequest) -> Any:
        if not self.account_already_exists:
            try:
                return super().try_save(request)
            except IntegrityError:
                # A concurrent sign-up with the same email was faster.
                self.account_already_exists = True
        # Hash the password as for a new account. Otherwise the response time would reveal that the account exists.
        get_user_model()().set_password(self.cleaned_data["password1"])
        return super().try_save(request)
