"""Who gets which response from each URL here: see secure_django/guard/access.py."""

from django.apps import apps

# Only accounts ask again for the password, or for the second factor.
EXPORT = "reauth" if apps.is_installed("secure_django.accounts") else "200"

ROWS = f"""
/accounts/profile/            log-in 200      200      200  200
/accounts/profile/appearance/ log-in away     away     away away
/accounts/profile/emails/     log-in away     away     away away
/accounts/profile/export/     log-in {EXPORT} {EXPORT} 200  200
"""
