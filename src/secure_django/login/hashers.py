from django.contrib.auth.hashers import Argon2PasswordHasher


class Argon2idHasher(Argon2PasswordHasher):
    """The minimum of OWASP's Password Storage Cheat Sheet.

    Django's default needs 100 MiB for each log-in.
    """

    time_cost = 2
    memory_cost = 19_456  # KiB
    parallelism = 1
