"""The wiring of sign-up, verified email and second factors.

    from secure_django.accounts.defaults import *

It extends secure_django.conf.defaults, so it comes after these.
"""

from secure_django.conf import boolean, defaults, env, number

CHECK_BREACHED_PASSWORDS = env.read("CHECK_BREACHED_PASSWORDS", boolean, "on")
UNVERIFIED_ACCOUNT_DAYS = env.read("UNVERIFIED_ACCOUNT_DAYS", number(1, 36_500), "7")

ACCOUNT_ADAPTER = "secure_django.accounts.adapters.AccountAdapter"
ACCOUNT_FORMS = defaults.ACCOUNT_FORMS | {
    "signup": "secure_django.accounts.forms.SignupForm",
    "confirm_email_verification_code": (
        "secure_django.accounts.forms.ConfirmEmailVerificationCodeForm"
    ),
}
ACCOUNT_EMAIL_VERIFICATION = "mandatory"
ACCOUNT_EMAIL_VERIFICATION_BY_CODE_ENABLED = True
# In seconds. The default is 15 minutes; ASVS 6.5.5 allows 10.
ACCOUNT_EMAIL_VERIFICATION_BY_CODE_TIMEOUT = 600
ACCOUNT_EMAIL_VERIFICATION_SUPPORTS_RESEND = 1  # once
ACCOUNT_EMAIL_UNKNOWN_ACCOUNTS = True
ACCOUNT_CHANGE_EMAIL = True  # a new email replaces the old one once it is verified
ACCOUNT_REAUTHENTICATION_REQUIRED = True
ACCOUNT_REAUTHENTICATION_METHODS = ["password", "mfa"]  # by default also by email
ACCOUNT_RATE_LIMITS = defaults.ACCOUNT_RATE_LIMITS | {
    "signup": "120/m/ip,600/h/ip",
    "email": "5/h/key",  # per recipient
    "emailed_code": "3/10m/key",
    "manage_email": "10/m/user,20/h/user",  # each change sends two emails
}
MFA_RATE_LIMITS = {"webauthn_login": "120/m/ip"}  # a passkey cannot be guessed
MFA_ADAPTER = "secure_django.accounts.adapters.SecondFactorAdapter"
MFA_FORMS = {
    "add_webauthn": "secure_django.accounts.forms.AddPasskeyForm",
    "authenticate_webauthn": "secure_django.accounts.forms.PasskeyForm",
    "login_webauthn": "secure_django.accounts.forms.LoginPasskeyForm",
    "reauthenticate_webauthn": "secure_django.accounts.forms.ReauthenticatePasskeyForm",
}
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_WEBAUTHN_ALLOW_INSECURE_ORIGIN = env.debug  # for passkeys on http://localhost

LOGGING = defaults.LOGGING | {
    # fido2 logs the ids of passkeys.
    "loggers": defaults.LOGGING["loggers"] | {"fido2": {"level": "WARNING"}}
}
