from contextlib import suppress
from typing import Any

from allauth.account import forms
from allauth.account.adapter import get_adapter
from allauth.core import context, ratelimit
from django.contrib.auth import get_user_model
from django.db import IntegrityError
from django.http import HttpRequest


class SignupForm(forms.SignupForm):
    account_already_exists: bool

    def try_save(self, request: HttpRequest) -> Any:
        if not self.account_already_exists:
            with suppress(IntegrityError):  # a concurrent sign-up with the same email was faster
                return super().try_save(request)
        self.account_already_exists = True
        # Hash the password as for a new account. Otherwise the response time would reveal that the account exists.
        get_user_model()().set_password(self.cleaned_data["password1"])
        return super().try_save(request)


class ConfirmEmailVerificationCodeForm(forms.ConfirmEmailVerificationCodeForm):
    def clean_code(self) -> str:
        # allauth counts in the session, which parallel requests read before any of them writes.
        if not ratelimit.consume(context.request, action="emailed_code", key=f"{self.email} {self.expected_code}"):
            raise get_adapter().validation_error("rate_limited")
        return str(super().clean_code())
