from typing import Any

from allauth.account import forms


class LoginForm(forms.LoginForm):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # Password managers look for this value in a log-in form.
        self.fields["login"].widget.attrs["autocomplete"] = "username"
