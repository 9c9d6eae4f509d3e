from secure_django.extras import require

require("secure_django.accounts", "allauth.mfa", "fido2", extra="accounts")
