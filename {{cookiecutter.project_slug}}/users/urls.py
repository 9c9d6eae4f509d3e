"""The pages of allauth that every project has. Some others let users log in with an email that is not theirs."""

from allauth.account import urls

NAMES = ["login", "logout", "inactive", "change_password", "set_password", "reset_password", "reset_password_done"]
NAMES += ["reset_password_from_key", "reset_password_from_key_done"]

urlpatterns = [pattern for pattern in urls.urlpatterns if pattern.name.removeprefix("account_") in NAMES]
