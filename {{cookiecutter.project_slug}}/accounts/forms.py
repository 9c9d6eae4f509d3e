"""allauth's forms, where they need a word more."""

from typing import Any

from allauth.account import forms
from django.contrib.auth import get_user_model
from django.db import IntegrityError
from django.http import HttpRequest


class LoginForm(forms.LoginForm):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # What password managers look for where one logs in.
        self.fields["login"].widget.attrs["autocomplete"] = "username"


class SignupForm(forms.SignupForm):
    account_already_exists: bool

    def try_save(self, request: HttpRequest) -> Any:
        if not self.account_already_exists:
            try:
                return super().try_save(request)
            except IntegrityError:
                # Somebody signed up with the address a moment ago.
                self.account_already_exists = True
        # Takes as long as a new account: else the time would tell whose address has one.
        get_user_model()().set_password(self.cleaned_data["password1"])
        return super().try_save(request)
